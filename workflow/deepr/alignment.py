"""Rigid-body alignment of a z-stack, plane to neighbouring plane, equal to the ImageJ plugin StackReg."""

import logging
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
from pystackreg import StackReg

log = logging.getLogger(__name__)

# The coarsest of TurboReg's images would have fewer than 12 pixels.
_SMALLEST_SIDE = 24

# A pixel this close to the limit of validity counts as outside, so that rounding cannot let a zero in.
_MARGIN_PX = 1e-6


def align_stack(stack, anchor=0, threads=1, max_rotation_deg=None, max_shift_px=None):
    """Align the planes of a z-stack by rotation and translation.

    Parameters
    ----------
    stack : (Z, M, N) or (Z, M, N, 3) ndarray
        Z-stack, grey or RGB; a read-only memory map will do.
    anchor : int
        Plane that stays as it is. The other planes follow outward from it.
    threads : int
        Processes that work on planes side by side; the result does not depend on their number.
    max_rotation_deg : float, optional
        A registration of neighbouring planes that turns by more is taken for a failure, as TurboReg's local
        search can have on a blurred or nearly empty plane, and replaced by no movement; a warning names the
        plane. By default every registration is taken as it is, as StackReg does.
    max_shift_px : float, optional
        The same for a registration that moves the middle of a plane by more.

    Returns
    -------
    aligned : ndarray of the shape and type of ``stack``
        Aligned stack, clipped and rounded half up as ImageJ does for integer types. Pixels whose nearest
        source pixel is outside the plane are zero; `valid_window` finds the part without.
    matrices : (Z, 3, 3) ndarray of float64
        For each plane, the matrix that takes aligned pixel coordinates ``(x, y, 1)`` to those of the plane
        as it was; the identity for the anchor.

    Raises
    ------
    ValueError
        If the stack has not three or four dimensions, fewer than two planes, sides under 24 pixels, a
        constant plane or one with values that are not finite, if the anchor is not one of its planes, or if
        the colours of an RGB stack have no brightness in common to register by.

    Notes
    -----
    As StackReg with the anchor displayed: each plane is registered (TurboReg: least squares, cubic splines)
    to its original neighbour on the anchor's side, and the matrices are chained. RGB is registered by the
    first principal component of the colours of the whole stack, with weights that sum to one. pystackreg
    does the work and holds the interpreter's lock meanwhile, hence processes and not threads. Where they
    cannot be forked (not Linux), the calling script needs its ``if __name__ == "__main__"``.

    References
    ----------
    Thévenaz, Ruttimann and Unser, IEEE Trans. Image Process. 7, 27 (1998), doi:10.1109/83.650848.
    """
    _refuse_bad_stack(stack, anchor)
    colour_weights = _principal_colour(stack) if stack.ndim == 4 else None
    above, below = range(anchor + 1, len(stack)), range(anchor)[::-1]
    planes = [*above, *below]
    neighbours = [z - 1 for z in above] + [z + 1 for z in below]
    aligned = np.empty(stack.shape, stack.dtype)
    aligned[anchor] = stack[anchor]
    matrices = np.empty((len(stack), 3, 3))
    matrices[anchor] = np.eye(3)
    middle = np.array([(stack.shape[2] - 1) / 2, (stack.shape[1] - 1) / 2, 1.0])
    with _workers(min(threads, len(planes)), stack) as run:
        registered = run(partial(_register, colour_weights=colour_weights), planes, neighbours)
        for z, neighbour, matrix in zip(planes, neighbours, registered, strict=True):
            turn_deg = abs(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0])))
            shift_px = np.hypot(*((matrix - np.eye(3)) @ middle)[:2])
            if max_rotation_deg is not None and turn_deg > max_rotation_deg:
                log.warning("plane %d: registration turns it by %.2f degrees, taken for a failure", z, turn_deg)
                matrix = np.eye(3)
            elif max_shift_px is not None and shift_px > max_shift_px:
                log.warning("plane %d: registration moves it by %.1f px, taken for a failure", z, shift_px)
                matrix = np.eye(3)
            matrices[z] = matrix @ matrices[neighbour]
        for z, plane in zip(planes, run(_transform, planes, matrices[planes]), strict=True):
            aligned[z] = plane
    return aligned, matrices


def transform_plane(plane, matrix):
    """Resample a plane by cubic splines.

    Parameters
    ----------
    plane : (M, N) or (M, N, 3) ndarray
        Image, grey or RGB.
    matrix : (3, 3) ndarray of float
        Matrix from coordinates ``(x, y, 1)`` of the result to those of ``plane``, as `align_stack` gives it.

    Returns
    -------
    ndarray of the shape and type of ``plane``
        Resampled image. Integers are clipped to their range and rounded half up, as ImageJ does; floats are
        left as they are, with the over- and undershoots of the splines. Zero where there is no source.

    Raises
    ------
    ValueError
        If the image is neither grey nor RGB.
    """
    plane = np.asarray(plane)
    if plane.ndim == 3 and plane.shape[2] == 3:
        return np.stack([transform_plane(plane[..., channel], matrix) for channel in range(3)], axis=-1)
    if plane.ndim != 2:
        raise ValueError(f"The image has the shape {plane.shape}, but must be (Y, X) or (Y, X, 3).")
    moved = StackReg(StackReg.RIGID_BODY).transform(plane, np.asarray(matrix))
    if np.issubdtype(plane.dtype, np.integer):
        limits = np.iinfo(plane.dtype)
        # Not np.round, which rounds half to even.
        moved = np.floor(np.clip(moved, limits.min, limits.max) + 0.5)
    return moved.astype(plane.dtype)


