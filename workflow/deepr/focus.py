"""Focus scores and the search for their maximum, as Micro-Manager's OughtaFocus plugin computes them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

GOLDEN_SECTION = 0.5 * (3 - np.sqrt(5))
RELATIVE_TOLERANCE = 1e-9


def vollath4(image):
    """Vollath's fourth criterion (the paper's VOL4): autocorrelation at a lag of one minus that of two.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        Grey values g, x along the width; the channels of an RGB image are averaged first.

    Returns
    -------
    float
        sum over y of [sum_{x=1}^{X-2} g(x) g(x+1) - sum_{x=0}^{X-3} g(x) g(x+2)], in squared grey values.

    Raises
    ------
    ValueError
        If the image is not two-dimensional or RGB, narrower than 3 px, or not finite.

    Notes
    -----
    The paper's equation 9 prints sum_{m=1}^{M-1} x(m) x(m+1) - sum_{m=1}^{M-2} x(m) x(m+2): its first sum
    has one column more (x = 0). The search ran in the plugin, so the plugin's sum is the one used.
    Products of integer images are added in 64 bits; the plugin's are 32-bit and overflow above a grey
    value of 46340, which is not copied.
    """
    grey = _grey(image)
    return float(_lagged_products(grey[:, 1:], 1) - _lagged_products(grey, 2))


def vollath5(image):
    """Vollath's fifth criterion (the paper's VOL5): autocorrelation at a lag of one above the mean's.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        Grey values g, x along the width; the channels of an RGB image are averaged first.

    Returns
    -------
    float
        sum over y of sum_{x=0}^{X-2} g(x) g(x+1), minus (X - 1) Y mean(g)^2, in squared grey values.

    Raises
    ------
    ValueError
        If the image is not two-dimensional or RGB, narrower than 3 px, or not finite.

    Notes
    -----
    The paper's equation 10 subtracts M N mean^2; the plugin subtracts as many terms as it has added.
    """
    grey = _grey(image)
    height, width = grey.shape
    return float(_lagged_products(grey, 1)) - (width - 1) * height * _mean(grey) ** 2


def standard_deviation(image):
    """Standard deviation over mean (the paper's STD).

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        Grey values; the channels of an RGB image are averaged first.

    Returns
    -------
    float
        Sample standard deviation (n - 1) divided by the mean; without unit.

    Raises
    ------
    ValueError
        If the image is not two-dimensional or RGB, narrower than 3 px, not finite, or of mean zero.

    Notes
    -----
    The paper's equation 11 prints the deviation alone, sqrt(1/(MN) sum (x - mean)^2); the plugin divides
    by the mean.
    """
    mean, variance = _mean_and_variance(image)
    return float(np.sqrt(variance) / mean)


def normalized_variance(image):
    """Variance over mean (the paper's NVAR).

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray
        Grey values; the channels of an RGB image are averaged first.

    Returns
    -------
    float
        Sample variance (n - 1) divided by the mean, in grey values.

    Raises
    ------
    ValueError
        If the image is not two-dimensional or RGB, narrower than 3 px, not finite, or of mean zero.

    Notes
    -----
    The paper's equation 12 prints 1/(MN mean) sum (x - mean)^2: a factor n/(n - 1) less.
    """
    mean, variance = _mean_and_variance(image)
    return float(variance / mean)


@dataclass
class FocusSearch:
    """Where a search ended and what it looked at.

    Attributes
    ----------
    z_um, score : float
        Best of all evaluated positions and its score.
    evaluations : list of (float, float)
        Every (z_um, score), in the order in which they were measured: one exposure each.
    """

    z_um: float
    score: float
    evaluations: list[tuple[float, float]] = field(default_factory=list)


def brent_search(score, start_um, range_um=10.0, tolerance_um=0.1, max_evaluations=100):
    """Find the stage position of the largest focus score by Brent's method.

    Parameters
    ----------
    score : callable
        Takes z in um, gives the focus score there.
    start_um : float
        Middle of the search and its first evaluation.
    range_um : float
        Full width of the search: from start_um - range_um / 2 to start_um + range_um / 2.
    tolerance_um : float
        Absolute tolerance; evaluations are at least this far apart (the paper's is 0.1 um).
    max_evaluations : int
        Evaluations after which the search is given up.

    Returns
    -------
    FocusSearch

    Raises
    ------
    ValueError
        If the range is empty, the tolerance is not positive, a position or a score is not finite, or
        no evaluation is allowed.
    RuntimeError
        If max_evaluations do not suffice.

    Notes
    -----
    Position by position the search of Apache commons-math 3 as OughtaFocus calls it (relative tolerance
    1e-9). `scipy.optimize.minimize_scalar` is a different one: it starts elsewhere. The method is local:
    it may end in a side lobe of a score with several maxima, as the original does.

    References
    ----------
    Brent, Algorithms for Minimization without Derivatives (1973), chapter 5.
    """
    _check_search(start_um, range_um, tolerance_um, max_evaluations)
    low, high = start_um - 0.5 * range_um, start_um + 0.5 * range_um
    evaluations = []

    def cost(z_um):
        if len(evaluations) == max_evaluations:
            raise RuntimeError(
                f"the focus search from {start_um:g} um did not end within {max_evaluations} evaluations"
            )
        value = float(score(z_um))
        if not np.isfinite(value):
            raise ValueError(f"the focus score at {z_um:g} um must be finite, found {value}")
        evaluations.append((float(z_um), value))
        return -value

    # x is the best point so far, w the second best, v the previous w; d and e are the last two steps.
    x = v = w = 0.5 * (low + high)
    fx = fv = fw = cost(x)
    d = e = 0.0
    while True:
        middle = 0.5 * (low + high)
        tolerance = RELATIVE_TOLERANCE * abs(x) + tolerance_um
        if abs(x - middle) <= 2 * tolerance - 0.5 * (high - low):
            break
        parabolic = _parabolic_step(x, v, w, fx, fv, fw, low, high, e) if abs(e) > tolerance else None
        if parabolic is None:
            e = high - x if x < middle else low - x
            d = GOLDEN_SECTION * e
        else:
            e, d = d, parabolic
            if x + d - low < 2 * tolerance or high - (x + d) < 2 * tolerance:
                d = tolerance if x <= middle else -tolerance
        u = x + d if abs(d) >= tolerance else x + (tolerance if d >= 0 else -tolerance)
        fu = cost(u)
        if fu <= fx:
            low, high = (low, x) if u < x else (x, high)
            v, fv, w, fw, x, fx = w, fw, x, fx, u, fu
        else:
            low, high = (u, high) if u < x else (low, u)
            if fu <= fw or w == x:
                v, fv, w, fw = w, fw, u, fu
            elif fu <= fv or v in (x, w):
                v, fv = u, fu
    best_z_um, best_score = max(evaluations, key=lambda evaluation: evaluation[1])
    return FocusSearch(best_z_um, best_score, evaluations)


def sharpest_plane(stack, score=vollath5, threads=1):
    """Index of the plane with the largest focus score.

    Parameters
    ----------
    stack : (Z, Y, X) or (Z, Y, X, 3) ndarray
        May be a memory map: one plane per thread is read at a time.
    score : callable
        Focus score of a plane.
    threads : int
        Planes scored side by side.

    Returns
    -------
    int
        The first of several equal ones.

    Raises
    ------
    ValueError
        If the stack has no planes or a score is not finite.
    """
    if stack.ndim not in (3, 4) or len(stack) == 0:
        raise ValueError(f"a stack must be (Z, Y, X) or (Z, Y, X, 3) with planes, got shape {stack.shape}")
    with ThreadPoolExecutor(max(1, threads)) as pool:
        scores = np.fromiter(pool.map(score, stack), dtype=float, count=len(stack))
    if not np.all(np.isfinite(scores)):
        raise ValueError(f"the focus score of plane {int(np.argmin(np.isfinite(scores)))} is not finite")
    return int(np.argmax(scores))


def _grey(image):
    """Grey values as 64-bit numbers, exact for integer images, checked."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 3:
        image = image.mean(axis=-1, dtype=np.float64)
    if image.ndim != 2 or image.shape[0] < 1 or image.shape[1] < 3:
        raise ValueError(f"a focus score needs an image (Y, X[, 3]) at least 3 px wide, got shape {image.shape}")
    if np.issubdtype(image.dtype, np.integer):
        return np.ascontiguousarray(image, dtype=np.int64)
    grey = np.ascontiguousarray(image, dtype=np.float64)
    if not np.all(np.isfinite(grey)):
        raise ValueError("a focus score needs finite grey values, found NaN or infinity")
    return grey


def _lagged_products(grey, lag):
    return np.einsum("yx,yx->", grey[:, :-lag], grey[:, lag:])


def _mean(grey):
    return float(grey.sum()) / grey.size


def _mean_and_variance(image):
    grey = _grey(image)
    mean = _mean(grey)
    if mean == 0:
        raise ValueError("a focus score divided by the mean needs an image whose mean is not zero")
    # From the deviations, not from sums of squares, which cancel for bright images of little contrast.
    deviations = grey - mean
    return mean, float(np.vdot(deviations, deviations)) / (grey.size - 1)


def _parabolic_step(x, v, w, fx, fv, fw, low, high, step_before_last):
    """Step to the extremum of the parabola through three points, or None where Brent distrusts it."""
    r = (x - w) * (fx - fv)
    q = (x - v) * (fx - fw)
    p = (x - v) * q - (x - w) * r
    q = 2 * (q - r)
    p, q = (-p, q) if q > 0 else (p, -q)
    if q * (low - x) < p < q * (high - x) and abs(p) < abs(0.5 * q * step_before_last):
        return p / q
    return None


def _check_search(start_um, range_um, tolerance_um, max_evaluations):
    if not np.isfinite(start_um):
        raise ValueError(f"a focus search needs a finite start, got {start_um} um")
    if not (np.isfinite(range_um) and range_um > 0):
        raise ValueError(f"a focus search needs a range above 0 um, got {range_um} um")
    if not (np.isfinite(tolerance_um) and tolerance_um > 0):
        raise ValueError(f"a focus search needs a tolerance above 0 um, got {tolerance_um} um")
    if max_evaluations < 1:
        raise ValueError(f"a focus search needs at least one evaluation, got {max_evaluations}")
