"""A wrong config or sheet stops before any job, with one sentence that names what is wrong."""

import re
import subprocess

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
    return r"unknown key 'iteration' at training; did you mean 'iterations'\?"


def missing_file(own):
    own["rows"][1][4] = "nothing.tif"
    return r"stacks\.tsv, line 3, column path: found no file .*nothing\.tif, wanted a z-stack"


def two_rows_for_a_field(own):
    own["rows"][1][2] = "a"
    return r"line 3, column fov: found mine/s1/a again, wanted each field once \(first on line 2\)"


def slide_in_two_splits(own):
    own["rows"][1][3] = "test"
    return r"line 3, column split: found 'test', wanted 'train' as on line 2 for the same slide mine/s1"


def write_networks(own, *rows):
    lines = ["name\tkind\tdatasets\trange_um\tstart_from", *("\t".join(row) for row in rows)]
    (own["folder"] / "networks.tsv").write_text("\n".join(lines) + "\n")


def unknown_dataset(own):
    write_networks(own, ["mine_3", "deepr", "yours", "3", ""])
    return r"networks\.tsv, line 2, column datasets: found 'yours', wanted one of mine"


def range_beyond_the_stack(own):
    write_networks(own, ["mine_3", "deepr", "mine", "9", ""])
    return r"line 2, a\.tif: found planes over 6 um, wanted at least 18 um for a network with range_um 9"


def range_below_the_step(own):
    write_networks(own, ["mine_3", "deepr", "mine", "0.5", ""])
    return r"line 2, a\.tif: found planes 1 um apart, wanted at most 0\.5 um, .* would see the focus plane alone"


def start_from_an_unknown_network(own):
    write_networks(own, ["mine_3", "deepr", "mine", "3", "../results/networks/breast_5"])
    return r"networks\.tsv, line 2, column start_from: found no file .*breast_5/generator\.keras, wanted the folder of"


def commas_for_tabs(own):
    (own["folder"] / "networks.tsv").write_text("name,kind,datasets,range_um\nmine_3,deepr,mine,3\n")
    return r"networks\.tsv: found no tab in the header 'name,kind,datasets,range_um', wanted tab-separated text"


def truncated_file(own):
    path = own["folder"] / "b.tif"
    path.write_bytes(path.read_bytes()[:5000])
    return r"line 3, .*b\.tif: found a truncated .*, wanted "


def one_plane(own):
    own["rows"][1][5] = "YX"
    tifffile.imwrite(own["folder"] / "b.tif", np.ones((80, 80), np.uint16))
    return r"line 3, b\.tif: found one plane only, wanted a z-stack of two or more"


def wrong_axes(own):
    own["rows"][1][5] = "ZCYX"
    return r"line 3, b?.*b\.tif: found 3 dimensions \(7 x 80 x 80\), wanted 4 as axes ZCYX says"


def colour_called_planes(own):
    tifffile.imwrite(own["folder"] / "b.tif", np.ones((80, 80, 3), np.uint8), photometric="rgb")
    return r"line 3, .*b\.tif: found axes YXS, wanted ZYX as the sheet says"


def field_smaller_than_a_patch(own):
    tifffile.imwrite(own["folder"] / "b.tif", np.ones((7, 40, 80), np.uint16))
    return r"line 3, b\.tif: found a field of 40 x 80 px, wanted at least 64 x 64 px \(patch_px\)"


def nothing_to_train_on(own):
    for row in own["rows"]:
        row[3] = "test"
    return r"network 'mine_3': .* 'mine' has nothing to train on; wanted rows of stacks\.tsv with split train"


def nothing_to_test_on(own):
    for row in own["rows"]:
        row[3] = "train"
    return r"network 'mine_3': .* 'mine' has nothing to test on; wanted a slide with split test in stacks\.tsv"


def a_single_training_field(own):
    del own["rows"][1]
    return r"network 'mine_3': data set 'mine' has 1 training field, .*; wanted 2 or more"


def a_network_named_as_a_rule(own):
    write_networks(own, ["train_network", "deepr", "mine", "3", ""])
    return r"networks\.tsv: found a network 'train_network', wanted a name that is no rule or target of the workflow"


