"""Blind testing: refocus every plane of unseen patches and compare with the ground truth."""

import numpy as np
import pandas as pd

from deepr.alignment import transform_plane
from deepr.metrics import rmse, ssim
from deepr.networks.blind_refocusing import refocus_stack


def measure_patch(planes, focus_plane, z_um, generator, noise_free=None):
    """Refocus every plane of one patch and measure input and output against the ground truth.

    Parameters
    ----------
    planes : (Z, Y, X) or (Z, Y, X, 3) ndarray
        Aligned planes of the patch.
    focus_plane : int
        Plane that is the ground truth.
    z_um : (Z,) ndarray of float
        Height of each plane, in um.
    generator : keras.Model
        Trained generator.
    noise_free : (Y, X) or (Y, X, 3) ndarray, optional
        The ground truth without noise, where a simulator knows it.

    Returns
    -------
    rows : list of dict
        Two per plane, ``image`` being "input" or "output": ``plane``, ``z_um`` (from the focus plane),
        ``ssim``, ``rmse``, and ``ssim_noise_free``, ``rmse_noise_free`` (NaN where unknown).
    outputs : ndarray of float32
        The refocused planes, of the shape of ``planes``.
    """
    outputs = refocus_stack(planes, generator)
    truth = planes[focus_plane]
    rows = []
    for plane in range(len(planes)):
        for name, image in (("input", planes[plane]), ("output", outputs[plane])):
            rows.append(
                {
                    "plane": plane,
                    "z_um": round(float(z_um[plane] - z_um[focus_plane]), 3),
                    "image": name,
                    "ssim": ssim(image, truth),
                    "rmse": rmse(image, truth),
                    "ssim_noise_free": np.nan if noise_free is None else ssim(image, noise_free),
                    "rmse_noise_free": np.nan if noise_free is None else rmse(image, noise_free),
                }
            )
    return rows, outputs


def noise_free_patch(slide, transforms, field, patch):
    """Give a patch's ground truth without noise, put through the alignment of the acquired plane.

    Parameters
    ----------
    slide : deepr.slides.Slide
        Noise-free planes near focus.
    transforms : pandas.DataFrame
        The alignment's sheet of the same slide.
    field : str
    patch : mapping
        ``y``, ``x``, ``size`` and ``focus_z_um`` of the patch.

    Returns
    -------
    (size, size) ndarray of float32, or None
        None where the ground truth's plane is not among those kept.
    """
    near = np.flatnonzero(np.isclose(slide.z_um(field), patch["focus_z_um"], atol=1e-3))
    if not near.size:
        return None
    rows = transforms[(transforms["fov"] == field) & np.isclose(transforms["z_um"], patch["focus_z_um"], atol=1e-3)]
    row = rows.iloc[0]
    plane = np.asarray(slide.stack(field)[near[0]])
    if row["plane"] != row["anchor"]:
        matrix = np.eye(3)
        matrix[:2] = row[["m00", "m01", "m02", "m10", "m11", "m12"]].to_numpy(dtype=float).reshape(2, 3)
        plane = transform_plane(plane, matrix)
    top, left = int(row["crop_y"] + patch["y"]), int(row["crop_x"] + patch["x"])
    return plane[top : top + patch["size"], left : left + patch["size"]].astype(np.float32)


def tidy(rows):
    """Put measurements into the order in which they are stored.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    pandas.DataFrame
    """
    columns = ["network", "dataset", "slide", "fov", "y", "x", "plane", "z_um", "image", "ssim", "rmse"]
    return pd.DataFrame(rows)[[*columns, "ssim_noise_free", "rmse_noise_free"]]
