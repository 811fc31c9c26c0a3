"""Least-squares fits of two-dimensional Gaussians to many small images at once."""

from typing import NamedTuple

import numpy as np

# Parameters of a fit, in pixels from the middle of its region.
AMPLITUDE, X0, Y0, SIGMA_X, SIGMA_Y, OFFSET = range(6)
# Each derivative of the model is a product of one row of `_axis` along x, one along y, and the amplitude
# for those in _SCALED.
_ALONG_X = np.array([0, 1, 0, 2, 0, 3])
_ALONG_Y = np.array([0, 0, 1, 0, 2, 3])
_SCALED = np.array([X0, Y0, SIGMA_X, SIGMA_Y])
_MAX_UPDATES = 100
# Largest cosine between the residual and a column of the Jacobian at a solution.
_COSINE_TOLERANCE = 1e-7


class GaussianFits(NamedTuple):
    """Solutions of `fit_gaussians`, lengths in pixels."""

    parameters: np.ndarray  # (K, 6): A, x0, y0, sigma_x, sigma_y, b
    covariance: np.ndarray  # (K, 6, 6), NaN where it does not exist
    detection: np.ndarray  # (K,) root of the drop in squares that the peak brings, over the residual deviation
    converged: np.ndarray  # (K,) bool


def fit_gaussians(regions, starts, lower, upper):
    """Fit a two-dimensional Gaussian with offset to each of many regions at once.

    The model is A exp(-(x - x0)^2 / 2 sigma_x^2) exp(-(y - y0)^2 / 2 sigma_y^2) + b. Its derivatives are
    products of a function of x and one of y, so the normal equations of a region need only products of
    small matrices, and no model image.

    Parameters
    ----------
    regions : (K, M, N) ndarray of float
        Rows along y, columns along x.
    starts : (S, 4) array_like of float
        x0, y0, sigma_x, sigma_y to start from, in pixels from the middle of the region. The solution with
        the least sum of squares is taken; amplitude and offset start at their best for these.
    lower, upper : (4,) array_like of float
        Bounds of the same four. The amplitude's is 0.

    Returns
    -------
    GaussianFits
        With the covariance (J^T J)^-1 times the residual variance at M N - 6 degrees of freedom.

    Notes
    -----
    Levenberg-Marquardt with Marquardt's scaling, projected on the bounds; parameters that a bound holds
    leave the system. The paper used MATLAB's lsqcurvefit, whose start and bounds it does not give.
    """
    regions = np.asarray(regions, dtype=np.float64)
    # Sums of squares are differences below: without the mean they keep their digits.
    mean = regions.mean(axis=(1, 2))
    data = regions - mean[:, None, None]
    lower = np.concatenate([[0.0], lower, [-np.inf]])
    upper = np.concatenate([[np.inf], upper, [np.inf]])
    best = None
    for start in np.asarray(starts, dtype=np.float64):
        fit = _descend(data, _first_guess(data, start), lower, upper)
        if best is None:
            best = fit
            continue
        better = fit[1] < best[1]
        for kept, other in zip(best, fit, strict=True):
            kept[better] = other[better]
    parameters, squares, converged = best
    variance = squares / (data[0].size - parameters.shape[1])
    hessian = _normal_equations(data, parameters)[0]
    covariance = np.full_like(hessian, np.nan)
    regular = np.linalg.cond(_unit_diagonal(hessian)[0]) < 1e12
    covariance[regular] = np.linalg.inv(hessian[regular]) * variance[regular, None, None]
    power = _power(data)
    # Without noise the residual is rounding.
    least = 1e-24 * power + np.finfo(float).tiny
    detection = np.sqrt(np.maximum(power - squares, 0.0) / np.maximum(variance, least))
    parameters[:, OFFSET] += mean
    return GaussianFits(parameters, covariance, detection, converged)


