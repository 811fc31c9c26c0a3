"""What tests share: folders that they read from, a browser, files as microscopes write them."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile

REPOSITORY = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Runs first in the page and writes at its end what was drawn and what was fetched. Ink is the share of an image's
# pixels that are not of its commonest colour.
PROBE = """<script>
addEventListener("load", () => {
  const images = [...document.images].map(image => {
    const canvas = document.createElement("canvas");
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    let ink = 0;
    if (width > 0) {
      [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
      const counts = new Map();
      for (let i = 0; i < pixels.length; i += 7) counts.set(pixels[i], (counts.get(pixels[i]) || 0) + 1);
      ink = 1 - Math.max(...counts.values()) / Math.ceil(pixels.length / 7);
    }
    return {alt: image.alt, width, height, shown: image.getBoundingClientRect().width, ink};
  });
  const report = document.createElement("pre");
  report.id = "probe";
  report.textContent = JSON.stringify({
    images,
    fetched: performance.getEntriesByType("resource").map(entry => entry.name),
    page_width: document.documentElement.scrollWidth,
    window_width: innerWidth,
  });
  document.body.append(report);
});
</script>"""


@pytest.fixture(scope="session")
def repository():
    """Root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def golden():
    """Outputs of the original programs."""
    return REPOSITORY / "tests" / "golden" / "data"


@pytest.fixture(scope="session")
def copy_of_repository(repository):
    """Copy what the workflow needs into a folder, where a run may write beside it."""

    def copy(folder):
        for name in ("Snakefile", "workflow", "config", "envs", "profiles", "docs", "tests/config", "tests/conda"):
            source = repository / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        return folder

    return copy


@pytest.fixture(scope="session")
def rules(repository, tmp_path_factory):
    """Read the rules that execute something, as Snakemake does; in a process of its own, for it changes its own."""
    result = subprocess.run(
        [
            *(sys.executable, "tests/conda/list_rules.py", "Snakefile", "tests/config/config.yaml"),
            tmp_path_factory.mktemp("nothing"),
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of so many kilobytes below the test's folder, where mounting is allowed."""
    mounted = []

    def mount(name, kilobytes):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no command mount")
        if result.returncode != 0:
            pytest.skip(f"mounting is not allowed here: {result.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        # Lazily, for a library that failed may hold its half-written file open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="session")
def real_data():
    """Real z-stacks, which are not part of the repository: where DEEPR_REAL_DATA says, or beside the checkout."""
    named = os.environ.get("DEEPR_REAL_DATA")
    folder = Path(named) if named else REPOSITORY / "../shared/data/real"
    if not folder.is_dir():
        if named:
            pytest.fail(f"DEEPR_REAL_DATA is {named}; wanted a folder of real z-stacks")
        pytest.skip("no real z-stacks: the environment variable DEEPR_REAL_DATA may name their folder")
    return folder.resolve()


@pytest.fixture
def browse(tmp_path):
    """Open a page in headless Chromium: images as drawn, addresses fetched, widths, and what the console says."""
    if CHROMIUM is None:
        pytest.skip("no browser: install Chromium (Debian: apt-get install chromium) to look at pages")

    def open_page(path, width=1280):
        probed = tmp_path / "probed.html"
        text = Path(path).read_text(encoding="utf-8")
        assert text.count("<head>") == 1
        probed.write_text(text.replace("<head>", f"<head>{PROBE}"), encoding="utf-8")
        command = [
            *(CHROMIUM, "--headless", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900"),
            *(f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=60000", "--dump-dom", probed.as_uri()),
        ]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")
        result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        found = re.search(r'<pre id="probe">(.*?)</pre>', result.stdout, re.S)
        assert found, f"the page did not finish loading\n{result.stderr[-2000:]}"
        console = re.findall(r"CONSOLE[^\]]*\] (.*)", result.stderr)
        return {**json.loads(html.unescape(found[1])), "console": console}

    return open_page


@pytest.fixture
def write_plane_by_plane():
    """Write a stack of uint16 as some microscopes do: a file per plane, whose OME-XML names the files of all."""

    def write(folder, stack, **keywords):
        names = [f"a_z{number}.ome.tif" for number in range(len(stack))]
        files = "".join(
            f'<TiffData FirstZ="{number}" IFD="0" PlaneCount="1">'
            f'<UUID FileName="{name}">urn:uuid:{number}</UUID></TiffData>'
            for number, name in enumerate(names)
        )
        height, width = stack.shape[1:]
        sizes = f'SizeX="{width}" SizeY="{height}" SizeC="1" SizeZ="{len(stack)}" SizeT="1" PhysicalSizeX="0.325"'
        schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
        for number, name in enumerate(names):
            description = (
                f'<?xml version="1.0"?><OME xmlns="{schema}" UUID="urn:uuid:{number}"><Image ID="Image:0">'
                f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" {sizes} PhysicalSizeY="0.325">'
                f'<Channel ID="Channel:0" SamplesPerPixel="1"/>{files}</Pixels></Image></OME>'
            )
            tifffile.imwrite(folder / name, stack[number], description=description, metadata=None, **keywords)
        return [folder / name for name in names]

    return write
