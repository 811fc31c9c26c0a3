"""Table S1: how many fields of view and patches train, validate and test, counted from the manifests."""

from html import escape
from textwrap import wrap

import numpy as np
import pandas as pd

from deepr.figures import style
from deepr.runtime import write_atomically
from deepr.slides import open_slide
from deepr.tables import InputError

SETS = {"train": "training", "validation": "validation", "test": "testing"}

HEADERS = {
    "dataset": "Data set",
    "objective": "Objective",
    "set": "Set",
    "slides": "Slides",
    "fovs": "FOVs",
    "area_mm2": "Unique area (mm²)",
    "planes_per_fov": "Planes per FOV",
    "patches": "Patches",
    "kept_patches": "Patches used",
    "images": "Images used",
    "source": "Data",
}

NOTE = (
    "Counted from the manifests. The area is that of the aligned fields; simulated fields do not overlap, the"
    " paper's did by about 15 %. Patches without contrast or focus are counted but not used."
)

_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Table S1</title>
<style>
body {{ font: 14px/1.4 sans-serif; margin: 2em; color: #111; }}
table {{ border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid; }}
caption {{ text-align: left; padding-bottom: .6em; max-width: 60em; }}
th, td {{ padding: .25em .8em; text-align: right; }}
th.text, td.text {{ text-align: left; }}
thead th {{ border-bottom: 1px solid; vertical-align: bottom; }}
tr.first td {{ border-top: 1px solid #bbb; }}
p {{ color: #555; font-size: 12px; max-width: 60em; }}
</style>
</head>
<body>
<table>
<caption><b>Table S1.</b> Training, validation and testing data sets.</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
<p>{note} {provenance}</p>
</body>
</html>
"""

_TEXT_COLUMNS = ("dataset", "objective", "set", "source")


@style.paper_style
def draw_table_s1(data_sets, scale, output_base):
    """Count the data sets and write the table as TSV, HTML and PNG.

    Parameters
    ----------
    data_sets : dict of str to (DataFrame, list of path)
        Manifest and aligned slides ({slide}.ome.tif) of every data set, in the order of the table.
    scale : str
    output_base : str or Path
        Path without suffix.

    Returns
    -------
    DataFrame
        One row per data set and set, columns as in `HEADERS`.

    Raises
    ------
    InputError
        If a slide or field of a manifest is not among the slides.
    """
    table = count_data_sets(data_sets)
    style.save_numbers(table, output_base)
    sources = {source for cell in table["source"] for source in cell.split(", ")}
    provenance = style.describe_provenance(sources, scale)
    with write_atomically(f"{output_base}.html") as temporary:
        temporary.write_text(_as_html(table, provenance), encoding="utf-8")
    with write_atomically(f"{output_base}.png") as temporary:
        _as_figure(table, provenance).savefig(temporary, format="png", metadata={"Software": None})
    return table


def count_data_sets(data_sets):
    """Count slides, fields, area, planes and patches; see `draw_table_s1` for arguments and result."""
    rows = []
    for name, (manifest, paths) in data_sets.items():
        fields = _measure_fields(paths)
        for split, label in SETS.items():
            part = manifest[manifest["split"] == split]
            if part.empty:
                continue
            keys = part[["slide", "fov"]].drop_duplicates().itertuples(index=False, name=None)
            own = pd.DataFrame([_field(fields, key, name) for key in keys])
            kept = part[part["kept"].astype(bool)]
            planes = [fields[key]["planes"] for key in zip(kept["slide"], kept["fov"], strict=True)]
            rows.append(
                {
                    "dataset": name,
                    "objective": ", ".join(sorted(set(own["objective"]))),
                    "set": label,
                    "slides": part["slide"].nunique(),
                    "fovs": len(own),
                    "area_mm2": float(own["area_mm2"].sum()),
                    "planes_per_fov": _span(own["planes"]),
                    "patches": len(part),
                    "kept_patches": len(kept),
                    "images": sum(planes),
                    "source": ", ".join(sorted(set(own["source"]))),
                }
            )
    return pd.DataFrame(rows, columns=list(HEADERS))


def _measure_fields(paths):
    fields = {}
    for path in paths:
        with open_slide(path) as slide:
            for field in slide.fields:
                planes, height, width = slide.stack(field).shape[:3]
                fields[slide.path.name.removesuffix(".ome.tif"), field] = {
                    "planes": planes,
                    "area_mm2": height * width * (slide.pixel_um / 1000) ** 2,
                    "objective": slide.objective,
                    "source": slide.source,
                }
    return fields


def _field(fields, key, name):
    if key not in fields:
        raise InputError(f"the manifest of {name} has field {key[1]!r} of slide {key[0]!r}, which no slide holds")
    return fields[key]


def _span(counts):
    low, high = min(counts), max(counts)
    return f"{low}" if low == high else f"{low} to {high}"


def _cells(row):
    """Text of a row's cells by column."""
    values = dict(zip(HEADERS, row, strict=True))
    values["area_mm2"] = f"{values['area_mm2']:.3g}"
    for column in ("slides", "fovs", "patches", "kept_patches", "images"):
        values[column] = f"{values[column]:,}"
    return values


def _as_html(table, provenance):
    def cell(tag, column, text):
        kind = ' class="text"' if column in _TEXT_COLUMNS else ""
        return f"<{tag}{kind}>{escape(str(text))}</{tag}>"

    lines, previous = [], None
    for row in table.itertuples(index=False, name=None):
        cells = "".join(cell("td", column, text) for column, text in _cells(row).items())
        lines.append(f'<tr class="first">{cells}</tr>' if row[0] != previous else f"<tr>{cells}</tr>")
        previous = row[0]
    head = "".join(cell("th", column, text) for column, text in HEADERS.items())
    return _HTML.format(head=head, body="\n".join(lines), note=escape(NOTE), provenance=escape(provenance))


def _as_figure(table, provenance):
    line_mm, top_mm = 4.6, 12.0
    figure = style.new_figure(height_mm=top_mm + line_mm * len(table) + 14)
    height_mm = figure.get_size_inches()[1] * style.MM_PER_INCH
    canvas = style.axes_mm(figure, 0, 0, style.PAGE_WIDTH_MM, height_mm)
    canvas.set(xlim=(0, style.PAGE_WIDTH_MM), ylim=(height_mm, 0))
    style.bare(canvas)
    widths = np.array([26, 16, 17, 12, 12, 18, 16, 15, 15, 15, 18], float)
    ends = np.cumsum(widths)
    ends *= (style.PAGE_WIDTH_MM - 4) / ends[-1]

    def write(y, cells, **text):
        for column, start, end in zip(HEADERS, [0, *ends[:-1]], ends, strict=True):
            left = column in _TEXT_COLUMNS
            # Room between numbers and the text to their right.
            x = start + (5 if column == "source" else 2) if left else end
            canvas.text(x, y, cells[column], ha="left" if left else "right", **text)

    headers = {column: text.replace(" (", "\n(").replace(" per ", "\nper ") for column, text in HEADERS.items()}
    headers |= {"kept_patches": "Patches\nused", "images": "Images\nused", "area_mm2": "Unique\narea (mm²)"}
    write(8.5, headers, va="bottom", weight="bold", size=6.5)
    canvas.plot([1, style.PAGE_WIDTH_MM - 1], [1.5, 1.5], color="black", lw=1)
    canvas.plot([1, style.PAGE_WIDTH_MM - 1], [9.5, 9.5], color="black", lw=0.6)
    previous = None
    for index, row in enumerate(table.itertuples(index=False, name=None)):
        y = top_mm + line_mm * index
        cells = _cells(row)
        if row[0] == previous:
            cells |= {"dataset": "", "objective": "", "source": ""}
        elif previous is not None:
            canvas.plot([1, style.PAGE_WIDTH_MM - 1], [y - line_mm / 2] * 2, color="#bbbbbb", lw=0.4)
        write(y, cells, va="center", size=6.5)
        previous = row[0]
    end = top_mm + line_mm * len(table) - 1.5
    canvas.plot([1, style.PAGE_WIDTH_MM - 1], [end, end], color="black", lw=1)
    note = "\n".join([*wrap(NOTE, 150), provenance])
    canvas.text(1, end + 1.5, note, size=5.5, color=style.NOTE_COLOUR, va="top")
    return figure
