"""The report: one page that needs nothing else."""

import itertools
import re

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from deepr.report import read_caption, write_report
from deepr.run_times import summarise_benchmarks
from deepr.scorecard.rows import COLUMNS, FAILS, HOLDS
from deepr.tables import InputError, write_table

FACTS = {
    "params": {"data_source": "simulated", "scale": "tiny"},
    "wildcards": {"network": "mine_5", "dataset": "cells"},
}


@pytest.fixture
def ingredients(tmp_path, repository):
    """What a report of four figures and one table is made of."""
    figures = {}
    for name in ("own_networks/cells", "own/mine_5/cells", "figS8", "fig2"):
        figures[name] = tmp_path / f"{name.replace('/', '-')}.png"
        matplotlib.image.imsave(figures[name], np.random.default_rng(0).random((40, 2000)))
    write_table(pd.DataFrame({"dataset": ["ovary"], "fovs": [16], "area_mm2": [0.25]}), tmp_path / "tableS1.tsv")
    card = pd.DataFrame(
        [
            ("ovary_truth", "a third", "2", "1", HOLDS, "", "simulated", "tiny"),
            ("figTransfer", "a fourth", "2", "1", HOLDS, "", "simulated", "tiny"),
            ("fig2", "output < input & better", "0.9", "1", HOLDS, "", "simulated", "tiny"),
            ("fig2", "another", "0.1", "1", FAILS, "", "simulated", "tiny"),
        ],
        columns=list(COLUMNS),
    )
    write_table(card, tmp_path / "scorecard.tsv")
    for name, seconds in (("ovary/acquire/training1", 4.0), ("ovary/acquire/test1", 6.0), ("networks/a/train", 60.0)):
        path = tmp_path / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:01\t100\t{2 * seconds}\n")
    return {
        "output_path": tmp_path / "report.html",
        "template_path": repository / "workflow/report/page.html.jinja",
        "figures": figures,
        "tables": {"tableS1": tmp_path / "tableS1.tsv"},
        "captions": sorted((repository / "workflow/report").glob("*.rst")),
        "sources": {name: "own" if "/" in name else "simulated" for name in (*figures, "tableS1")},
        "scorecard_path": tmp_path / "scorecard.tsv",
        "benchmarks_folder": tmp_path / "benchmarks",
        "ledger_path": repository / "docs/assumptions.md",
        "data_sets": [{"data set": "ovary", "source": "simulated", "patch_px": 64}],
        "scale": "tiny",
        "seed": 7,
    }


@pytest.fixture
def page(ingredients):
    """A report of four figures and one table."""
    write_report(**ingredients)
    return ingredients["output_path"]


def test_the_page_holds_everything_and_loads_nothing(page):
    """Figures are in it as data, claims are escaped, verdicts counted, and no address is loaded."""
    text = page.read_text()
    assert text.count("data:image/webp;base64,") == 4
    assert not re.search(r"""(?:src|href)=["']?(?!["']?(?:data:|\#))|url\(|@import""", text)
    assert "output &lt; input &amp; better" in text
    assert re.search(r"Of 4 claims: .*>3 hold<.*>1 do not hold<", text)
    assert "Ledger of assumptions" in text and '<td class="number">16</td>' in text
    assert "Losses of a training" in text  # the title of Figure S8
    assert "trainings of the tiny scale last seconds" in text


def test_the_contents_list_leads_to_every_section(page):
    """Each of its links, and each link to claims, has a place in the page; figures come in the paper's order."""
    text = page.read_text()
    links = re.findall(r'href="#([^"]+)"', text)
    assert {"fig2", "figS8", "own-mine_5-cells", "tableS1", "scorecard", "data", "times", "versions", "ledger"} <= set(
        links
    )
    places = re.findall(r' id="([^"]+)"', text)
    assert set(links) <= set(places)
    assert len(set(places)) == len(places)
    claims = re.findall(r'id="claims-([^"]+)"', text)
    assert claims == ["fig2", "figTransfer", "ovary_truth"]
    sections = re.findall(r'<section id="([^"]+)"', text)
    assert sections[:5] == ["fig2", "figS8", "own-mine_5-cells", "own_networks-cells", "tableS1"]


def test_the_page_tells_a_screen_reader_what_it_is(page):
    """It has a language, a title, one first heading above no gap of levels, and a description of each image."""
    text = page.read_text()
    assert '<html lang="en">' in text
    assert re.search(r"<title>Deep-R: .+</title>", text)
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    descriptions = re.findall(r'<img [^>]*alt="([^"]*)"', text)
    assert len(descriptions) == 4 and descriptions[0].startswith("Figure 2: Defocused ovary tissue refocused")
    assert descriptions[2].startswith("Own stacks: cells refocused by the network mine_5")
    assert descriptions[3].startswith("Own stacks: cells, all networks side by side")


