"""What the figures that show images share: which patch, which planes, and what is written over them."""

from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from deepr.figures import style
from deepr.metrics import normalise, rmse, ssim
from deepr.slides import open_slide
from deepr.tables import InputError

Z_LIMIT_UM = 10.0


def typical_patch(measurements, range_um):
    """Find the test patch of median output quality.

    Parameters
    ----------
    measurements : DataFrame
        One row per test patch, plane and image of one network, as `deepr.networks.testing` makes them.
    range_um : float
        Only planes at most this far from focus count, without the focus plane.

    Returns
    -------
    dict
        dataset, slide, fov, y and x of the patch; the lower of the middle two for an even number.

    Raises
    ------
    ValueError
        If no output was measured within the range.
    """
    within = measurements["z_um"].abs().between(1e-3, range_um + 1e-3)
    outputs = measurements[(measurements["image"] == "output") & within]
    if outputs.empty:
        raise ValueError(f"no output was measured within {range_um:g} um of focus")
    keys = ["dataset", "slide", "fov", "y", "x"]
    means = outputs.groupby(keys)["ssim"].mean().sort_values(kind="stable")
    return dict(zip(keys, means.index[(len(means) - 1) // 2], strict=True))


def busiest_region(image, size):
    """Find the square of an image in which grey values vary most.

    Parameters
    ----------
    image : (Y, X) or (Y, X, 3) ndarray of float
    size : int
        Side of the square in pixels, at most the image's.

    Returns
    -------
    tuple of slice
        Rows and columns of the square.
    """
    grey = image.mean(axis=-1) if image.ndim == 3 else image
    grey = grey.astype(np.float64)
    variance = uniform_filter(grey**2, size) - uniform_filter(grey, size) ** 2
    # Windows that fit: the filter's window at index i starts at i - size // 2.
    fitting = variance[
        size // 2 : size // 2 + grey.shape[0] - size + 1, size // 2 : size // 2 + grey.shape[1] - size + 1
    ]
    y, x = (int(i) for i in np.unravel_index(np.argmax(fitting), fitting.shape))
    return slice(y, y + size), slice(x, x + size)


def farthest_um(measurements):
    """Give the distance from focus of the farthest plane that was measured."""
    return float(measurements["z_um"].abs().max())


def read_patch(patch, manifest, slides, predictions, z_limit_um=Z_LIMIT_UM):
    """Read a patch: ground truth, inputs and outputs by their z, all normalised.

    Parameters
    ----------
    patch : dict
        dataset, slide, fov, y and x, as `typical_patch` gives it.
    manifest : DataFrame
    slides, predictions : list of path
        Aligned test slides, and the network's outputs under the same file names.
    z_limit_um : float
        Planes farther from focus are left out.

    Returns
    -------
    dict
        truth : (Y, X) or (Y, X, 3) ndarray; input, output : dict of such by z in um; pixel_um : float.

    Raises
    ------
    InputError
        If the patch is not in the manifest, or its slide or prediction is not there.
    """
    row, window = _place(patch, manifest)
    with open_slide(_path_of(slides, patch["slide"])) as slide:
        stack, z_um = slide.stack(patch["fov"]), slide.z_um(patch["fov"]) - row["focus_z_um"]
        shown = np.abs(z_um) <= z_limit_um + 1e-3
        inputs = {round(z, 3) + 0.0: normalise(stack[i][window]) for i, z in enumerate(z_um) if shown[i]}
        truth = normalise(stack[row["focus_plane"]][window])
        pixel_um = slide.pixel_um
    with open_slide(_path_of(predictions, patch["slide"])) as slide:
        field = f"{patch['fov']}_y{patch['y']}_x{patch['x']}"
        if field not in slide.fields:
            raise InputError(f"{slide.path}: no prediction named {field!r} of the measured patch")
        stack, z_um = slide.stack(field), slide.z_um(field)
        outputs = {round(z, 3) + 0.0: normalise(stack[i]) for i, z in enumerate(z_um) if abs(z) <= z_limit_um + 1e-3}
    return {"truth": truth, "input": inputs, "output": outputs, "pixel_um": pixel_um}


def nearest_plane(planes, z_um):
    """Give the z of the nearest plane among those of a dict by z, or None if there is none within a step."""
    if not planes:
        return None
    positions = sorted(planes)
    step = float(np.median(np.diff(positions))) if len(positions) > 1 else 0.0
    # Of two planes equally near, the one nearer to focus, so that the edge of the range stays within it.
    nearest = min(positions, key=lambda z: (round(abs(z - z_um), 6), abs(z)))
    return float(nearest) if abs(nearest - z_um) <= step / 2 + 1e-3 else None


def scores_text(image, truth):
    """Write SSIM and RMSE of an image in two lines."""
    return f"SSIM {ssim(image, truth):.2f}\nRMSE {rmse(image, truth):.2f}"


def signed(z_um):
    """Write a number with a true minus sign."""
    return f"{z_um:g}".replace("-", "\N{MINUS SIGN}")


def mark_absent(axes):
    """Mark a panel whose plane the stack lacks."""
    axes.set_facecolor("#eeeeee")
    axes.text(0.5, 0.5, "no plane", ha="center", va="center", transform=axes.transAxes, color=style.NOTE_COLOUR)
    style.bare(axes)


def _path_of(paths, slide):
    for path in paths:
        if Path(path).name == f"{slide}.ome.tif":
            return path
    raise InputError(f"no file {slide}.ome.tif among {[str(path) for path in paths]}")


def read_counts(patch, manifest, slides):
    """Read the planes of a patch as they were acquired, by their z in um; see `read_patch`."""
    row, window = _place(patch, manifest)
    with open_slide(_path_of(slides, patch["slide"])) as slide:
        stack, z_um = slide.stack(patch["fov"]), slide.z_um(patch["fov"]) - row["focus_z_um"]
        return {
            round(z, 3) + 0.0: np.array(stack[plane][window])
            for plane, z in enumerate(z_um)
            if abs(z) <= Z_LIMIT_UM + 1e-3
        }


def _place(patch, manifest):
    """Give a patch's row of the manifest, and its pixels."""
    chosen = manifest[np.all([manifest[key] == value for key, value in patch.items()], axis=0)]
    if len(chosen) != 1:
        raise InputError(f"the manifest has {len(chosen)} rows of the measured patch {patch}, wanted one")
    row = chosen.iloc[0]
    window = (slice(row["y"], row["y"] + row["size"]), slice(row["x"], row["x"] + row["size"]))
    return row, window
