"""One self-contained page of a run: figures, tables, scorecard, data, run times, versions, ledger."""

import base64
import io
import os
import platform
import re
from importlib import metadata
from pathlib import Path

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from PIL import Image

from deepr import __version__
from deepr.figures import table_s1, table_s2
from deepr.figures.style import DATA_SOURCES
from deepr.run_times import summarise_benchmarks
from deepr.runtime import write_atomically
from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE, image_quality_untestable
from deepr.tables import InputError, read_table

# The page shows a figure up to 930 px wide; screens of twice the density gain from more.
IMAGE_WIDTH_PX = 1600
PACKAGES = (
    *("snakemake", "tensorflow", "tensorflow-cpu", "keras", "numpy", "scipy", "scikit-image"),
    *("pandas", "matplotlib", "pystackreg", "tifffile"),
)
VERDICTS = {HOLDS: ("holds", "hold"), FAILS: ("fails", "do not hold"), UNTESTABLE: ("untestable", "not testable")}
DATA_SETS = {
    "data set": "Data set",
    "source": "Source",
    "patch_px": "Patch (px)",
    "specimen": "Specimen",
    "objective": "Objective",
    "channel": "Channel",
    "emission_um": "Emission (µm)",
    "cover_glass_um": "Cover glass (µm)",
    "tilt_deg": "Tilt (°)",
    "training slides": "Training slides",
    "test slides": "Test slides",
}
TIMES = {
    "stage": "Stage",
    "jobs": "Jobs",
    "wall_s": "Wall time, sum (s)",
    "cpu_s": "Processor time, sum (s)",
    "max_rss_mb": "Memory of the largest job (MB)",
}
# Tables whose modules say what their columns are called, and what has to be said below them.
_TABLES = {"tableS1": table_s1, "tableS2": table_s2}
_NUMBERED = re.compile(r"(fig|table)(S?)(\d+)")
_TITLE = re.compile(r"\.\. title: (.+)\n")


