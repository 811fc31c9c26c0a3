"""Bead measurement at the paper's scale: ``.venv/bin/python benchmarks/beads.py`` from the root."""

import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from comparison import OURS, PEER, row, show, take_turns, time_row
from deepr.beads import measure_beads
from deepr.optics.objective import OBJECTIVES
from deepr.optics.psf import pupil_psf

BEADS = 164
PLANES = 101
STEP_UM = 0.2
SPACING_PX = 40
PEAK_ELECTRONS = 2300
BACKGROUND_ELECTRONS = 15
SCIPY_FITS = 200


def measure():
    """Give the rows of a fit of one bead in one plane: ours from two starts, SciPy's from one."""
    pixel_um = OBJECTIVES["40x/0.95"].pixel_um
    stack = make_stack()
    seconds, results = take_turns({"deepr": lambda: measure_beads(stack, pixel_um, STEP_UM)}, 1)
    beads = results["deepr"]
    focused = beads[beads["kept"] & (beads["z_um"] == 0)]
    task = f"fit of one bead in one plane, mean over {BEADS} beads x {PLANES} planes"
    ours = {"scale": 1 / len(beads), "note": "from two starts, finding the beads included"}
    return [
        time_row("beads", task, "deepr, measure_beads", OURS, seconds["deepr"], **ours),
        row(
            "beads",
            task,
            "scipy.optimize.least_squares",
            PEER,
            time_scipy(stack, beads),
            note=f"from one start, mean of {SCIPY_FITS} fits",
        ),
        row(
            "beads",
            task,
            "deepr, measure_beads",
            OURS,
            focused["fwhm_um"].mean(),
            quantity="width in focus",
            unit="um",
            runs=len(focused),
            note=f"deviation {focused['fwhm_um'].std():.4f} um",
        ),
    ]


def make_stack():
    """Return beads on a grid, each the point spread function in a square of its own, as a camera sees them."""
    rng = np.random.default_rng(1)
    z_um = STEP_UM * (np.arange(PLANES) - PLANES // 2)
    psf = pupil_psf(OBJECTIVES["40x/0.95"], 0.604, z_um, SPACING_PX, cover_glass_um=160.0)
    side = int(np.ceil(np.sqrt(BEADS)))
    grid = np.zeros((side, side))
    grid.ravel()[:BEADS] = rng.uniform(0.8, 1.2, BEADS)
    stack = np.empty((PLANES, side * SPACING_PX, side * SPACING_PX), np.uint16)
    for plane, image in zip(stack, psf / psf.max(), strict=True):
        electrons = rng.poisson(PEAK_ELECTRONS * np.kron(grid, image) + BACKGROUND_ELECTRONS)
        plane[:] = np.rint((electrons + rng.normal(0, 1.6, electrons.shape)) / 0.46 + 100)
    return stack


def time_scipy(stack, beads):
    """Seconds for one fit by SciPy with the same Jacobian, bounds and first start."""
    rows = beads.sample(SCIPY_FITS, random_state=1)
    size = 30
    position = np.arange(size) - (size - 1) / 2

    def profiles(values):
        u, v = (position - values[1]) / values[3], (position - values[2]) / values[4]
        return u, v, np.outer(np.exp(-0.5 * v**2), np.exp(-0.5 * u**2))

    def residual(values, region):
        return (values[0] * profiles(values)[2] + values[5] - region).ravel()

    def jacobian(values, region):
        u, v, gaussian = profiles(values)
        v, scaled = v[:, None], values[0] * gaussian
        columns = [gaussian, scaled * u / values[3], scaled * v / values[4], scaled * u**2 / values[3]]
        columns += [scaled * v**2 / values[4], np.ones_like(gaussian)]
        return np.stack(columns, axis=-1).reshape(-1, 6)

    bounds = ([0, -7.5, -7.5, 0.3, 0.3, -np.inf], [np.inf, 7.5, 7.5, 15, 15, np.inf])
    start = time.perf_counter()
    for fit in rows.itertuples():
        y, x = fit.y_px - size // 2, fit.x_px - size // 2
        region = stack[fit.plane, y : y + size, x : x + size].astype(float)
        guess = [np.ptp(region), 0, 0, 1.5, 1.5, region.min()]
        least_squares(residual, guess, jacobian, bounds=bounds, args=(region,), x_scale="jac")
    return (time.perf_counter() - start) / len(rows)


if __name__ == "__main__":
    show(measure())
