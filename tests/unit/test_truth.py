"""The comparison with the simulator's truth is right where the truth is known by construction."""

import numpy as np
import pandas as pd
import pytest
import yaml
from acquire_slide import acquire
from align_slide import align_slide
from deepr.configuration import complete_config
from deepr.tables import read_table
from deepr.truth import alignment_residuals, focus_errors, summarise_truth

FRAME_PX = 101
DRIFT = {0: (1.0, -2.0, 0.5), 1: (0.0, 0.0, 0.0), 2: (-0.5, 1.5, -1.0)}


def matrix_of(plane, anchor):
    """Map a point of the anchor's image to the plane's, both moved as the stage moved them."""

    def of(dy, dx, degrees):
        angle, middle = np.deg2rad(degrees), (FRAME_PX - 1) / 2
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        whole = np.eye(3)
        whole[:2, :2] = turn
        whole[:2, 2] = np.array([middle + dx, middle + dy]) - turn @ [middle, middle]
        return whole

    return of(*DRIFT[plane]) @ np.linalg.inv(of(*DRIFT[anchor]))


@pytest.fixture
def truth():
    rows = [
        {"slide": "s", "fov": "a", "plane": k, "z_um": k - 1.0, "focus_z_um": 0.25, "dy_px": dy, "dx_px": dx,
         "rotation_deg": turn}
        for k, (dy, dx, turn) in DRIFT.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def transforms(anchor, error_px=0.0):
    rows = []
    for plane in DRIFT:
        matrix = matrix_of(plane, anchor)
        rows.append(
            {"slide": "s", "fov": "a", "plane": plane, "z_um": plane - 1.0, "anchor": anchor,
             **{f"m{i}{j}": matrix[i, j] for i in (0, 1) for j in (0, 1, 2)},
             "crop_y": 10, "crop_x": 5, "height": 64, "width": 64}
        )  # fmt: skip
        rows[-1]["m02"] += error_px
    return pd.DataFrame(rows)


@pytest.mark.parametrize("anchor", [0, 1, 2])
def test_a_perfect_alignment_leaves_nothing(truth, anchor):
    """Matrices made from the drift itself have no residual, whatever the anchor."""
    residuals = alignment_residuals(transforms(anchor), truth, FRAME_PX)
    np.testing.assert_allclose(residuals["residual_px"], 0, atol=1e-9)


def test_a_shifted_alignment_leaves_the_shift(truth):
    """Half a pixel of error in x is half a pixel of residual."""
    residuals = alignment_residuals(transforms(1, error_px=0.5), truth, FRAME_PX)
    np.testing.assert_allclose(residuals["residual_px"], 0.5, atol=1e-9)
    np.testing.assert_allclose(residuals["defocus_um"], [-1.25, -0.25, 0.75])


def test_focus_errors_are_found_minus_true(truth):
    """A patch whose focus plane lies 1 um above the truth has an error of +1 um; others do not count."""
    manifest = pd.DataFrame(
        {"slide": "s", "fov": "a", "y": 0, "x": [0, 64], "split": "train", "focus_z_um": [1.25, 9.0],
         "kept": [True, False]}
    )  # fmt: skip
    errors = focus_errors(manifest, truth)
    assert errors["focus_error_um"].tolist() == [1.0]
    lost = pd.concat([truth, truth.assign(fov="b")])
    residuals = alignment_residuals(transforms(1), truth, FRAME_PX)
    summary = summarise_truth(errors, residuals, lost).set_index("quantity")
    assert summary.loc["fields left out by the alignment", ["value", "count"]].tolist() == [1, 2]
    assert summary.loc["bias of the focus planes", "value"] == 1.0
    assert summary.loc["focus planes within the section's thickness", "value"] == 1.0


def test_alignment_finds_the_simulated_drift(repository, tmp_path):
    """A field of ovary tissue that drifts thrice as far as in the demonstration: near focus at most 0.3 px are left."""
    config = complete_config(yaml.safe_load((repository / "config/config.yaml").read_text()))
    settings = {**config["datasets"]["ovary"], "frame_px": 800}
    stacks, truth, aligned = (tmp_path / f"{kind}.ome.tif" for kind in ("stacks", "truth", "aligned"))
    planes, matrices = (tmp_path / f"{kind}.tsv" for kind in ("planes", "transforms"))
    acquire(
        stacks_path=stacks,
        truth_path=truth,
        planes_path=planes,
        dataset="ovary",
        slide="drifting",
        settings=settings,
        z_um=np.arange(-2, 2.1, 0.5).tolist(),
        fields=1,
        drift={key: 3 * value for key, value in config["microscope"]["drift"].items()},
        truth_range_um=0.5,
        seed=1,
        threads=2,
    )
    limits = {"max_rotation_deg": config["alignment"]["max_rotation_deg"], "max_shift_px": settings["max_shift_px"]}
    align_slide(stacks, aligned, matrices, "focus", limits, settings["patch_px"], threads=2)
    drift, found = (read_table(path).assign(slide="drifting") for path in (planes, matrices))
    still = found.assign(m00=1.0, m01=0.0, m02=0.0, m10=0.0, m11=1.0, m12=0.0)
    before, after = (alignment_residuals(matrices, drift, settings["frame_px"]) for matrices in (still, found))
    near = after["defocus_um"].abs() <= 2
    assert near.sum() >= 7
    assert before.loc[near, "residual_px"].max() > 1
    assert after.loc[near, "residual_px"].max() <= 0.3
