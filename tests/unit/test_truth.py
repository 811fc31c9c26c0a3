"""The comparison with the simulator's truth is right where the truth is known by construction."""

import numpy as np
import pandas as pd
import pytest
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
    summary = summarise_truth(errors, alignment_residuals(transforms(1), truth, FRAME_PX)).set_index("quantity")
    assert summary.loc["bias of the focus planes", "value"] == 1.0
    assert summary.loc["focus planes within the section's thickness", "value"] == 1.0
