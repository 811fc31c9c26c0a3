"""The report: one page that needs nothing else."""

import re
import shutil
import subprocess

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from deepr.report import summarise_benchmarks, write_report
from deepr.scorecard.rows import COLUMNS, FAILS, HOLDS
from deepr.tables import write_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Says in the page itself whether each image was drawn, and what went wrong.
PROBE = """<script>
const faults = [];
window.addEventListener("error", event => faults.push(String(event.message || event.target.tagName)), true);
window.addEventListener("load", () => {
  const drawn = [...document.images].filter(image => image.complete && image.naturalWidth > 0).length;
  document.body.dataset.drawn = drawn; document.body.dataset.faults = faults.length;
});
</script>"""


@pytest.fixture
def page(tmp_path, repository):
    """A report of two figures and one table."""
    figures = {}
    for name in ("fig2", "figS8"):
        figures[name] = tmp_path / f"{name}.png"
        matplotlib.image.imsave(figures[name], np.random.default_rng(0).random((40, 1600)))
    write_table(pd.DataFrame({"Data set": ["ovary"], "FOVs": [16]}), tmp_path / "tableS1.tsv")
    card = pd.DataFrame(
        [
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
    output = tmp_path / "report.html"
    write_report(
        output,
        repository / "workflow/report/page.html.jinja",
        figures,
        {"tableS1": tmp_path / "tableS1.tsv"},
        repository / "workflow/report",
        tmp_path / "scorecard.tsv",
        tmp_path / "benchmarks",
        repository / "docs/assumptions.md",
        [{"data set": "ovary", "source": "simulated"}],
        "tiny",
        7,
    )
    return output


def test_the_page_holds_everything_and_loads_nothing(page):
    """Figures are in it as data, claims are escaped, verdicts counted, and no address is loaded."""
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 2
    assert not re.search(r'(?:src|href)="(?!data:|#)[^"]*\.(?:png|css|js)', text)
    assert "output &lt; input &amp; better" in text
    assert "Of 2 claims 1 hold, 1 do not hold, 0 cannot be tested" in text
    assert "Ledger of assumptions" in text and "<td>16</td>" in text
    assert "Losses" in text or "losses" in text  # the caption of Figure S8


def test_run_times_are_added_up_by_stage(page):
    """Two acquisitions are one line; the largest sum comes first."""
    times = summarise_benchmarks(page.parent / "benchmarks")
    assert list(times["stage"]) == ["train network", "acquire"]
    assert list(times["jobs"]) == [1, 2]
    assert list(times["wall_s"]) == [60.0, 10.0]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_draws_every_figure(page):
    """Headless Chromium draws both images and finds no fault."""
    probed = page.with_name("probed.html")
    probed.write_text(page.read_text().replace("<head>", f"<head>{PROBE}", 1))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=5000"]
    result = subprocess.run(
        [CHROMIUM, *options, "--dump-dom", probed.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert 'data-drawn="2"' in result.stdout
    assert 'data-faults="0"' in result.stdout
    assert "CONSOLE" not in result.stderr
