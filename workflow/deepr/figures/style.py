"""The one look of all figures: sizes, fonts, colours, scale bars, and how a figure is saved."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from deepr.metrics import normalise
from deepr.runtime import write_atomically
from deepr.tables import write_table

PAGE_WIDTH_MM = 180
MM_PER_INCH = 25.4

# The paper's colours, of different lightness so that they stay apart without colour vision.
INPUT_COLOUR = "#2f9e44"
OUTPUT_COLOUR = "#c0182b"
SECOND_COLOUR = "#1f5fbf"
TRUTH_COLOUR = "#000000"
BEST_COLOUR = "#f2c200"
WITHIN_COLOUR = "#e6f4e6"
BEYOND_COLOUR = "#fbe6e4"
NOTE_COLOUR = "#555555"

DATA_SOURCES = {"simulated": "simulated microscope", "BBBC006": "BBBC006", "own": "own stacks"}

RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handlelength": 2.0,
    "lines.linewidth": 1.2,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "deepr",  # identifiers within the SVG would else be random
}

# Use as a decorator of a drawing function or in a with statement.
paper_style = matplotlib.rc_context(RC)

_OUTLINE = [withStroke(linewidth=1.0, foreground="black", alpha=0.7)]

_METADATA = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def new_figure(height_mm, width_mm=PAGE_WIDTH_MM):
    """Make an empty figure of a size in millimetres, outside pyplot's global state."""
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), facecolor="white")


