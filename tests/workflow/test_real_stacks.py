"""Real stacks that somebody brings, from the sheet to the manifest."""

import csv

import numpy as np
import pytest
import yaml

pytestmark = pytest.mark.workflow

# Sharpest plane of each field, from 0, by normalised variance and by gradient energy alike.
SHARPEST = {("microspheres", "s1"): 4, ("microspheres", "s2"): 4, ("beads", "f1"): 17}


@pytest.fixture
def own(tmp_path, real_data):
    """Microspheres (16 bit, 10 planes 5 um apart) and beads (8 bit, 34 planes 0.3 um apart), one file per plane."""
    spheres = real_data / "microspheres-20x075-imagexpress"
    beads = real_data / "beads-na095-widefield"
    columns = "dataset slide fov split path axes channel channel_index pixel_um step_um z_um objective".split()
    rows = [
        ["microspheres", "E07", "s1", "test", spheres / "E07_s1/*.tif", "YX", "FITC", "", 1.3668, 5, "", "20x/0.75"],
        ["microspheres", "E07", "s2", "test", spheres / "E07_s2/*.tif", "YX", "FITC", "", 1.3668, 5, "", "20x/0.75"],
        ["beads", "sample", "f1", "test", beads / "sample_zstack*.tif", "YX", "520 nm", "", 0.108, 0.3, "", "NA 0.95"],
    ]
    lines = ["\t".join(map(str, row)) for row in [columns, *rows]]
    (tmp_path / "stacks.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "networks.tsv").write_text("name\tkind\tdatasets\trange_um\tstart_from\n")
    config = {
        "networks": "networks.tsv",
        "stacks": "stacks.tsv",
        "datasets": {
            "microspheres": {"source": "stacks", "patch_px": 128},
            "beads": {"source": "stacks", "patch_px": 256},
        },
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def test_real_stacks_reach_the_manifest(snakemake, own):
    """Every kept patch has its focus plane within one plane of the field's sharpest."""
    code, output = snakemake(own, "--configfile", own / "own.yaml", "--", "manifests")
    assert code == 0, output
    found = {}
    for dataset in ("microspheres", "beads"):
        with open(own / "results" / dataset / "manifest.tsv", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if row["kept"] == "true":
                    found.setdefault((dataset, row["fov"]), []).append(int(row["focus_plane"]))
    assert found.keys() == SHARPEST.keys()
    for field, planes in found.items():
        assert np.abs(np.array(planes) - SHARPEST[field]).max() <= 1, (field, planes)