def a_network_named_as_a_later_target(own):
    write_networks(own, ["manifests", "deepr", "mine", "3", ""])
    return r"networks\.tsv: found a network 'manifests', wanted a name that is no rule or target of the workflow"


def a_name_with_a_blank(own):
    write_networks(own, ["mine 3", "deepr", "mine", "3", ""])
    return r"networks\.tsv, line 2, column name: found 'mine 3', wanted a name"


@pytest.mark.parametrize(
    "mistake",
    [
        unknown_key,
        missing_file,
        two_rows_for_a_field,
        slide_in_two_splits,
        unknown_dataset,
        range_beyond_the_stack,
        range_below_the_step,
        start_from_an_unknown_network,
        commas_for_tabs,
        truncated_file,
        one_plane,
        wrong_axes,
        colour_called_planes,
        field_smaller_than_a_patch,
        nothing_to_train_on,
        nothing_to_test_on,
        a_single_training_field,
        a_network_named_as_a_rule,
        a_network_named_as_a_later_target,
        a_name_with_a_blank,
    ],
)
def test_a_mistake_is_named_before_any_job(snakemake, own, mistake):
    """Planning fails, one line names the culprit with what was found and wanted, and nothing is written."""
    sentence = mistake(own)
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--", "manifests")
    assert code != 0
    assert sum(bool(re.search(sentence, line)) for line in output.splitlines()) == 1, output
    assert "Traceback" not in output
    assert "import_slide" not in output
    assert not (own["folder"] / "results").exists()


def test_the_target_own_is_no_success_without_own_networks(snakemake, own):
    """Whoever forgets --configfile, or to name the data set in the sheet of networks, is told so."""
    write_networks(own)
    for arguments in ((), ("--configfile", own["write"]())):
        code, output = snakemake(own["folder"], "--dry-run", *arguments, "--", "own")
        assert code != 0
        assert (
            sum("target own: this config has no network on stacks of your own" in line for line in output.splitlines())
            == 1
        )


def test_a_plain_run_brings_the_figures_of_own_stacks(snakemake, own):
    """Without a target, everything that the config can give is planned."""
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--dry-run")
    assert code == 0, output
    for rule in ("draw_own_figure", "compare_own_networks", "summarise_own_tests", "test_network"):
        assert re.search(rf"^{rule} +1$", output, re.M), rule


def test_pixels_that_contradict_the_files_are_told(snakemake, own):
    """Nanometres for micrometres: one line, and the plan stands."""
    for path in own["folder"].glob("*.tif"):
        calibration = {"unit": "um", "axes": "ZYX", "spacing": 1.0}
        tifffile.imwrite(path, tifffile.imread(path), imagej=True, resolution=(1 / 0.65,) * 2, metadata=calibration)
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--dry-run", "--", "manifests")
    assert code == 0, output
    (told,) = [line for line in output.splitlines() if "stacks.tsv" in line]
    assert "line 2, a.tif: pixel_um is 0.325, but the file says 0.65 um (3 of 3 rows differ)" in told


def test_what_may_be_meant_is_told_and_planned(snakemake, own):
    """Rows of another data set, and fields hardly larger than a patch: one line each, and the plan stands."""
    own["rows"].append(["yours", *own["rows"][0][1:]])
    own["config"]["datasets"]["mine"]["patch_px"] = 96
    own["config"]["training"]["crop_px"] = 64
    for field in ("a", "b", "c"):
        tifffile.imwrite(own["folder"] / f"{field}.tif", np.ones((7, 100, 120), np.uint16))
    own["rows"][3][4] = "d.tif"
    tifffile.imwrite(own["folder"] / "d.tif", np.ones((7, 100, 120), np.uint16))
    code, output = snakemake(own["folder"], "--configfile", own["write"](), "--dry-run", "--", "manifests")
    assert code == 0, output
    told = [line for line in output.splitlines() if "stacks.tsv" in line]
    assert len(told) == 2, output
    assert told[0].endswith("1 row not used, of data sets that the config does not have (yours)")
    assert "a.tif: found a field only 4 px larger than patch_px 96, as 3 of 3 fields of mine" in told[1]


