"""Figure S8: losses of the training and the validation, iteration by iteration."""

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from deepr.figures import style

SMOOTHING_SHARE = 0.012  # the paper's window of 1,200 of 100,000 iterations
MOST_MARKERS = 60  # more run into one thick line
TRAINING_COLOUR = style.SECOND_COLOUR
VALIDATION_COLOUR = "#d9660f"

PANELS = (
    ("a", "berhu", "validation_berhu", "BerHu loss"),
    ("b", "ms_ssim_loss", "validation_ms_ssim_loss", "1 $-$ MS-SSIM"),
    ("c", "generator_loss", None, "Generator loss $L_G$"),
    ("d", "discriminator_loss", None, "Discriminator loss $L_D$, outputs $D$"),
)


@style.paper_style
def draw_figure_s8(history, data_source, scale, output_base):
    """Draw Figure S8 and write it as PDF, SVG, PNG and a table of its numbers.

    Parameters
    ----------
    history : DataFrame
        One row per iteration: iteration, generator_loss, adversarial, ms_ssim_loss, berhu,
        discriminator_loss, discriminator_real, discriminator_fake, and validation_berhu and
        validation_ms_ssim_loss (missing between validations), best (True where the weights were kept; the
        last such row is the one in use).
    data_source : {"simulated", "BBBC006", "own"}
    scale : str
    output_base : str or Path
        Path without suffix.

    Raises
    ------
    ValueError
        If the history has no iterations.
    """
    if history.empty:
        raise ValueError("the history of the training has no iterations")
    iterations = history["iteration"].to_numpy()
    window = max(1, round(SMOOTHING_SHARE * (iterations[-1] - iterations[0] + 1)))
    kept = iterations[history["best"].to_numpy(bool)]
    numbers = []

    def smoothed(column):
        values = pd.to_numeric(history[column], errors="coerce").to_numpy(float)
        measured = np.isfinite(values)
        curve = hanning_smooth(iterations, values, window)
        # Raw losses stay in the history, which has a row for each of 100,000 iterations at the paper's scale.
        frame = pd.DataFrame({"curve": column, "iteration": iterations, "smoothed": curve.round(7)})
        numbers.append(frame[measured])
        return numbers[-1]["iteration"], numbers[-1]["smoothed"]

    figure = style.new_figure(height_mm=118)
    for index, (letter, training, validation, label) in enumerate(PANELS):
        x_mm, y_mm = 14 + 89 * (index % 2), 6 + 52 * (index // 2)
        axes = style.axes_mm(figure, x_mm, y_mm, 70, 38)
        style.panel_letter(figure, letter, x_mm - 13, y_mm - 5.5)
        if len(kept):
            axes.axvline(kept[-1], color=style.BEST_COLOUR, lw=2.5, zorder=0)
        axes.plot(*smoothed(training), color=TRAINING_COLOUR, lw=0.9)
        if validation:
            curve = smoothed(validation)
            marker = "o" if len(curve[0]) <= MOST_MARKERS else ""
            axes.plot(*curve, color=VALIDATION_COLOUR, lw=0.9, marker=marker, ms=1.8)
        if training == "discriminator_loss":
            _draw_balance(axes, smoothed)
        axes.set(xlabel="Iteration", ylabel=label)
        axes.set_xlim(iterations[0] - 0.5, iterations[-1] + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, prune="upper"))
        axes.xaxis.set_major_formatter("{x:,.0f}")
    _legend(figure, window, kept)
    style.provenance_line(figure, data_source, scale)
    style.save_figure(figure, output_base)
    table = pd.concat(numbers, ignore_index=True)
    style.save_numbers(table.assign(kept=table["iteration"].isin(kept[-1:])), output_base)


def hanning_smooth(iterations, values, window):
    """Smooth a curve by a Hanning window; iterations without a value carry no weight.

    Parameters
    ----------
    iterations : (N,) ndarray
        Increasing, evenly spaced.
    values : (N,) ndarray of float
        NaN where nothing was measured.
    window : float
        Full width of the window, in iterations.

    Returns
    -------
    (N,) ndarray of float
        NaN where the window reaches no value. At the ends the part of the window within the curve counts.
    """
    step = (iterations[-1] - iterations[0]) / max(1, len(iterations) - 1) or 1
    half = int(np.ceil(window / 2 / step)) - 1  # values at the window's border have no weight
    offsets = np.arange(-max(0, half), max(0, half) + 1) * step
    weights = 0.5 * (1 + np.cos(2 * np.pi * offsets / max(window, 1)))
    measured = np.isfinite(values)
    total = np.convolve(np.where(measured, values, 0.0), weights)[len(offsets) // 2 :][: len(values)]
    weight = np.convolve(measured.astype(float), weights)[len(offsets) // 2 :][: len(values)]
    return np.divide(total, weight, out=np.full(len(values), np.nan), where=weight > 1e-9)


def _draw_balance(axes, smoothed):
    """Add the level of balance, and what the discriminator says of both kinds of images."""
    axes.axhline(0.25, color=style.NOTE_COLOUR, lw=0.6, ls=":")
    axes.plot(*smoothed("discriminator_real"), color=style.TRUTH_COLOUR, lw=0.8, ls=(0, (4, 1.5)))
    axes.plot(*smoothed("discriminator_fake"), color=style.OUTPUT_COLOUR, lw=0.8, ls=(0, (4, 1.5)))
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))


def _legend(figure, window, kept):
    handles = [
        Line2D([], [], color=TRAINING_COLOUR, label="Training"),
        Line2D([], [], color=VALIDATION_COLOUR, marker="o", ms=2.5, label="Validation"),
        Line2D([], [], color=style.NOTE_COLOUR, lw=0.6, ls=":", label="$L_D$ = 0.25, balance"),
        Line2D([], [], color=style.TRUTH_COLOUR, lw=0.8, ls=(0, (4, 1.5)), label="$D(y)$, ground truth"),
        Line2D([], [], color=style.OUTPUT_COLOUR, lw=0.8, ls=(0, (4, 1.5)), label="$D(G(x))$, Deep-R output"),
    ]
    if len(kept):
        best = f"Kept weights, iteration {kept[-1]:,}"
        handles.insert(2, Line2D([], [], color=style.BEST_COLOUR, lw=2.5, label=best))
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.025), ncols=3, columnspacing=2)
    plural = "" if window == 1 else "s"
    figure.text(
        0.005,
        0.004,
        f"Curves smoothed by a Hanning window of {window:,} iteration{plural}.",
        size=5.5,
        color=style.NOTE_COLOUR,
        va="bottom",
    )