@paper_style
def save_figure(figure, base_path):
    """Save a figure as PDF, SVG and PNG, each whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    base_path : str or Path
        Path without suffix: results/figures/fig2 gives fig2.pdf, fig2.svg and fig2.png.

    Notes
    -----
    No date and no version is written: the same figure gives the same bytes.
    """
    for suffix, metadata in _METADATA.items():
        with write_atomically(f"{base_path}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)


def save_numbers(frame, base_path):
    """Write every plotted number as a tidy table beside the figure.

    Parameters
    ----------
    frame : DataFrame
        One row per plotted value.
    base_path : str or Path
        Path without suffix.
    """
    write_table(frame, f"{base_path}.tsv")


def provenance_line(figure, source, scale):
    """Stamp a figure with which data it is from and at which scale.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    source : str or collection of str
        Of "simulated", "BBBC006" and "own".
    scale : str
        For example "demonstration".

    Raises
    ------
    ValueError
        If a source is none of the three.
    """
    figure.text(0.995, 0.004, describe_provenance(source, scale), ha="right", va="bottom", size=5.5, color=NOTE_COLOUR)


def describe_provenance(source, scale):
    """Say in a few words which data a result is from and at which scale; see `provenance_line`."""
    sources = [source] if isinstance(source, str) else sorted(source)
    unknown = [name for name in sources if name not in DATA_SOURCES]
    if unknown or not sources:
        raise ValueError(f"the data source is {unknown or source!r}, wanted one of {', '.join(DATA_SOURCES)}")
    return f"Data: {', '.join(DATA_SOURCES[name] for name in sources)}. Scale: {scale}."


def panel_letter(figure, letter, x_mm, y_mm):
    """Write a panel's letter at a place in mm from the upper left corner of the figure."""
    width, height = figure.get_size_inches() * MM_PER_INCH
    figure.text(x_mm / width, 1 - y_mm / height, letter, size=10, weight="bold", ha="left", va="top")


def axes_mm(figure, x_mm, y_mm, width_mm, height_mm):
    """Add axes whose upper left corner and size are given in mm from the figure's upper left corner."""
    width, height = figure.get_size_inches() * MM_PER_INCH
    return figure.add_axes([x_mm / width, 1 - (y_mm + height_mm) / height, width_mm / width, height_mm / height])


def grey_limits(reference, low_percent=0.5, high_percent=99.8):
    """Normalised values of the reference that are shown black and white, for every image beside it."""
    low, high = np.percentile(normalise(reference), [low_percent, high_percent])
    return float(low), float(max(high, low + 1e-6))


def show_image(axes, image, limits, normalised=False):
    """Show an image in shades of grey, or in colours if it is RGB, between common limits.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    image : (Y, X) or (Y, X, 3) ndarray
    limits : tuple of float
        Normalised values shown black and white, from `grey_limits`.
    normalised : bool
        The image is normalised already (a region of a normalised patch), else it is here.
    """
    image = image if normalised else normalise(image)
    low, high = limits
    if image.ndim == 3:
        axes.imshow(np.clip((image - low) / (high - low), 0, 1))
    else:
        axes.imshow(image, vmin=low, vmax=high)
    bare(axes)


def bare(axes):
    """Take ticks and frame away."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def scale_bar(axes, pixel_um, length_um=None):
    """Draw a scale bar into the lower right corner of an image.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Shows an image whose pixels are pixel_um wide.
    pixel_um : float
    length_um : float
        By default the largest of 1, 2 and 5 times a power of ten that fits a quarter of the width.

    Returns
    -------
    float
        Length of the bar in um.
    """
    left, right = sorted(axes.get_xlim())
    bottom, top = sorted(axes.get_ylim())
    width_px, height_px = right - left, top - bottom
    if length_um is None:
        room = 0.25 * width_px * pixel_um
        decade = 10 ** np.floor(np.log10(room))
        length_um = float(decade * max(step for step in (1, 2, 5) if step * decade <= room * (1 + 1e-9)))
    x_end, y = right - 0.05 * width_px, bottom + 0.94 * height_px
    x = [x_end - length_um / pixel_um, x_end]
    # A dark line below the white one keeps the bar visible on bright tissue.
    for colour, width in (("black", 3.0), ("white", 1.8)):
        axes.plot(x, [y, y], color=colour, lw=width, solid_capstyle="butt")
    text = axes.text(x_end, y - 0.03 * height_px, f"{length_um:g} µm", color="white", size=6)
    text.set(ha="right", va="bottom", path_effects=_OUTLINE)
    return length_um


def inset_text(axes, text, colour="white", place="upper left"):
    """Write a line or two over an image, in one of its corners."""
    vertical, horizontal = place.split()
    axes.text(
        {"left": 0.03, "right": 0.97}[horizontal],
        {"upper": 0.97, "lower": 0.03}[vertical],
        text,
        transform=axes.transAxes,
        color=colour,
        size=6,
        ha=horizontal,
        va={"upper": "top", "lower": "bottom"}[vertical],
        path_effects=_OUTLINE,
    )


def shade_training_range(axes, range_um, low_um=-10.0, high_um=10.0):
    """Colour the background of a curve against z: green within the training range, red beyond it."""
    axes.set_xlim(low_um, high_um)
    for start, end in ((low_um, -range_um), (range_um, high_um)):
        if end > start:
            axes.axvspan(start, end, color=BEYOND_COLOUR, lw=0, zorder=-2)
    axes.axvspan(max(-range_um, low_um), min(range_um, high_um), color=WITHIN_COLOUR, lw=0, zorder=-2)


def label_defocus(axes, z_limit_um):
    """Make an x axis one of defocus, from -z_limit_um to z_limit_um: every 5 um for the paper's 10."""
    axes.set(xlabel="Axial defocus distance z (µm)", xlim=(-z_limit_um, z_limit_um))
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))


def halve_ticks(axes):
    """Add an unlabelled tick between every two of the x axis."""
    axes.xaxis.set_minor_locator(AutoMinorLocator(2))


def mean_and_band(axes, x, mean, deviation, colour, label, **line):
    """Draw a mean as a line and its standard deviation as a band; without deviation, the line only."""
    axes.plot(x, mean, color=colour, label=label, **line)
    if deviation is not None:
        mean, deviation = np.asarray(mean, float), np.asarray(deviation, float)
        axes.fill_between(x, mean - deviation, mean + deviation, color=colour, alpha=0.2, lw=0)
