"""What the scripts add to the library: errors that name the file and the field."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from align_slide import align_slide
from build_manifest import write_manifest
from deepr.network_folders import results_of
from deepr.networks.generator import build_generator
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, read_table, write_table
from measure_bead_widths import measure
from measure_tilted_slides import measure as measure_tilted
from scipy.ndimage import gaussian_filter

LIMITS = {"max_rotation_deg": 0.5, "max_shift_px": 50}


def drifting(shift_px):
    """Make three planes of one scene of 80 x 80 px, each moved against the one before."""
    scene = gaussian_filter(np.random.default_rng(0).random((120, 120)), 5) * 30000
    planes = [scene[10:90, 10 + shift_px * plane : 90 + shift_px * plane] for plane in range(3)]
    return np.stack(planes).astype(np.uint16)


def write_slide(path, **stacks):
    with SlideWriter(path, 0.325, "20x/0.75", "DAPI", "own") as writer:
        for field, stack in stacks.items():
            writer.write(field, stack, [0.0, 1.0, 2.0])


def test_a_slide_without_a_field_for_a_patch_is_named(tmp_path):
    """Alignment that leaves no patch anywhere says of which slide and why, with patch_px, and writes nothing."""
    path = tmp_path / "slide.ome.tif"
    write_slide(path, corner=drifting(0)[:, :48, :48])
    sentence = r"slide\.ome\.tif: alignment leaves no field with a patch of 64 x 64 px \(patch_px\), .* field corner: "
    with pytest.raises(InputError, match=sentence):
        align_slide(path, tmp_path / "aligned.ome.tif", tmp_path / "aligned.tsv", "focus", LIMITS, 64, 1)
    assert list(tmp_path.iterdir()) == [path]


def test_a_field_that_drifted_too_far_is_left_out(tmp_path, caplog):
    """The others go on; the log names the field, and counts."""
    path, aligned = tmp_path / "slide.ome.tif", tmp_path / "aligned.ome.tif"
    write_slide(path, steady=drifting(1), runaway=drifting(10), calm=drifting(0))
    align_slide(path, aligned, tmp_path / "aligned.tsv", "focus", LIMITS, 64, 1)
    with open_slide(aligned) as slide:
        assert list(slide.fields) == ["steady", "calm"]
        assert slide.stack("steady").shape == (3, 64, 64)
    assert read_table(tmp_path / "aligned.tsv")["fov"].unique().tolist() == ["steady", "calm"]
    assert "left out, for patch_px is 64, field runaway" in caplog.text
    assert "1 of 3 fields were left out" in caplog.text


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_without_patches_is_noticed_before_the_training(tmp_path, split):
    """Where a network needs them; the sentence counts them by reason, and no manifest is written."""
    rows = [
        {"dataset": "mine", "slide": slide, "fov": f"{slide}{number}", "y": 0, "x": 0, "size": 64, "focus_plane": 3}
        | {"focus_z_um": 3.0, "focus_ssim": 0.9, "contrast": 0.5, "kept": slide != split, "reason": ""}
        for slide in ("train", "test")
        for number in range(3)
    ]
    frame = pd.DataFrame(rows)
    frame["reason"] = np.where(frame["kept"], "", "low contrast")
    write_table(frame, tmp_path / "patches.tsv")
    arguments = {"dataset": "mine", "test_slides": ["test"], "validation_fraction": 0.15, "seed": 1}
    arguments |= {"patches_paths": [tmp_path / "patches.tsv"], "manifest_path": tmp_path / "manifest.tsv"}
    sentence = f"data set mine: found none of 3 {split} patches fit to use .3 low contrast., wanted one at least"
    with pytest.raises(InputError, match=sentence):
        write_manifest(**arguments, wanted=["train", "test"])
    assert not (tmp_path / "manifest.tsv").exists()
    write_manifest(**arguments, wanted=[])
    assert (tmp_path / "manifest.tsv").exists()


def test_a_test_without_patches_says_so(tmp_path):
    """Where no test patch was kept, the manifest is named before anything is refocused."""
    from deepr.networks.generator import build_generator
    from test_network import test_on_slides as measure_slides

    build_generator(2).save(tmp_path / "generator.keras")
    manifest = pd.DataFrame({"slide": ["s"], "split": ["test"], "kept": [False], "reason": ["low contrast"]})
    write_table(manifest, tmp_path / "manifest.tsv")
    with pytest.raises(InputError, match=r"manifest\.tsv: no test patch was kept"):
        measure_slides(
            generator_path=tmp_path / "generator.keras",
            manifest_path=tmp_path / "manifest.tsv",
            slide_paths=[],
            transforms_paths=[],
            truth_paths=[],
            network="n",
            measurements_path=tmp_path / "measurements.tsv",
            folder=tmp_path / "slides",
        )


def test_bead_slides_with_unequal_steps_are_named(tmp_path):
    """The width of a bead along z cannot be measured on them, and nothing is written."""
    stack = gaussian_filter(np.random.default_rng(0).random((4, 64, 64)), 2)
    with SlideWriter(tmp_path / "test1.ome.tif", 0.325, "20x/0.75", "DAPI", "own") as writer:
        writer.write("f1", (stack * 30000).astype(np.uint16), [-2.0, -0.5, 0.0, 2.0])
    patch = {"slide": "test1", "fov": "f1", "y": 0, "x": 0, "size": 64, "focus_plane": 2, "kept": True, "split": "test"}
    write_table(pd.DataFrame([patch]), tmp_path / "manifest.tsv")
    with pytest.raises(InputError, match=r"test1\.ome\.tif: found planes 0\.5 to 2 um apart, wanted equal steps"):
        measure(tmp_path / "manifest.tsv", [tmp_path / "test1.ome.tif"], [], [], None, tmp_path / "widths.tsv")
    assert not (tmp_path / "widths.tsv").exists()


def test_a_slide_without_beads_gives_a_table_without_rows(tmp_path, caplog):
    """Its patch is named in the log with the reason, and the count is of no bead."""
    noise = np.random.default_rng(0).normal(200, 5, (7, 64, 64)).astype(np.uint16)
    with SlideWriter(tmp_path / "test1.ome.tif", 0.1625, "40x/0.95", "TexasRed", "own") as writer:
        writer.write("f1", noise, np.arange(7.0))
    patch = {"slide": "test1", "fov": "f1", "y": 0, "x": 0, "size": 64, "focus_plane": 2, "kept": True, "split": "test"}
    write_table(pd.DataFrame([patch]), tmp_path / "manifest.tsv")
    with caplog.at_level("INFO"):
        measure(tmp_path / "manifest.tsv", [tmp_path / "test1.ome.tif"], [], [], None, tmp_path / "widths.tsv")
    assert "field f1, patch at y 0, x 0: no bead stands out" in caplog.text
    assert "0 beads kept, 0 left out: none" in caplog.text
    assert len(read_table(tmp_path / "widths.tsv")) == 0


def test_an_output_with_holes_is_named(tmp_path):
    """A refocused stack that is not finite where a bead lies is named with its patch."""
    z_um, distance = np.arange(-2.0, 3.0), np.hypot(*(np.mgrid[:64, :64] - 32))
    stack = np.stack([100 + 1000 / (1 + z**2) * np.exp(-(distance**2) / 4 / (1 + z**2)) for z in z_um])
    (tmp_path / "outputs").mkdir()
    for path, series, planes in (
        (tmp_path / "test1.ome.tif", "f1", stack.astype(np.uint16)),
        (tmp_path / "outputs" / "test1.ome.tif", "f1_y0_x0", np.full((5, 64, 64), np.nan, np.float32)),
    ):
        with SlideWriter(path, 0.1625, "40x/0.95", "TexasRed", "own") as writer:
            writer.write(series, planes, z_um)
    patch = {"slide": "test1", "fov": "f1", "y": 0, "x": 0, "size": 64, "focus_plane": 2, "kept": True, "split": "test"}
    write_table(pd.DataFrame([patch]), tmp_path / "manifest.tsv")
    with pytest.raises(InputError, match=r"outputs/test1\.ome\.tif, f1_y0_x0: the stack holds NaN or infinity"):
        measure(
            manifest_path=tmp_path / "manifest.tsv",
            slide_paths=[tmp_path / "test1.ome.tif"],
            prediction_folders=[tmp_path / "outputs"],
            networks=["n"],
            saturation=None,
            widths_path=tmp_path / "widths.tsv",
        )


def test_a_tilted_field_of_too_few_planes_is_named(tmp_path):
    """Slide and field stand before what the measurement misses."""
    write_slide(tmp_path / "test1.ome.tif", f1=drifting(0))
    build_generator(2, seed=0).save(tmp_path / "generator.keras")
    with pytest.raises(InputError, match=r"test1\.ome\.tif, field f1: the stack has planes from -1\.6 to 0\.4 um"):
        measure_tilted(
            generator_path=tmp_path / "generator.keras",
            slide_paths=[tmp_path / "test1.ome.tif"],
            patch_px=64,
            rows_path=tmp_path / "rows.tsv",
            images_path=tmp_path / "images.ome.tif",
        )


def test_results_of_a_folder_at_the_root():
    """A network that is mounted as /network has no results above it."""
    assert results_of("/network") == Path("/")
    assert results_of("/data/results/networks/mine") == Path("/data/results")
