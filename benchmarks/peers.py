"""All benchmarks against peers, side by side in one run, as one table and one plot.

Run as ``make benchmark``, with nothing else running; it takes about a quarter of an hour. It writes
``benchmarks_peers.tsv`` into the results, after every subject anew, and then ``benchmarks_peers.pdf``, ``.svg`` and
``.png``.
"""

import argparse
import functools
import sys
from pathlib import Path

import acquisition
import alignment
import beads
import care
import deconvolution
import edof
import refocusing
import training
from comparison import ELSEWHERE, OURS, PEER, as_table, in_own_process, show
from deepr.figures import style
from deepr.tables import InputError, write_table

COLOURS = {OURS: style.OUTPUT_COLOUR, PEER: style.SECOND_COLOUR, ELSEWHERE: "#b0b0b0"}
LINE_MM, HEAD_MM = 3.6, 5.4
LABELS_MM, TIMES_MM, CURVE_MM = 50, 46, 54


def subjects(threads, repeats, **trainings):
    """Give the function that measures each subject, by name; `repeats` rounds of each, or its own number.

    `trainings` are what `care.measure` is told besides.
    """
    rounds = {} if repeats is None else {"repeats": repeats}
    return {
        "edof": functools.partial(edof.measure, threads=threads, **rounds),
        "alignment": functools.partial(alignment.measure, threads=threads, **rounds),
        "deconvolution": functools.partial(deconvolution.measure, threads=threads, **rounds),
        "beads": beads.measure,
        "optics": functools.partial(acquisition.measure, **rounds),
        "refocusing": functools.partial(refocusing.measure, threads=threads, **rounds),
        "training": functools.partial(training.measure, threads=threads, **rounds),
        "care": functools.partial(care.measure, threads=threads, **trainings),
    }


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
    axes.set_title(f"unseen patches of {gains['task'].iloc[0].replace(', ', ',' + chr(10))}")
    place = {"loc": "upper left", "bbox_to_anchor": (0, -0.18), "borderaxespad": 0, "alignment": "left"}
    axes.legend(title="mean gain in brackets", title_fontsize=6.5, **place)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the workflow's results")
    parser.add_argument("--output", type=Path, help="path without suffix; by default RESULTS/benchmarks_peers")
    parser.add_argument("--config", type=Path, default=care.CONFIG, help="config whose section training is used")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, help="rounds of every subject instead of its own number")
    parser.add_argument("--seconds", type=float, default=150.0, help="of each training against CARE")
    parser.add_argument("--only", nargs="+", metavar="SUBJECT", help="measure these subjects alone")
    arguments = parser.parse_args()
    output = arguments.output or arguments.results / "benchmarks_peers"
    functions = subjects(
        arguments.threads,
        arguments.repeats,
        results=arguments.results,
        seconds=arguments.seconds,
        config_path=arguments.config,
    )
    unknown = set(arguments.only or []) - set(functions)
    if unknown:
        parser.error(f"--only: found {', '.join(sorted(unknown))}, wanted some of {', '.join(functions)}")
    rows = []
    try:
        for subject in arguments.only or functions:
            # TensorFlow and whatever else one subject starts shall not be in the way of the next.
            measured = in_own_process(functions[subject])
            show(measured)
            rows += measured
            write_table(as_table(rows), f"{output}.tsv")
    except InputError as error:
        sys.exit(f"peers.py: {error}")
    draw(as_table(rows), output)
    print(f"written: {output}.tsv, .pdf, .svg, .png")


if __name__ == "__main__":
    main()
