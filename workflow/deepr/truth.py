"""How true the road is: focus planes and alignment against what the simulated microscope knows."""

import numpy as np
import pandas as pd

# Half of a 4 um section, as travel of the stage: mounted in n 1.495 and seen from air, 2.1 um at 40x/0.95 and
# 2.4 um at 20x/0.75 from its upper to its lower face.
HALF_SECTION_UM = 1.0


def focus_errors(manifest, truth):
    """Compare each patch's focus plane with the height at which the section was in best focus.

    Parameters
    ----------
    manifest : pandas.DataFrame
        One row per patch: ``slide``, ``fov``, ``y``, ``x``, ``split``, ``focus_z_um``, ``kept``.
    truth : pandas.DataFrame
        One row per plane: ``slide``, ``fov``, ``focus_z_um``.

    Returns
    -------
    pandas.DataFrame
        The manifest's kept patches with ``true_focus_z_um`` and ``focus_error_um`` (found minus true).
    """
    known = truth.groupby(["slide", "fov"], as_index=False)["focus_z_um"].first()
    known = known.rename(columns={"focus_z_um": "true_focus_z_um"})
    kept = manifest[manifest["kept"]].merge(known, on=["slide", "fov"], how="left", validate="many_to_one")
    kept["focus_error_um"] = kept["focus_z_um"] - kept["true_focus_z_um"]
    columns = ["slide", "fov", "y", "x", "split", "focus_z_um", "true_focus_z_um", "focus_error_um"]
    return kept[columns]


def alignment_residuals(transforms, truth, frame_px):
    """Measure how far alignment leaves each plane from where it should be.

    Parameters
    ----------
    transforms : pandas.DataFrame
        Rows of the alignment's sheets with ``slide``: ``fov``, ``plane``, ``z_um``, ``anchor``, ``m00`` to
        ``m12`` (aligned to raw pixel coordinates), ``crop_y``, ``crop_x``, ``height``, ``width``.
    truth : pandas.DataFrame
        The simulator's drift, one row per plane: ``slide``, ``fov``, ``plane``, ``dy_px``, ``dx_px``,
        ``rotation_deg``, ``focus_z_um``.
    frame_px : int
        Side of the raw frame, about whose middle the stage rotates.

    Returns
    -------
    pandas.DataFrame
        One row per plane: ``slide``, ``fov``, ``plane``, ``defocus_um`` (from the true focus) and
        ``residual_px``, the root mean square displacement of the cropped window's corners and middle.
    """
    table = transforms.merge(truth.drop(columns="z_um"), on=["slide", "fov", "plane"], validate="one_to_one")
    anchors = truth.rename(columns={name: f"anchor_{name}" for name in ("dy_px", "dx_px", "rotation_deg")})
    anchors = anchors[["slide", "fov", "plane", "anchor_dy_px", "anchor_dx_px", "anchor_rotation_deg"]]
    table = table.merge(anchors.rename(columns={"plane": "anchor"}), on=["slide", "fov", "anchor"])

    middle = (frame_px - 1) / 2
    share = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
    size = table[["width", "height"]].to_numpy()[:, None, :] - 1
    points = table[["crop_x", "crop_y"]].to_numpy()[:, None, :] + share * size  # (planes, 5, xy)

    matrix = table[["m00", "m01", "m02", "m10", "m11", "m12"]].to_numpy().reshape(-1, 2, 3)
    found = np.einsum("pij,pkj->pki", matrix[:, :, :2], points) + matrix[:, None, :, 2]

    shift_of_anchor = table[["anchor_dx_px", "anchor_dy_px"]].to_numpy()[:, None, :]
    undrifted = _rotated(points - middle - shift_of_anchor, -table["anchor_rotation_deg"].to_numpy())
    shift = table[["dx_px", "dy_px"]].to_numpy()[:, None, :]
    true = _rotated(undrifted, table["rotation_deg"].to_numpy()) + shift + middle

    residual = np.sqrt(np.mean(np.sum((found - true) ** 2, axis=2), axis=1))
    result = table[["slide", "fov", "plane"]].copy()
    result["defocus_um"] = table["z_um"] - table["focus_z_um"]
    result["residual_px"] = residual
    return result


def _rotated(points, degrees):
    """Turn (x, y) points about the origin, from the x axis towards the y axis."""
    angle = np.deg2rad(degrees)[:, None]
    x, y = points[..., 0], points[..., 1]
    return np.stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y], axis=-1)


def summarise_truth(errors, residuals, truth):
    """Sum up both comparisons in one row per quantity.

    Parameters
    ----------
    errors : pandas.DataFrame
        From `focus_errors`.
    residuals : pandas.DataFrame
        From `alignment_residuals`.
    truth : pandas.DataFrame
        As for `alignment_residuals`, of all fields that were acquired.

    Returns
    -------
    pandas.DataFrame
        Columns ``quantity``, ``value``, ``unit``, ``count``.
    """
    acquired, aligned = (len(table[["slide", "fov"]].drop_duplicates()) for table in (truth, residuals))
    error = errors["focus_error_um"]
    in_section = (error.abs() <= HALF_SECTION_UM).mean()
    near = residuals[residuals["defocus_um"].abs() <= 2]
    within = residuals[residuals["defocus_um"].abs() <= 5]
    in_focus = "alignment residual within 2 um of focus"
    rows = [
        ("focus planes within the section's thickness", in_section, "fraction", len(error)),
        ("bias of the focus planes", error.mean(), "um", len(error)),
        ("standard deviation of the focus planes", error.std(ddof=0), "um", len(error)),
        (f"median {in_focus}", near["residual_px"].median(), "px", len(near)),
        (f"95th percentile of the {in_focus}", near["residual_px"].quantile(0.95), "px", len(near)),
        (f"largest {in_focus}", near["residual_px"].max(), "px", len(near)),
        ("median alignment residual within 5 um of focus", within["residual_px"].median(), "px", len(within)),
        ("largest alignment residual within 5 um of focus", within["residual_px"].max(), "px", len(within)),
        ("fields left out by the alignment", acquired - aligned, "fields", acquired),
    ]
    return pd.DataFrame(rows, columns=["quantity", "value", "unit", "count"])