def valid_window(shape, matrices, multiple=1):
    """Find the largest rectangle in which every aligned plane has a source.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the planes, in pixels.
    matrices : (Z, 3, 3) ndarray of float
        Matrices of `align_stack`.
    multiple : int
        The sides are rounded down to a multiple of it, such as the side of a patch.

    Returns
    -------
    y, x, height, width : int
        First row and column and the sides of the rectangle, in pixels: the one with the most pixels, in the
        middle of where it fits.

    Raises
    ------
    ValueError
        If no rectangle of ``multiple`` x ``multiple`` pixels is left.
    """
    first, last = _valid_columns(shape, np.asarray(matrices))
    best = (0, 0, 0)
    # The valid area is convex: its intersection of half-planes makes the columns that two rows share valid
    # in all rows between them.
    for height in range(multiple, shape[0] + 1, multiple):
        width = _shared_columns(first, last, height)[2].max() // multiple * multiple
        best = max(best, (height * width, height, width))
    _, height, width = best
    if width == 0:
        raise ValueError(
            f"After alignment no {multiple} x {multiple} pixels of the {shape[0]} x {shape[1]} are valid in "
            f"all {len(matrices)} planes: the drift is too large for this size."
        )
    left, _, shared = _shared_columns(first, last, height)
    rows = np.flatnonzero(shared >= width)
    y = rows[len(rows) // 2]
    x = left[y] + (shared[y] - width) // 2
    return int(y), int(x), height, int(width)


def _valid_columns(shape, matrices):
    """Return for each row the first and the last column that have a source in all planes."""
    height, width = shape
    a, b, c = np.moveaxis(matrices[:, :2], 2, 0)
    # Source coordinates lie between -1/2 and the side - 1/2: as a x + b y + c > 0, four for each plane.
    a, b = np.concatenate([a, -a], axis=1).ravel(), np.concatenate([b, -b], axis=1).ravel()
    c = np.concatenate([c + 0.5, np.array([width, height]) - 0.5 - c], axis=1).ravel() - _MARGIN_PX
    rest = b[:, np.newaxis] * np.arange(height) + c[:, np.newaxis]
    limits = -rest / np.where(a == 0, 1, a)[:, np.newaxis]
    first = np.max(np.ceil(limits[a > 0]), axis=0, initial=0).astype(int)
    last = np.min(np.floor(limits[a < 0]), axis=0, initial=width - 1).astype(int)
    last[(rest[a == 0] < 0).any(axis=0)] = -1
    return first, last


def _shared_columns(first, last, height):
    """Return first, last and number of the columns shared by rows y and y + height - 1, for each y."""
    rows = len(first) - height + 1
    left = np.maximum(first[:rows], first[height - 1 :])
    right = np.minimum(last[:rows], last[height - 1 :])
    return left, right, np.maximum(right - left + 1, 0)


def _refuse_bad_stack(stack, anchor):
    if stack.ndim != 3 and not (stack.ndim == 4 and stack.shape[3] == 3):
        raise ValueError(f"The stack has the shape {stack.shape}, but must be (Z, Y, X) or (Z, Y, X, 3).")
    if len(stack) < 2:
        raise ValueError(f"The stack has {len(stack)} plane, but at least 2 are needed to align them.")
    if min(stack.shape[1:3]) < _SMALLEST_SIDE:
        raise ValueError(
            f"The planes are {stack.shape[1]} x {stack.shape[2]} pixels, but both sides must have at least "
            f"{_SMALLEST_SIDE} to be registered."
        )
    if not 0 <= anchor < len(stack):
        raise ValueError(f"The anchor is plane {anchor}, but must be 0 to {len(stack) - 1}.")
    for z, plane in enumerate(stack):
        smallest, largest = plane.min(), plane.max()
        if not (np.isfinite(smallest) and np.isfinite(largest)):
            raise ValueError(f"Plane {z} of the stack has values that are not finite.")
        if smallest == largest:
            raise ValueError(f"Plane {z} of the stack is constant ({smallest}): it cannot be registered.")


def _principal_colour(stack):
    """Return the weights of red, green and blue in the first principal component of a stack's colours."""
    total, products = np.zeros(3), np.zeros((3, 3))
    for plane in stack:
        colours = plane.reshape(-1, 3).astype(np.float64)
        total += colours.sum(axis=0)
        products += colours.T @ colours
    pixels = stack[..., 0].size
    mean = total / pixels
    _, components = np.linalg.eigh(products / pixels - np.outer(mean, mean))
    weights = components[:, -1]
    if abs(weights.sum()) < 1e-6:
        raise ValueError("The colours of the stack have no brightness in common: it cannot be registered.")
    return weights / weights.sum()


def _register(stack, z, neighbour, colour_weights):
    reference, moving = stack[neighbour], stack[z]
    if colour_weights is not None:
        reference, moving = (
            sum(plane[..., channel] * colour_weights[channel] for channel in range(3)).astype(np.float32)
            for plane in (reference, moving)
        )
    return StackReg(StackReg.RIGID_BODY).register(reference, moving)


def _transform(stack, z, matrix):
    return transform_plane(stack[z], matrix)


@contextmanager
def _workers(count, stack):
    """Give a `map` for functions of the stack and further arguments, over several processes if count > 1."""
    if count == 1:
        yield lambda function, *arguments: map(partial(function, stack), *arguments)
        return
    # A forked process has the stack at once, without a copy, and does not run the calling script anew.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(count, context, initializer=_keep_stack, initargs=(stack,)) as pool:
        yield lambda function, *arguments: pool.map(partial(_with_kept_stack, function), *arguments)


_kept = {}


def _keep_stack(stack):
    _kept["stack"] = stack


def _with_kept_stack(function, *arguments):
    return function(_kept["stack"], *arguments)
