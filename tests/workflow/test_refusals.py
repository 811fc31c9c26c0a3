"""A wrong config or sheet stops before any job, with one sentence that names what is wrong."""

import numpy as np
import pytest
import tifffile
import yaml

pytestmark = pytest.mark.workflow


@pytest.fixture
def own(tmp_path, repository):
    """A config of a person's own stacks that is right; tests break it."""
    rng = np.random.default_rng(0)
    for field in ("a", "b", "c"):
        tifffile.imwrite(tmp_path / f"{field}.tif", rng.integers(0, 1000, (7, 80, 80), dtype=np.uint16))
    (tmp_path / "networks.tsv").write_text("name\tkind\tdatasets\trange_um\tstart_from\nmine_3\tdeepr\tmine\t3\t\n")
    header = "dataset slide fov split path axes channel pixel_um step_um z_um objective".split()
    rows = [
        ["mine", "s1", "a", "train", "a.tif", "ZYX", "DAPI", "0.325", "1", "", "20x/0.75"],
        ["mine", "s1", "b", "train", "b.tif", "ZYX", "DAPI", "0.325", "1", "", "20x/0.75"],
        ["mine", "s2", "c", "test", "c.tif", "ZYX", "DAPI", "0.325", "1", "", "20x/0.75"],
    ]
    config = {
        "networks": "networks.tsv",
        "stacks": "stacks.tsv",
        "datasets": {"mine": {"source": "stacks", "patch_px": 64}},
        "training": {"crop_px": 64},
    }

    def write():
        (tmp_path / "stacks.tsv").write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / "own.yaml"

    return {"folder": tmp_path, "config": config, "rows": rows, "header": header, "write": write}


def test_the_unbroken_one_is_planned(snakemake, own):
    """The fixture itself is right, so that what the tests below see is their own change."""
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--dry-run", "--", "manifests")
    assert code == 0, output
    assert "import_slide" in output


def unknown_key(own):
    own["config"]["training"]["iteration"] = 3
    return r"unknown key 'iteration' at training; did you mean 'iterations'?"


def missing_file(own):
    own["rows"][1][4] = "nothing.tif"
    return "nothing.tif"


def two_rows_for_a_field(own):
    own["rows"][1][2] = "a"
    return "mine/s1/a again"


def slide_in_two_splits(own):
    own["rows"][1][3] = "test"
    return "found 'test', wanted 'train'"


def unknown_dataset(own):
    (own["folder"] / "networks.tsv").write_text(
        "name\tkind\tdatasets\trange_um\tstart_from\nmine_3\tdeepr\tyours\t3\t\n"
    )
    return "found 'yours', wanted one of"


def range_beyond_the_stack(own):
    (own["folder"] / "networks.tsv").write_text(
        "name\tkind\tdatasets\trange_um\tstart_from\nmine_3\tdeepr\tmine\t9\t\n"
    )
    return "range_um"


def truncated_file(own):
    path = own["folder"] / "b.tif"
    path.write_bytes(path.read_bytes()[:5000])
    return "b.tif"


def one_plane(own):
    tifffile.imwrite(own["folder"] / "b.tif", np.ones((80, 80), np.uint16))
    return "b.tif"


def wrong_axes(own):
    own["rows"][1][5] = "ZCYX"
    return "b.tif"


def field_smaller_than_a_patch(own):
    tifffile.imwrite(own["folder"] / "b.tif", np.ones((7, 40, 80), np.uint16))
    return "b.tif"


@pytest.mark.parametrize(
    "mistake",
    [
        unknown_key,
        missing_file,
        two_rows_for_a_field,
        slide_in_two_splits,
        unknown_dataset,
        range_beyond_the_stack,
        truncated_file,
        one_plane,
        wrong_axes,
        field_smaller_than_a_patch,
    ],
)
def test_a_mistake_is_named_before_any_job(snakemake, own, mistake):
    """Planning fails, one line names the culprit, nothing is planned and nothing is written."""
    sentence = mistake(own)
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--", "manifests")
    assert code != 0
    assert any(sentence in line for line in output.splitlines()), output
    assert "Traceback" not in output
    assert "import_slide" not in output
    assert not (own["folder"] / "results").exists()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (7.0, "constant")],
)
def test_pixels_that_cannot_be_used_stop_the_import(snakemake, own, value, sentence):
    """NaN, infinity and a constant image are found when the slide is read, the first of all jobs."""
    stack = np.random.default_rng(1).random((7, 80, 80)).astype(np.float32)
    stack[3] = np.where(np.isfinite(value), value, stack[3])
    stack[3, 5, 5] = value
    tifffile.imwrite(own["folder"] / "b.tif", stack)
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--", "manifests")
    assert code != 0
    told = [line for line in output.splitlines() if line.startswith("import_slide:")]
    assert len(told) == 1, output
    assert "b.tif" in told[0]
    assert sentence in told[0]
    assert not list(own["folder"].glob("results/**/*s1.ome.tif"))
