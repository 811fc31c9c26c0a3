"""Table S2: seconds per square millimetre, of mechanical searches and of Deep-R."""

from html import escape
from textwrap import wrap

import numpy as np
import pandas as pd

from deepr.figures import style
from deepr.runtime import write_atomically

# The paper's means and standard deviations, s/mm2, by score or by device and precision.
PAPER = {
    "VOL4": ("Vollath-4", 42.91, 3.16),
    "VOL5": ("Vollath-5", 39.57, 3.16),
    "STD": ("Standard deviation", 37.22, 3.07),
    "NVAR": ("Normalized variance", 36.50, 0.36),
    "CPU float32": ("Deep-R (CPU)", 20.04, 0.23),
    "CPU bfloat16": ("Deep-R (CPU, bfloat16)", np.nan, np.nan),
    "GPU float32": ("Deep-R (GPU)", 2.98, 0.08),
}
HEADERS = {
    "method": "Method",
    "mean": "Mean (s/mm²)",
    "std": "SD (s/mm²)",
    "exposures": "Exposures",
    "error_um": "Focus error (µm)",
    "failures": "Failures",
    "equal_stage_s": "Equal at a stage time of (s)",
    "paper_mean": "Paper: mean",
    "paper_std": "Paper: SD",
}
NOTE = (
    "Searches at 20x/0.75 on 4 fields of simulated beads from 4 heights each: Brent's search with its"
    " camera, each evaluation 0.1 s of exposure, 0.7 s of stage and settling, 0.25 s of transfer and the score as timed"
    " on a frame of 2048 x 2048 px, which is the area counted (0.443 mm2); the final exposure is left out, as in the"
    " paper. Focus error is the mean distance from the true focus of the searches that found it within 1 um, failures"
    " are the others. Equal at: the time of stage and settling at which the search would be as fast as Deep-R on this"
    " machine's processor. Deep-R is timed here on that area, patch by patch; bfloat16: the"
    " same network, computing in numbers of half as many bits. The rows of bfloat16 and of the GPU are empty where the"
    " machine has none."
)

_LOOK = """
body { font: 14px/1.4 sans-serif; margin: 2em; }
table { border-collapse: collapse; }
td, th { padding: .25em .8em; text-align: right; }
td:first-child, th:first-child { text-align: left; }
th { border-bottom: 1px solid; }
p { color: #555; font-size: 12px; max-width: 60em; }
"""


@style.paper_style
def draw_table_s2(searches, refocusing, data_source, scale, output_base):
    """Summarise searches and refocusing and write the table as TSV, HTML and PNG.

    Parameters
    ----------
    searches : DataFrame
        As `deepr.autofocus.search_fields` makes it.
    refocusing : DataFrame
        device, precision, way ("patches" is used), seconds_per_mm2.
    data_source, scale, output_base
        As for the figures.

    Returns
    -------
    DataFrame
        One row per method, columns as in `HEADERS`; NaN where nothing was measured.
    """
    table = summarise_times(searches, refocusing)
    style.save_numbers(table, output_base)
    provenance = style.describe_provenance(data_source, scale)
    with write_atomically(f"{output_base}.html") as temporary:
        temporary.write_text(_as_html(table, provenance), encoding="utf-8")
    with write_atomically(f"{output_base}.png") as temporary:
        _as_figure(table, provenance).savefig(temporary, format="png", metadata={"Software": None})
    return table


def summarise_times(searches, refocusing):
    """Give one row per method; see `draw_table_s2`."""
    patches = refocusing[refocusing["way"] == "patches"].groupby(["device", "precision"])["seconds_per_mm2"]
    network = {" ".join(computer): (values.mean(), values.std()) for computer, values in patches}
    cpu = network.get("CPU float32", (np.nan, np.nan))[0]
    rows = []
    for key, (method, paper_mean, paper_std) in PAPER.items():
        row = dict.fromkeys(HEADERS, np.nan) | {"method": method, "paper_mean": paper_mean, "paper_std": paper_std}
        own = searches[searches["score"] == key]
        if len(own):
            area_mm2 = (own["seconds"] / own["seconds_per_mm2"]).iloc[0]
            others_s = own["exposure_s"] + own["transfer_s"] + own["score_s"]
            row |= {
                "mean": own["seconds_per_mm2"].mean(),
                "std": own["seconds_per_mm2"].std(),
                "exposures": own["evaluations"].mean(),
                "error_um": own.loc[own["found"].astype(bool), "error_um"].abs().mean(),
                "failures": f"{(~own['found'].astype(bool)).sum()} of {len(own)}",
                "equal_stage_s": cpu * area_mm2 / own["evaluations"].mean() - others_s.mean(),
            }
        elif key in network:
            row |= {"mean": network[key][0], "std": network[key][1], "exposures": 1.0}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(HEADERS))


def _cells(row):
    def text(value):
        if isinstance(value, str):
            return value
        return "–" if not np.isfinite(value) else f"{value:.2f}"

    return [text(value) for value in row]


def _as_html(table, provenance):
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADERS.values())
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(row)) + "</tr>"
        for row in table.itertuples(index=False, name=None)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Table S2</title>\n'
        f"<style>{_LOOK}</style></head>\n<body><table>\n"
        "<caption><b>Table S2.</b> Time to bring a square millimetre into focus.</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n"
        f"<p>{escape(NOTE)} {escape(provenance)}</p></body></html>\n"
    )


def _as_figure(table, provenance):
    line_mm, top_mm = 5.0, 14.0
    figure = style.new_figure(height_mm=top_mm + line_mm * len(table) + 24)
    height_mm = figure.get_size_inches()[1] * style.MM_PER_INCH
    canvas = style.axes_mm(figure, 0, 0, style.PAGE_WIDTH_MM, height_mm)
    canvas.set(xlim=(0, style.PAGE_WIDTH_MM), ylim=(height_mm, 0))
    style.bare(canvas)
    ends = np.cumsum([34.0, 18, 16, 17, 18, 18, 24, 17, 14])
    ends *= (style.PAGE_WIDTH_MM - 3) / ends[-1]
    breaks = {" (": "\n(", ": ": ":\n", " at a stage": "\nat a stage"}
    heads = list(HEADERS.values())
    for text, broken in breaks.items():
        heads = [head.replace(text, broken) for head in heads]
    for x, text in zip([2, *ends[1:]], heads, strict=True):
        canvas.text(x, 11, text, va="bottom", ha="left" if x == 2 else "right", weight="bold", size=6.3)
    for y, width in ((1.5, 1.0), (12.0, 0.6), (top_mm + line_mm * len(table) - 0.5, 1.0)):
        canvas.plot([1, style.PAGE_WIDTH_MM - 1], [y, y], color="black", lw=width)
    for number, row in enumerate(table.itertuples(index=False, name=None)):
        y = top_mm + line_mm * number + 1.5
        for x, text in zip([2, *ends[1:]], _cells(row), strict=True):
            canvas.text(x, y, text, va="center", ha="left" if x == 2 else "right", size=6.5)
    note = "\n".join([*wrap(NOTE, 150), provenance])
    canvas.text(1, top_mm + line_mm * len(table) + 1.5, note, size=5.5, color=style.NOTE_COLOUR, va="top")
    return figure
