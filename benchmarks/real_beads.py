"""Real beads beside simulated ones: how the width and the peak of a point change through focus.

The real stack: 200 nm beads at NA 0.95, 34 planes 0.3 um apart, 8 bits, of the PSF-Extractor of the Hoogenboom group
(CC BY 4.0). The same beads are simulated at the same places with the same optics, once as designed, once with the cover
glass that explains the real widths best, and measured in the same way.

Run as ``python benchmarks/real_beads.py FOLDER``, with ``workflow`` on the PYTHONPATH; FOLDER holds
sample_zstack00.tif to sample_zstack33.tif.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft
import tifffile
from deepr.beads import measure_beads
from deepr.figures.style import (
    NOTE_COLOUR,
    OUTPUT_COLOUR,
    SECOND_COLOUR,
    TRUTH_COLOUR,
    axes_mm,
    bare,
    new_figure,
    panel_letter,
    paper_style,
    save_figure,
    scale_bar,
)
from deepr.optics.imaging import ImageFormation
from deepr.optics.objective import Objective
from deepr.optics.psf import DESIGN_COVER_GLASS_UM
from deepr.optics.specimens.beads import sphere_transfer
from deepr.tables import write_table

PIXEL_UM, STEP_UM, EMISSION_UM, DIAMETER_UM = 0.108, 0.3, 0.520, 0.2
# The magnification and the working distance enter nothing here.
OBJECTIVE = Objective(60.0, 0.95, 180.0, PIXEL_UM)
THINNER_UM = np.arange(-8.0, 15.0, 1.0)
SHIFTS_UM = np.arange(-2, 3) * 0.05
# Beyond, at positive z, the beads rise fewer than four of the stack's 8-bit grey levels above the background.
COMPARED_UM = 1.6
WINDOW_PX = 96
SHOWN_UM = (-3.0, -2.1, -1.5, -0.9, 0.0, 0.9, 1.5, 2.1, 3.0)
REAL, FITTED, DESIGNED = "real", "simulated, glass fitted", "simulated, as designed"
COLOURS = {REAL: TRUTH_COLOUR, FITTED: OUTPUT_COLOUR, DESIGNED: SECOND_COLOUR}


def read_stack(folder):
    """Read the (Z, Y, X) uint8 stack, its files taken for rising z: so the doughnuts lie at positive z.

    Which way the stage moved is not told; with the files reversed the glass found would be thicker than designed.
    """
    paths = sorted(Path(folder).glob("sample_zstack*.tif"))
    if not paths:
        raise SystemExit(f"{folder}: no sample_zstack*.tif, nothing to compare")
    return np.stack([tifffile.imread(path) for path in paths])


def simulate(places_px, light, background, frame_px, z_um, thinner_um):
    """Simulate beads at given places.

    Parameters
    ----------
    places_px : (B, 2) ndarray of float
        y, x in the frame.
    light : (B,) ndarray of float
        All light of each bead, in the grey levels of the real camera times pixels.
    background : float
    frame_px : int
    z_um : (Z,) ndarray of float
    thinner_um : float
        How much thinner than designed the cover glass is.

    Returns
    -------
    (Z, frame_px, frame_px) ndarray of float32
        Without noise, and not rounded: the real stack's own noise blurs its steps of a whole grey level.
    """
    formation = ImageFormation(
        OBJECTIVE, EMISSION_UM, frame_px, np.abs(z_um).max() + 1, DESIGN_COVER_GLASS_UM - thinner_um
    )
    size = formation.grid_px
    fy, fx = scipy.fft.fftfreq(size), scipy.fft.rfftfreq(size)
    y, x = (places_px + formation.margin_px).T
    spectrum = (np.exp(-2j * np.pi * fy[:, None] * y) * light) @ np.exp(-2j * np.pi * fx[:, None] * x).T
    spectrum *= sphere_transfer(np.hypot(fy[:, None], fx) / PIXEL_UM, DIAMETER_UM)
    layer = scipy.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    planes = formation.planes(
        formation.spectra(layer[None]), [0.0], z_um, np.zeros((len(z_um), 3)), lambda _, plane: plane + background
    )
    return np.stack(list(planes))


def curves(stack, beads=None):
    """Measure a stack: `measure_beads`, and median and quartiles of width (um) and peak of the kept
    beads by z.

    The peak is the largest value of a bead's region above the median of the plane, as a share of that in focus.
    """
    found = measure_beads(stack, PIXEL_UM, STEP_UM, beads=beads, min_beads=1)
    focused = found[(found["z_um"] == 0) & (found["reason"] == "")]
    half = 8
    rows = []
    median = np.median(stack, axis=(1, 2))
    for bead in focused.itertuples():
        window = stack[:, bead.y_px - half : bead.y_px + half + 1, bead.x_px - half : bead.x_px + half + 1]
        peak = window.max(axis=(1, 2)) - median
        widths = found[found["bead"] == bead.bead]
        widths = widths.assign(peak=peak / peak[bead.plane])
        rows.append(widths)
    kept = pd.concat(rows)
    kept.loc[~kept["kept"], "fwhm_um"] = np.nan
    z_um = kept["z_um"].round(3) + 0.0
    by_z = {"beads": kept.groupby(z_um)["fwhm_um"].count()}
    for name, column in (("fwhm", "fwhm_um"), ("peak", "peak")):
        for suffix, share in (("", 0.5), ("_low", 0.25), ("_high", 0.75)):
            by_z[f"{name}{suffix}"] = kept.groupby(z_um)[column].quantile(share)
    by_z = pd.DataFrame(by_z)
    return found, by_z


def fit_cover_glass(real):
    """Find the cover glass and the sub-plane position of focus that explain the real widths best.

    Parameters
    ----------
    real : DataFrame
        From `curves`.

    Returns
    -------
    DataFrame
        thinner_um, shift_um and deviation: the root mean square of the logarithm of simulated over real width.
    """
    middle = np.full((1, 2), WINDOW_PX / 2)
    z_um = STEP_UM * (np.arange(15) - 7)
    wanted = real["fwhm"][np.abs(real.index) <= COMPARED_UM]
    rows = []
    for thinner_um in THINNER_UM:
        for shift_um in SHIFTS_UM:
            stack = simulate(middle, np.array([3e3]), 2.0, WINDOW_PX, z_um + shift_um, thinner_um)
            found = measure_beads(stack, PIXEL_UM, STEP_UM, focus_plane=7)
            width = found.set_index(found["z_um"].round(3) + 0.0)["fwhm_um"].reindex(wanted.index)
            rows.append((thinner_um, shift_um, float(np.sqrt(np.mean(np.log(width / wanted) ** 2)))))
    return pd.DataFrame(rows, columns=["thinner_um", "shift_um", "deviation"])


@paper_style
def draw(stacks, measured, bead, output_base):
    """Draw one bead through focus in each stack, and width and peak against z."""
    figure = new_figure(height_mm=132)
    panel_letter(figure, "a", 0.5, 0.5)
    size, half = 17.2, 23
    for row, (name, stack) in enumerate(stacks.items()):
        focus = int(measured[name][0].loc[measured[name][0]["z_um"] == 0, "plane"].iloc[0])
        for column, z_um in enumerate(SHOWN_UM):
            image = stack[focus + round(z_um / STEP_UM)]
            image = image[bead.y_px - half : bead.y_px + half + 1, bead.x_px - half : bead.x_px + half + 1]
            axes = axes_mm(figure, 17 + column * (size + 0.8), 6 + row * (size + 0.8), size, size)
            low = np.percentile(image, 5)
            axes.imshow(image, vmin=low, vmax=max(image.max(), low + 1))
            bare(axes)
            if row == 0:
                axes.set_title(f"{z_um:g} µm".replace("-", "\N{MINUS SIGN}"), pad=2)
            if column == 0:
                axes.set_ylabel(name.replace(", ", ",\n"), color=COLOURS[name])
            if column == len(SHOWN_UM) - 1:
                scale_bar(axes, PIXEL_UM, 1.0)
    panels = ("b", "fwhm", "Lateral FWHM (µm)"), ("c", "peak", "Peak, share of that in focus")
    for column, (letter, key, label) in enumerate(panels):
        left = 14 + column * 92
        panel_letter(figure, letter, left - 13, 64)
        axes = axes_mm(figure, left, 67, 72, 50)
        axes.axvspan(-COMPARED_UM, COMPARED_UM, color="#eeeeee", lw=0, zorder=-2)
        for name, (_, curve) in measured.items():
            axes.plot(curve.index, curve[key], color=COLOURS[name], label=name, marker="o", ms=1.8)
            if name == REAL:
                axes.fill_between(curve.index, curve[f"{key}_low"], curve[f"{key}_high"], color="#bbbbbb", lw=0)
        axes.set(xlim=(-3.2, 3.2), xlabel="z (µm)", ylabel=label, yscale="log")
        axes.set_ylim((0.25, 8) if key == "fwhm" else (0.008, 1.3))
        ticks = (0.3, 0.5, 1, 2, 4) if key == "fwhm" else (0.01, 0.03, 0.1, 0.3, 1)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_yticks([], minor=True)
        if column == 0:
            axes.legend(loc="upper center")
    figure.text(
        0.995,
        0.004,
        "Real: PSF-Extractor, CC BY 4.0. Medians over beads, band: quartiles; light grey: range of the fit.",
        ha="right",
        va="bottom",
        size=5.5,
        color=NOTE_COLOUR,
    )
    save_figure(figure, output_base)


def main(folder, output_base):
    """Measure the real stack and its simulations, print and draw both."""
    stack = read_stack(folder)
    found, real = curves(stack)
    focus = int(found.loc[found["z_um"] == 0, "plane"].iloc[0])
    fit = fit_cover_glass(real)
    best = fit.loc[fit["deviation"].idxmin()]
    near = fit[fit["deviation"] <= 1.1 * best["deviation"]]["thinner_um"]
    print(
        f"cover glass thinner than designed by {best['thinner_um']:g} um ({near.min():g} to {near.max():g} within a"
        f" tenth of the least deviation), focus {best['shift_um']:+.2f} um off its plane: widths deviate by"
        f" {100 * best['deviation']:.0f} % (root mean square within {COMPARED_UM} um);"
        f" as designed by {100 * fit[fit['thinner_um'] == 0]['deviation'].min():.0f} %"
    )
    # Every bead, also those left out: their light is in the neighbours' regions.
    places = found.drop_duplicates("bead")[["y_px", "x_px"]].to_numpy(float)
    background = float(np.median(stack[focus]))
    peaks = np.array([stack[focus, int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3].max() for y, x in places])
    z_um = STEP_UM * (np.arange(len(stack)) - focus)
    stacks = {REAL: stack}
    for name, thinner_um, shift_um in ((FITTED, best["thinner_um"], best["shift_um"]), (DESIGNED, 0.0, 0.0)):
        one = simulate(np.full((1, 2), 48.0), np.ones(1), 0.0, WINDOW_PX, np.array([shift_um]), thinner_um)
        light = (peaks - background) / one.max()
        stacks[name] = simulate(places, light, background, stack.shape[1], z_um + shift_um, thinner_um)
    measured = {REAL: (found, real)}
    measured |= {name: curves(other, beads=found) for name, other in stacks.items() if name != REAL}
    numbers = pd.concat([curve.assign(stack=name).reset_index() for name, (_, curve) in measured.items()])
    print(numbers.pivot(index="z_um", columns="stack", values=["fwhm", "peak"]).round(3).to_string())
    for name, (table, _) in measured.items():
        kept = table[(table["z_um"] == 0) & table["kept"]]
        lateral_um, axial_um = kept[["fwhm_um", "axial_fwhm_um"]].mean()
        print(f"{name}: {len(kept)} beads, lateral {lateral_um:.3f} um, axial {axial_um:.3f} um in focus")
    write_table(numbers, f"{output_base}.tsv")
    typical = found[(found["z_um"] == 0) & found["kept"]].sort_values("fwhm_um")
    draw(stacks, measured, typical.iloc[len(typical) // 2], output_base)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", help="folder of the real stack")
    parser.add_argument("--output", default="docs/gallery/real_beads", help="path of the figure, without suffix")
    arguments = parser.parse_args()
    main(arguments.folder, arguments.output)