def test_a_full_disk_stops_the_import_and_the_same_call_goes_on(snakemake, own, small_disk):
    """No room for a slide: one sentence, nothing half-written; with room the run goes on."""
    results = small_disk("results", 80)
    arguments = ("--configfile", own["write"](), "--", "results/mine/aligned/s2.ome.tif")
    code, output = snakemake(own["folder"], *arguments)
    assert code != 0
    told = [line for line in output.splitlines() if re.match("(import|align)_slide:", line)]
    assert len(told) == 1 and re.search(r"could not be written \(.+\), wanted room", told[0]), output
    assert not [path for path in results.rglob("*.tif")]
    remount = ["mount", "-o", "remount,size=20000k", str(results)]
    subprocess.run(remount, check=True)
    code, output = snakemake(own["folder"], *arguments)
    assert code == 0, output
    assert [path.name for path in results.rglob("*.tif")] == ["s2.ome.tif"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.nan, "found NaN or infinite pixels in plane 3, wanted finite ones"),
        (np.inf, "found NaN or infinite pixels in plane 3, wanted finite ones"),
        (7.0, "found plane 3 constant (all pixels 7), wanted an image with structure"),
    ],
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
    assert f"stacks.tsv, line 3, b.tif: {sentence}" in told[0]
    assert not list(own["folder"].glob("results/**/*s1.ome.tif"))


def test_a_damaged_file_of_an_earlier_step_is_named(snakemake, own):
    """An aligned slide that was cut: one sentence with the way out, which leads to the same result."""
    aligned, fused = (own["folder"] / "results/mine" / step / "s2.ome.tif" for step in ("aligned", "edof"))
    arguments = ("--configfile", own["write"](), "--", fused.relative_to(own["folder"]))
    code, output = snakemake(own["folder"], *arguments)
    assert code == 0, output
    before = fused.read_bytes()
    aligned.write_bytes(aligned.read_bytes()[:3000])
    code, output = snakemake(own["folder"], *arguments)
    assert code != 0
    (told,) = [line for line in output.splitlines() if line.startswith("fuse_extended_depth_of_field:")]
    assert "results/mine/aligned/s2.ome.tif: a TIFF file that is truncated" in told
    assert "delete it and run the same command" in told
    aligned.unlink()
    code, output = snakemake(own["folder"], *arguments)
    assert code == 0, output
    assert fused.read_bytes() == before


HOSTILE = """it's "mine"; touch x; $(touch x) `touch x` & | > x"""


def test_names_of_files_reach_no_shell(snakemake, own, repository):
    """Folders, files and channels named like commands: the slide is made, and nothing is executed."""
    here = set(repository.iterdir())
    folder = own["folder"] / HOSTILE
    for row in own["rows"]:
        row[4], row[6] = f"{HOSTILE} {row[4]}", HOSTILE.replace('"', "")
    own["config"]["networks"], own["config"]["stacks"] = f"{HOSTILE}.networks.tsv", f"{HOSTILE}.stacks.tsv"
    own["write"]()
    folder.mkdir()
    for name in ("networks.tsv", "stacks.tsv", "a.tif", "b.tif", "c.tif"):
        (own["folder"] / name).rename(folder / (f"{HOSTILE}.{name}" if name.endswith("tsv") else f"{HOSTILE} {name}"))
    config = (own["folder"] / "own.yaml").rename(folder / f"{HOSTILE}.yaml")
    code, output = snakemake(folder, "--configfile", config, "--", "results/mine/aligned/s2.ome.tif")
    assert code == 0, output
    assert (folder / "results/mine/aligned/s2.ome.tif").is_file()
    assert not [path for path in own["folder"].rglob("*") if path.name == "x"]
    assert set(repository.iterdir()) == here


def test_a_config_that_names_an_object_of_python_is_not_read(snakemake, own):
    """YAML is read as plain values: nothing is built, and nothing planned."""
    path = own["write"]()
    path.write_text(path.read_text() + f"seed: !!python/object/apply:os.mkdir ['{own['folder'] / 'made'}']\n")
    code, output = snakemake(own["folder"], "--configfile", path, "--dry-run", "--", "manifests")
    assert code != 0
    assert "Config file is not valid JSON or YAML" in output
    assert not (own["folder"] / "made").exists()