def test_claims_stand_with_their_figure(page):
    """Figure 2 has one that holds and one that does not, Figure S8 has none here."""
    sections = dict(re.findall(r'<section id="(fig\w+)">(.*?)</section>', page.read_text(), re.S))
    assert "1 hold" in sections["fig2"] and "1 do not hold" in sections["fig2"]
    assert "Claims" not in sections["figS8"]


def test_a_figure_without_caption_is_refused(ingredients):
    """The sentence names the figure and the file that it lacks."""
    ingredients["captions"] = [path for path in ingredients["captions"] if path.stem != "figS8"]
    with pytest.raises(InputError, match=r"figS8: no caption figS8\.rst"):
        write_report(**ingredients)


def test_a_caption_without_title_is_refused(tmp_path):
    """The sentence names the file and what its first line shall be."""
    (tmp_path / "fig2.rst").write_text("A sentence.\n")
    with pytest.raises(InputError, match=r"fig2\.rst: found 'A sentence.*wanted a line"):
        read_caption(tmp_path / "fig2.rst", FACTS)


def test_every_caption_is_one_sentence_that_names_its_data(repository):
    """Each ends with its only full stop and says data and scale; what it names of a job is put in."""
    for path in (repository / "workflow/report").glob("*.rst"):
        if path.stem in ("workflow", "scorecard"):
            continue
        title, caption = read_caption(path, FACTS)
        assert title and "{" not in title + caption
        assert re.fullmatch(r"[A-Z](?:[^.]|\.\d)+\.", caption), path
        assert "scale: tiny" in caption
        assert "data: simulated" in caption or path.stem in ("figS9", "tableS1")
    title, _ = read_caption(repository / "workflow/report/own.rst", FACTS)
    assert "cells" in title and "mine_5" in title


def test_run_times_are_added_up_by_stage(page):
    """Two acquisitions are one line; the largest sum comes first."""
    times = summarise_benchmarks(page.parent / "benchmarks")
    assert list(times["stage"]) == ["train network", "acquire"]
    assert list(times["jobs"]) == [1, 2]
    assert list(times["wall_s"]) == [60.0, 10.0]


@pytest.mark.parametrize(
    ("place", "stage"),
    [
        ("ovary/edof/test1", "edof"),
        ("ovary/manifest", "manifest"),
        ("networks/ovary_5/train", "train network"),
        ("autofocus/breast_5", "autofocus"),
        ("depth/decoder/breast", "depth"),
        ("virtual/deepz_10/beads_10/beads/stacks", "virtual"),
        ("deconvolution/ovary", "deconvolution"),
        ("report", "report"),
    ],
)
def test_a_stage_is_named_without_data_set_network_or_slide(tmp_path, place, stage):
    """As the folders of the benchmarks lie."""
    path = tmp_path / f"{place}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("s\th:m:s\tmax_rss\tcpu_time\n1\t0:00:01\t100\t2\n")
    assert list(summarise_benchmarks(tmp_path)["stage"]) == [stage]


def test_a_browser_draws_every_figure(page, browse):
    """All four images are drawn, nothing is said or fetched, and a phone need not scroll sideways."""
    seen = browse(page, width=390)
    assert len(seen["images"]) == 4
    for image in seen["images"]:
        assert (image["width"], image["height"]) == (1600, 32)
        assert image["ink"] > 0.5 and image["shown"] == 700
    assert seen["console"] == []
    assert seen["fetched"] == []
    assert seen["page_width"] <= seen["window_width"]


@pytest.mark.parametrize("guarded", [True, False])
def test_a_browser_sees_what_is_broken(page, browse, guarded):
    """A failing script, an image and a style from elsewhere show, whether the page itself forbids them or not."""
    text = page.read_text()
    if not guarded:
        text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    text = text.replace("<body>", "<body><script>nothing.here()</script>", 1)
    text = text.replace("<main>", '<main><img src="http://127.0.0.1:9/a.png">', 1)
    text = text.replace("</style>", '</style><link rel="stylesheet" href="http://127.0.0.1:9/a.css">', 1)
    page.write_text(text)
    seen = browse(page)
    found = " ".join([*seen["console"], *seen["fetched"]])
    for fault in ("inline script violates" if guarded else "ReferenceError", "/a.png", "/a.css"):
        assert fault in found


def test_a_blank_image_has_no_ink(ingredients, browse):
    """An image of one colour is told from a drawn one, and a damaged one from both."""
    matplotlib.image.imsave(ingredients["figures"]["fig2"], np.ones((40, 200)))
    write_report(**ingredients)
    page = ingredients["output_path"]
    head, _, tail = page.read_text().rpartition("data:image/webp;base64,")
    page.write_text(f"{head}data:image/webp;base64,AAAA{tail}")
    blank, *drawn, damaged = browse(page)["images"]
    assert blank["width"] > 0 and blank["ink"] == 0
    assert all(image["ink"] > 0.5 for image in drawn)
    assert damaged["width"] == 0