def write_report(
    output_path,
    template_path,
    figures,
    tables,
    captions,
    sources,
    scorecard_path,
    benchmarks_folder,
    ledger_path,
    data_sets,
    scale,
    seed,
):
    """Write one HTML page that needs no other file and no network.

    Parameters
    ----------
    output_path, template_path : str or Path
    figures : dict of str to path
        PNG of each figure, by its name: "fig2", "own/{network}/{dataset}" or "own_networks/{dataset}".
    tables : dict of str to path
        TSV of each table, by its name.
    captions : list of path
        "{name}.rst" for each figure and table, the name cut at its first "/"; see `read_caption`.
    sources : dict of str to str
        Where the data of each figure and table are from.
    scorecard_path : str or Path
        The joined scorecard.
    benchmarks_folder : str or Path
        Snakemake's benchmark files, in one folder per stage.
    ledger_path : str or Path
        The ledger of assumptions, in Markdown.
    data_sets : list of dict
        One row per data set, what is to be said of it by column.
    scale : str
    seed : int

    Raises
    ------
    InputError
        If a figure or table has no caption, or its caption no title.
    """
    captions = {Path(path).stem: path for path in captions}
    scorecard = read_table(scorecard_path).fillna("")
    scorecard = scorecard.sort_values("target", key=lambda names: names.map(_order), kind="stable")

    def described(name):
        kind, *place = name.split("/")
        if kind not in captions:
            raise InputError(f"{name}: no caption {kind}.rst among {sorted(captions)}")
        facts = {
            "params": {"data_source": sources[name], "scale": scale},
            "wildcards": dict(zip(("dataset", "network"), reversed(place), strict=False)),
        }
        title, caption = read_caption(captions[kind], facts)
        label = _label(kind)
        return {
            "id": name.replace("/", "-"),
            "name": f"{label}: {title}" if label else title,
            "caption": caption,
            "verdicts": _count_verdicts(scorecard[scorecard["target"] == name]),
        }

    times = summarise_benchmarks(benchmarks_folder)
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(Path(template_path).read_text(encoding="utf-8"))
    page = template.render(
        scale=scale,
        seed=seed,
        sources=", ".join(DATA_SOURCES[source] for source in sorted({row["source"] for row in data_sets})),
        untestable=image_quality_untestable(scale),
        claims=len(scorecard),
        verdicts=_count_verdicts(scorecard),
        figures=[{**described(name), **_embed(figures[name])} for name in sorted(figures, key=_order)],
        tables=[{**described(name), **_tabulate_target(name, tables[name])} for name in sorted(tables, key=_order)],
        scorecard=[{**row, "look": VERDICTS[row["verdict"]][0]} for row in scorecard.to_dict("records")],
        sections=[*figures, *tables],
        data_sets=_tabulate(pd.DataFrame(data_sets), DATA_SETS),
        times=_tabulate(times, TIMES),
        jobs=int(times["jobs"].sum()),
        hours=times["wall_s"].sum() / 3600,
        versions=_tabulate(pd.DataFrame(_versions(), columns=["Part", "Version"])),
        ledger=_as_html(Path(ledger_path).read_text(encoding="utf-8")),
    )
    with write_atomically(output_path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def read_caption(path, facts):
    """Read title and caption of a figure or table.

    Parameters
    ----------
    path : str or Path
        A caption of Snakemake's report, whose first line is the comment ".. title: ...".
    facts : dict
        What the caption may name of ``snakemake``, as ``{{ snakemake.params.scale }}``.

    Returns
    -------
    title, caption : str

    Raises
    ------
    InputError
        If the file does not begin with a title.
    """
    text = Path(path).read_text(encoding="utf-8")
    title = _TITLE.match(text)
    if title is None:
        raise InputError(f"{path}: found {text[:40]!r} at the beginning, wanted a line '.. title: ...'")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(text).render(snakemake=facts)
    title = _TITLE.match(text)
    return title[1].strip(), " ".join(text[title.end() :].split())


def _versions():
    found = [
        ("deepr", __version__),
        ("Python", platform.python_version()),
        (
            "operating system",
            f"{platform.platform(terse=True)}, {platform.machine()}, {os.cpu_count()} processor cores",
        ),
    ]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            # Each step may have an environment of its own, and no more than it needs.
            continue
    return found


def _label(name):
    """Write "fig2" as "Figure 2" and "tableS1" as "Table S1"; another name has no number, and its title says all."""
    numbered = _NUMBERED.fullmatch(name)
    kinds = {"fig": "Figure", "table": "Table"}
    return f"{kinds[numbered[1]]} {numbered[2]}{numbered[3]}" if numbered else ""


def _order(name):
    """Sort figures before tables, the article's before the supplement's, each by number; then figures without one."""
    numbered = _NUMBERED.fullmatch(name)
    if numbered:
        return (0, numbered[1], numbered[2], int(numbered[3]), "")
    return (1 if name.startswith("fig") else 2, "", "", 0, name)


def _count_verdicts(rows):
    """Count each verdict that occurs, with its class in the page's style and its words."""
    counts = rows["verdict"].value_counts()
    return [
        {"look": look, "text": f"{counts[verdict]} {words}"}
        for verdict, (look, words) in VERDICTS.items()
        if verdict in counts
    ]


def _embed(path):
    """Make an image part of the page, without loss; lossless WebP takes half of what PNG takes."""
    with Image.open(path) as image:
        image = image.convert("RGB")
        if image.width > IMAGE_WIDTH_PX:
            height = round(image.height * IMAGE_WIDTH_PX / image.width)
            image = image.resize((IMAGE_WIDTH_PX, height), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", lossless=True)
        return {"image": base64.b64encode(buffer.getvalue()).decode(), "width": image.width, "height": image.height}


def _tabulate_target(name, path):
    module = _TABLES.get(name)
    return {
        "table": _tabulate(read_table(path), module.HEADERS if module else {}),
        "note": module.NOTE if module else "",
    }


def _tabulate(frame, headers=None):
    """Turn a table into text: columns with their header and whether they hold numbers, and rows of cells."""
    columns = [
        {"header": (headers or {}).get(name, name), "number": pd.api.types.is_numeric_dtype(frame[name])}
        for name in frame.columns
    ]
    return {"columns": columns, "rows": [[_cell(value) for value in row] for row in frame.itertuples(index=False)]}


def _cell(value):
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return str(value)


def _as_html(markdown):
    """Turn Markdown into HTML whose headings are one level lower, and whose wide tables scroll by themselves."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + 1}"
    html = parser.renderer.render(tokens, parser.options, {})
    box = '<div class="scroll" role="region" aria-label="Table of the ledger" tabindex="0"><table>'
    return html.replace("<table>", box).replace("</table>", "</table></div>")
