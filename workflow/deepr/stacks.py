"""A person's own z-stacks: checked by their headers before any long work, then read plane by plane."""

import contextlib
import math
import struct
from collections import namedtuple
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from deepr.tables import InputError
from deepr.tiff_files import open_alone

PIXEL_TYPES = ("uint8", "uint16", "float32", "float64")

# Alignment crops what drift and rotation carry out of the field, as a rule some pixels on each side.
MARGIN_PX = 16

# Shape in the order of the sheet's axes, and pixel type, of the image in one file.
_Header = namedtuple("_Header", ["shape", "dtype"])


def check_stacks(frame, patch_px=None, range_um=None, finest_um=None):
    """Check the headers of all stacks of a sheet, in milliseconds each.

    Parameters
    ----------
    frame : DataFrame
        Rows of `deepr.sheets.read_stacks`.
    patch_px : int, optional
        Side of a patch that has to fit into each field.
    range_um : float, optional
        Largest distance from focus that a network is to be trained for; the planes of training rows must span
        twice as much.
    finest_um : float, optional
        Smallest such distance; the planes of training and test rows may lie no farther apart. By default `range_um`.

    Returns
    -------
    DataFrame
        One row per stack with the index of `frame`: ``channels``, ``stack_mb`` (the size of the pixels read)
        and ``margin_px``, by how much the shorter side exceeds a patch (NaN without `patch_px`).

    Raises
    ------
    InputError
        For the first row that cannot be used, as `check_stack`, or if grey and colour stacks are mixed in
        one data set.
    """
    first, facts = {}, {}
    for line, row in frame.iterrows():
        training = row.get("split", "train") == "train"
        shape, dtype = _check_stack(
            row,
            patch_px=patch_px,
            range_um=range_um if training else None,
            finest_um=range_um if finest_um is None else finest_um,
        )
        kind = "colour" if len(shape) == 4 else "grey"
        other_kind, where = first.setdefault(row["dataset"], (kind, row["where"]))
        if kind != other_kind:
            _refuse(row, f"a {kind} stack", f"{other_kind} ones only in data set {row['dataset']} as in {where}")
        facts[line] = {
            "channels": shape[3] if len(shape) == 4 else 1,
            # float64 becomes float32 on the way.
            "stack_mb": math.prod(shape) * min(dtype.itemsize, 4) / 1e6,
            "margin_px": math.nan if patch_px is None else min(shape[1:3]) - patch_px,
        }
    return pd.DataFrame.from_dict(facts, orient="index", columns=["channels", "stack_mb", "margin_px"])


def narrow_fields(frame, facts, patch_px):
    """Say in one sentence which fields hold hardly more than a patch; alignment may leave them out.

    Parameters
    ----------
    frame : DataFrame
        Rows of `deepr.sheets.read_stacks`.
    facts : DataFrame
        Of `check_stacks`.
    patch_px : int

    Returns
    -------
    str
        Empty if every field has a margin of `MARGIN_PX`.
    """
    narrow = frame[(facts["margin_px"] < MARGIN_PX).reindex(frame.index)]
    if narrow.empty:
        return ""
    first = narrow.iloc[0]
    margin_px = facts.loc[first.name, "margin_px"]
    return (
        f"{first['where']}, {first['path']}: found a field only {margin_px:.0f} px larger than patch_px {patch_px}, as "
        f"{len(narrow)} of {len(frame)} fields of {first['dataset']} less than {MARGIN_PX} px; "
        "alignment crops what drifts out, and leaves out a field in which no patch remains"
    )


def check_stack(row, patch_px=None, range_um=None, finest_um=None):
    """Check one stack by its header: axes, pixel type, number and size of the planes, whole files.

    Parameters
    ----------
    row : mapping
        One row of `deepr.sheets.read_stacks`.
    patch_px, range_um, finest_um : optional
        As for `check_stacks`.

    Returns
    -------
    tuple of int
        Shape of the stack, (Z, Y, X) or (Z, Y, X, 3).

    Raises
    ------
    InputError
        If the stack cannot be used; the sentence names the sheet's line and the file.

    Notes
    -----
    Of a pattern's files the first and the last are opened, and of the others only the size is looked at:
    the sheet is checked each time a workflow is planned. `read_stack` looks at every one.
    """
    return _check_stack(row, patch_px, range_um, finest_um)[0]


