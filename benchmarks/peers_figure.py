"""The plot of all benchmarks: times beside the peers', and the gain in SSIM against distance from focus."""

import textwrap

from comparison import ELSEWHERE, OURS, PEER
from deepr.figures import style

COLOURS = {OURS: style.OUTPUT_COLOUR, PEER: style.SECOND_COLOUR, ELSEWHERE: "#b0b0b0"}
LINE_MM, HEAD_MM = 3.6, 5.4
LABELS_MM, TIMES_MM, CURVE_MM = 50, 46, 54


@style.paper_style
def draw(table, base_path):
    """Draw the times of every task that has a peer, and the gain in SSIM against distance from focus.

    Parameters
    ----------
    table : DataFrame
        With the columns `comparison.COLUMNS`.
    base_path : str or Path
        Path without suffix.
    """
    times = table[table["quantity"] == "time"]
    compared = times.groupby(["subject", "task"])["side"].transform("nunique") > 1
    groups = list(times[compared].groupby(["subject", "task"], sort=False))
    gains = table[table["quantity"] == "SSIM gain"]
    bars_mm = sum(HEAD_MM + LINE_MM * len(lines) for _, lines in groups)
    figure = style.new_figure(height_mm=max(bars_mm + 22, CURVE_MM + 40))
    if groups:
        _draw_times(style.axes_mm(figure, LABELS_MM, 6, TIMES_MM, bars_mm), groups, bars_mm)
    if len(gains):
        _draw_gains(style.axes_mm(figure, LABELS_MM + TIMES_MM + 28, 12, CURVE_MM, CURVE_MM), gains, table)
    style.save_figure(figure, base_path)


def _draw_times(axes, groups, bars_mm):
    """Draw one bar for each program, below a heading for each task; the task's longest time is the full width."""
    y_mm = 0.0
    for (subject, task), lines in groups:
        _write_left(axes, f"{subject}: {task}", y_mm + 0.7 * HEAD_MM, LABELS_MM - 1.5, ha="left", weight="bold", size=6)
        y_mm += HEAD_MM
        for line in lines.itertuples():
            middle_mm, share = y_mm + LINE_MM / 2, line.value / lines["value"].max()
            axes.barh(middle_mm, share, height=0.7 * LINE_MM, color=COLOURS[line.side])
            unit = line.unit.replace("mm2", "mm²")
            axes.text(share + 0.015, middle_mm, f"{line.value:.3g} {unit}", va="center", size=5.5)
            program = f"{line.program}, {line.threads} thread{'s' * (line.threads > 1)}"
            _write_left(axes, program, middle_mm, 1.0, ha="right", size=5.5)
            y_mm += LINE_MM
    axes.set(xlim=(0, 1), ylim=(bars_mm, 0), yticks=[], xticks=[0, 0.5, 1])
    axes.set_xlabel("least time, of the task's longest")
    axes.spines["left"].set_visible(False)
    for side, colour in COLOURS.items():
        axes.barh(0, 0, color=colour, label=side)
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1), bbox_transform=axes.figure.transFigure, ncols=3)


def _write_left(axes, text, y_mm, distance_mm, **look):
    """Write a text so many mm to the left of the axes."""
    offset = (-distance_mm * 72 / style.MM_PER_INCH, 0)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(text, (0, y_mm), xytext=offset, va="center", **place, **look)


def _draw_gains(axes, gains, table):
    """Draw output minus input SSIM against distance from focus, one line for each program, its mean in the legend."""
    means = table[table["quantity"] == "mean SSIM gain"].set_index("program")["value"]
    peers = iter((("-", style.SECOND_COLOUR), ("--", style.SECOND_COLOUR)))
    for (program, side), line in gains.groupby(["program", "side"], sort=False):
        look, colour = ("-", COLOURS[OURS]) if side == OURS else next(peers)
        label = f"{program} ({means[program]:+.3f})"
        axes.plot(line["z_um"], line["value"], look, color=colour, label=label, marker="o", markersize=1.8)
    axes.axhline(0, color=style.NOTE_COLOUR, lw=0.5)
    axes.set(xlabel="distance from focus (µm)", ylabel="SSIM of the output minus the input's")
    task = f"unseen patches of {gains['task'].iloc[0]}"
    axes.set_title(textwrap.fill(task, 34), linespacing=1.2)
    place = {"loc": "upper left", "bbox_to_anchor": (0, -0.18), "borderaxespad": 0, "alignment": "left"}
    axes.legend(title="mean gain in brackets", title_fontsize=6.5, **place)
