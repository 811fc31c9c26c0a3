"""One self-contained page of a run: figures, tables, scorecard, data, run times, versions, ledger."""

import base64
import io
import platform
from importlib import metadata
from pathlib import Path

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from PIL import Image

from deepr.runtime import write_atomically
from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE
from deepr.tables import read_table

IMAGE_WIDTH_PX = 1300
PACKAGES = (
    *("deepr", "snakemake", "tensorflow", "tensorflow-cpu", "keras", "numpy", "scipy", "scikit-image"),
    *("pandas", "matplotlib", "pystackreg", "tifffile"),
)
_COLOURS = {HOLDS: "holds", FAILS: "fails", UNTESTABLE: "untestable"}


def write_report(
    output_path,
    template_path,
    figures,
    tables,
    captions_folder,
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
        PNG of each figure, by its name.
    tables : dict of str to path
        TSV of each table, by its name.
    captions_folder : str or Path
        Holds {name}.rst for each.
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
    """
    scorecard = read_table(scorecard_path)
    counts = scorecard["verdict"].value_counts()
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        Path(template_path).read_text(encoding="utf-8")
    )
    page = template.render(
        scale=scale,
        seed=seed,
        sources=", ".join(sorted({row["source"] for row in data_sets})),
        verdicts=f"Of {len(scorecard)} claims "
        + ", ".join(f"{counts.get(verdict, 0)} {words}" for verdict, words in _words().items())
        + ".",
        figures=[
            {"name": name, "image": _as_base64(path), "caption": _caption(captions_folder, name)}
            for name, path in figures.items()
        ],
        tables=[
            {"name": name, "table": _as_html(read_table(path)), "caption": _caption(captions_folder, name)}
            for name, path in tables.items()
        ],
        scorecard=[{**row, "colour": _COLOURS[row["verdict"]]} for row in scorecard.fillna("").to_dict("records")],
        data_sets=_as_html(pd.DataFrame(data_sets)),
        times=_as_html(summarise_benchmarks(benchmarks_folder)),
        versions=_as_html(pd.DataFrame(_versions(), columns=["package", "version"])),
        ledger=MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .render(Path(ledger_path).read_text(encoding="utf-8")),
    )
    with write_atomically(output_path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _words():
    return {HOLDS: "hold", FAILS: "do not hold", UNTESTABLE: "cannot be tested at this scale"}


def summarise_benchmarks(folder):
    """Add up Snakemake's benchmark files by stage.

    Parameters
    ----------
    folder : str or Path
        Benchmark files lie in any depth below; a stage is the deepest folder that is no data set or
        network, which is the folder's name or the file's.

    Returns
    -------
    DataFrame
        stage, jobs, wall_s (sum), cpu_s (sum), max_rss_mb (of the largest job); the longest first.
    """
    rows = []
    for path in sorted(Path(folder).rglob("*.tsv")):
        frame = pd.read_csv(path, sep="\t", na_values="-")
        if {"s", "max_rss", "cpu_time"} <= set(frame.columns):
            stage = _stage_of(path.relative_to(folder).with_suffix("").parts)
            rows.append((stage, frame["s"].iloc[-1], frame["cpu_time"].iloc[-1], frame["max_rss"].iloc[-1]))
    frame = pd.DataFrame(rows, columns=["stage", "s", "cpu", "rss"])
    sums = frame.groupby("stage").agg(
        jobs=("s", "size"), wall_s=("s", "sum"), cpu_s=("cpu", "sum"), max_rss_mb=("rss", "max")
    )
    return sums.round(1).sort_values("wall_s", ascending=False).reset_index()


def _stage_of(parts):
    """Name a benchmark's stage: figures and tables by themselves, the rest without data set, network or slide."""
    if parts[0] in ("figures", "tables", "scorecard", "predictions", "own", "tilt"):
        return parts[0]
    if parts[0] == "networks":
        return f"{parts[-1]} network"
    return parts[1] if len(parts) > 1 else parts[0]


def _versions():
    found = [("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            # Each step may have an environment of its own, and no more than it needs.
            continue
    return found


def _as_base64(path):
    with Image.open(path) as image:
        image = image.convert("RGB")
        if image.width > IMAGE_WIDTH_PX:
            height = round(image.height * IMAGE_WIDTH_PX / image.width)
            image = image.resize((IMAGE_WIDTH_PX, height), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _caption(folder, name):
    return " ".join((Path(folder) / f"{name}.rst").read_text(encoding="utf-8").split())


def _as_html(frame):
    return frame.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.4g}")