def _descend(data, parameters, lower, upper):
    """Give (parameters, sums of squares, converged) of Levenberg-Marquardt descents, one per region."""
    result, least, converged = parameters.copy(), np.empty(len(data)), np.zeros(len(data), bool)
    power = _power(data)
    index, damping = np.arange(len(data)), np.full(len(data), 1e-3)
    hessian, gradient, squares = _normal_equations(data, parameters)
    for _ in range(_MAX_UPDATES):
        system, scale = _unit_diagonal(hessian)
        held = (parameters <= lower) & (gradient < 0) | (parameters >= upper) & (gradient > 0)
        # Without amplitude the four others have no derivative.
        held |= np.einsum("kii->ki", hessian) == 0
        slope = np.where(held, 0.0, gradient / scale)
        floor = 1e-14 * power + np.finfo(float).tiny
        done = np.abs(slope).max(axis=1) <= _COSINE_TOLERANCE * np.sqrt(np.maximum(squares, floor))
        stop = done | (damping > 1e10)
        result[index], least[index] = parameters, squares
        converged[index[done]] = True
        going = ~stop
        if not going.any():
            break
        if stop.any():
            index, damping, data, power = index[going], damping[going], data[going], power[going]
            parameters, hessian, gradient, squares = (
                values[going] for values in (parameters, hessian, gradient, squares)
            )
            system, scale, held, slope = system[going], scale[going], held[going], slope[going]
        system *= ~held[:, :, None] & ~held[:, None, :]
        np.einsum("kii->ki", system)[...] = 1 + np.where(held, 0.0, damping[:, None])
        step = np.linalg.solve(system, slope[:, :, None])[:, :, 0] / scale
        trial = np.clip(parameters + step, lower, upper)
        new = _normal_equations(data, trial)
        better = new[2] <= squares + 1e-15 * power
        damping = np.where(better, np.maximum(damping / 10, 1e-9), damping * 10)
        for values, others in zip((parameters, hessian, gradient, squares), (trial, *new), strict=True):
            values[better] = others[better]
    return result, least, converged


def _first_guess(data, start):
    """Give (K, 6) parameters: amplitude and offset by linear least squares for the start's Gaussian."""
    parameters = np.zeros((len(data), 6))
    parameters[:, X0 : SIGMA_Y + 1] = start
    parameters[:, AMPLITUDE] = 1.0
    hessian, gradient, _ = _normal_equations(data, parameters)
    linear = np.ix_(np.arange(len(data)), [AMPLITUDE, OFFSET], [AMPLITUDE, OFFSET])
    # The mean of the data is 0, so these are the products with the data themselves.
    product = gradient[:, [AMPLITUDE, OFFSET]] + hessian[:, [AMPLITUDE, OFFSET], AMPLITUDE]
    solution = np.linalg.solve(hessian[linear], product[:, :, None])[:, :, 0]
    # A dark middle would start on the bound, where the Gaussian has no derivative.
    small = 1e-3 * np.ptp(data, axis=(1, 2)) + np.finfo(float).tiny
    parameters[:, AMPLITUDE] = np.maximum(solution[:, 0], small)
    parameters[:, OFFSET] = solution[:, 1]
    return parameters


def _normal_equations(data, parameters):
    """Give J^T J, J^T r and r^T r of each region, r being the data minus the model."""
    amplitude, x0, y0, sigma_x, sigma_y, offset = parameters.T
    along_x = _axis(data.shape[2], x0, sigma_x)
    along_y = _axis(data.shape[1], y0, sigma_y)
    factor = np.ones_like(parameters)
    factor[:, _SCALED] = amplitude[:, None]
    gram_x = along_x @ along_x.transpose(0, 2, 1)
    gram_y = along_y @ along_y.transpose(0, 2, 1)
    hessian = gram_x[:, _ALONG_X[:, None], _ALONG_X] * gram_y[:, _ALONG_Y[:, None], _ALONG_Y]
    hessian *= factor[:, :, None] * factor[:, None, :]
    product = (along_y @ data @ along_x.transpose(0, 2, 1))[:, _ALONG_Y, _ALONG_X] * factor
    weight = np.zeros_like(parameters)
    weight[:, AMPLITUDE], weight[:, OFFSET] = amplitude, offset
    model = np.einsum("kij,kj->ki", hessian, weight)
    squares = _power(data) + np.einsum("ki,ki->k", weight, model - 2 * product)
    return hessian, product - model, np.maximum(squares, 0.0)


def _power(data):
    return np.einsum("kij,kij->k", data, data)


def _axis(size, centre, sigma):
    """Give (K, 4, size): the profile, its derivatives by centre and by sigma, and ones."""
    distance = (np.arange(size) - (size - 1) / 2 - centre[:, None]) / sigma[:, None]
    profile = np.exp(-0.5 * distance**2)
    by_centre = profile * distance / sigma[:, None]
    return np.stack([profile, by_centre, by_centre * distance, np.ones_like(profile)], axis=1)


def _unit_diagonal(hessian):
    """Give the matrices scaled to a diagonal of 1, and the scale of each parameter."""
    scale = np.sqrt(np.einsum("kii->ki", hessian))
    scale = np.where(scale == 0, 1.0, scale)
    return hessian / (scale[:, :, None] * scale[:, None, :]), scale