def _check_stack(row, patch_px, range_um, finest_um):
    """Check one stack as `check_stack`, and give its shape and the pixel type of its file."""
    paths, axes = row["paths"], row["axes"]
    header = _read_header(row, paths[0])
    if len(paths) > 1:
        if "Z" in axes:
            _refuse(row, f"{len(paths)} files and axes {axes}", "axes without Z for one file per plane")
        _refuse_other_plane(row, header, paths[-1])
        for path in paths:
            if Path(path).stat().st_size == 0:
                _refuse(row, "an empty file", "a TIFF file", path)
    sizes = dict(zip(axes, header.shape, strict=True))
    planes, height, width = sizes.get("Z", len(paths)), sizes["Y"], sizes["X"]
    if planes < 2:
        _refuse(row, "one plane only", "a z-stack of two or more")
    z_um = _planes_z_um(row, planes)
    span_um, step_um = float(np.ptp(z_um)), float(np.abs(np.diff(z_um)).min())
    if patch_px is not None and min(height, width) < patch_px:
        _refuse(row, f"a field of {height} x {width} px", f"at least {patch_px} x {patch_px} px (patch_px)")
    if range_um is not None and range_um > span_um / 2 + 1e-6:
        _refuse(
            row,
            f"planes over {span_um:g} um",
            f"at least {2 * range_um:g} um for a network with range_um {range_um:g}",
        )
    if finest_um is not None and finest_um < step_um - 1e-6:
        _refuse(
            row,
            f"planes {step_um:g} um apart",
            f"at most {finest_um:g} um, for a network with range_um {finest_um:g} would see the focus plane alone",
        )
    return (planes, height, width, *((3,) if "S" in sizes else ())), header.dtype


def read_stack(row):
    """Read one stack, with its planes in ascending order of z.

    Parameters
    ----------
    row : mapping
        One row of `deepr.sheets.read_stacks`.

    Returns
    -------
    stack : (Z, Y, X) or (Z, Y, X, 3) ndarray of uint8, uint16 or float32
        Pixel values as they are in the file; float64 is rounded to float32.
    z_um : (Z,) ndarray of float64
        Ascending, in um; with ``step_um`` the file's first plane is at 0.

    Raises
    ------
    InputError
        As `check_stack`; if files of one stack differ in shape or pixel type; or if a pixel is not a finite
        number, or a plane is the same everywhere.
    """
    check_stack(row)
    paths = row["paths"]
    header = _read_header(row, paths[0])
    images = []
    for path in paths:
        _refuse_other_plane(row, header, path)
        images.append(_read_image(row, path, header))
    stack = np.stack(images) if len(images) > 1 else images[0]
    if stack.dtype == np.float64:
        # What does not fit into single precision becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            stack = stack.astype(np.float32)
    _check_pixels(row, stack)
    z_um = _planes_z_um(row, len(stack))
    if z_um[0] > z_um[-1]:
        stack, z_um = stack[::-1], z_um[::-1]
    return np.ascontiguousarray(stack), np.ascontiguousarray(z_um)


def _refuse(row, found, wanted, path=None, cause=None):
    """Raise the one sentence that names the sheet's line, the file, what was found and what was wanted."""
    raise InputError(f"{row['where']}, {path or row['path']}: found {found}, wanted {wanted}") from cause


def _planes_z_um(row, planes):
    """Give each plane's z in the order of the file, and refuse z that do not fit the planes."""
    if len(row["z_um"]) == 0:
        return row["step_um"] * np.arange(planes, dtype=np.float64)
    z_um = np.array(row["z_um"], dtype=np.float64)
    if len(z_um) != planes:
        _refuse(row, f"{planes} planes", f"{len(z_um)} as in column z_um")
    steps_um = np.diff(z_um)
    against = np.flatnonzero(np.sign(steps_um) != np.sign(z_um[-1] - z_um[0]))
    if len(against) or steps_um[0] == 0:
        start_um, stop_um = z_um[against[0] : against[0] + 2] if len(against) else z_um[:2]
        _refuse(row, f"z_um from {start_um:g} to {stop_um:g}", "z that only rises or only falls")
    return z_um


def _refuse_other_plane(row, first, path):
    header = _read_header(row, path)
    if header != first:
        wanted = f"{_sizes(first.shape)} {first.dtype} as in {Path(row['paths'][0]).name}"
        _refuse(row, f"{_sizes(header.shape)} {header.dtype}", wanted, path)


def _read_header(row, path):
    """Read the shape and pixel type of one file, and refuse what does not agree with the sheet."""
    axes = row["axes"]
    with _opened(row, path) as series:
        shape, found_axes, dtype = series.shape, series.axes, series.dtype.newbyteorder("=")
        if len(shape) != len(axes):
            # A dimension of one is often left out or added by the program that wrote the file.
            kept = [index for index, size in enumerate(shape) if size > 1]
            shape = tuple(shape[index] for index in kept)
            found_axes = "".join(found_axes[index] for index in kept)
        if len(shape) != len(axes):
            _refuse(row, f"{len(shape)} dimensions ({_sizes(shape)})", f"{len(axes)} as axes {axes} says", path)
        # Programs often call planes times or channels; but they know colour, and the order of the rest.
        if found_axes.find("S") != axes.find("S"):
            _refuse(row, f"axes {found_axes}", f"{axes} as the sheet says", path)
        if sorted(found_axes) == sorted(axes) and found_axes != axes:
            _refuse(row, f"axes in the order {found_axes}", f"{axes} as the sheet says", path)
        sizes = dict(zip(axes, shape, strict=True))
        if sizes.get("S", 3) != 3:
            _refuse(row, f"{sizes['S']} samples per pixel", "3 (red, green, blue)", path)
        channels = sizes.get("C", 1)
        if row["channel_index"] >= channels:
            _refuse(
                row,
                f"{channels} channel{'s' * (channels > 1)}",
                f"more than channel_index {row['channel_index']}",
                path,
            )
        if dtype.name not in PIXEL_TYPES:
            _refuse(row, f"pixels of type {dtype.name}", f"one of {', '.join(PIXEL_TYPES)}", path)
        size, end = Path(path).stat().st_size, _end_of_pixels(series)
        if size < end:
            _refuse(row, f"a truncated file of {size} bytes", f"{end} or more", path)
    return _Header(shape, dtype)


def _end_of_pixels(series):
    """Give the byte at which the last plane's pixels end."""
    if series.dataoffset is not None:
        return series.dataoffset + series.nbytes
    pieces = [piece for page in series.pages for piece in zip(page.dataoffsets, page.databytecounts, strict=True)]
    return max(offset + count for offset, count in pieces)


@contextlib.contextmanager
def _opened(row, path):
    """Open a TIFF file and give its only image series; what tifffile reports as an error is refused."""
    try:
        with open_alone(path) as (tiff, complaints):
            series = tiff.series
            # Counting the pages walks the whole chain of headers, in which a cut shows.
            pages = len(tiff.pages)
            if complaints:
                _refuse(row, f"a truncated or damaged file after page {pages}", "a whole TIFF file", path)
            if len(series) != 1:
                _refuse(row, f"{len(series)} images in one file", "one z-stack", path)
            yield series[0]
    except (tifffile.TiffFileError, struct.error, IndexError, OSError) as error:
        _refuse(
            row, f"a truncated file or none that is TIFF ({error})", "a whole TIFF file, as Fiji saves", path, error
        )


def _read_image(row, path, header):
    """Read the row's channel of one file as ([Z,] Y, X[, S])."""
    with _opened(row, path) as series:
        try:
            image = series.asarray()
        except (RuntimeError, ValueError) as error:
            # The decoders' own errors are of both kinds.
            _refuse(row, f"pixels that cannot be decoded ({error})", "a whole TIFF file", path, error)
    image = image.reshape(header.shape).astype(header.dtype, copy=False)
    axes = row["axes"]
    if "C" in axes:
        image = image.take(row["channel_index"], axis=axes.index("C"))
        axes = axes.replace("C", "")
    return np.moveaxis(image, axes.index("S"), -1) if "S" in axes else image


def _check_pixels(row, stack):
    """Refuse pixels that are not finite, and planes without any structure."""
    paths = row["paths"]
    for plane, image in enumerate(stack):
        low, high = float(image.min()), float(image.max())
        path = paths[plane] if len(paths) > 1 else None
        if not (math.isfinite(low) and math.isfinite(high)):
            _refuse(row, f"NaN or infinite pixels in plane {plane}", "finite ones", path)
        if low == high:
            _refuse(row, f"plane {plane} constant (all pixels {low:g})", "an image with structure", path)


def _sizes(shape):
    return " x ".join(map(str, shape))
