"""The manifest: every patch of a data set with its split, divided by field of view."""

import numpy as np
import pandas as pd

from deepr.tables import InputError

COLUMNS = (
    "dataset",
    "slide",
    "fov",
    "y",
    "x",
    "size",
    "split",
    "focus_plane",
    "focus_z_um",
    "focus_ssim",
    "contrast",
    "kept",
    "reason",
)
SPLITS = ("train", "validation", "test")


def assign_splits(fields, test, validation_fraction, rng):
    """Divide the fields of view of a data set into training, validation and test.

    Parameters
    ----------
    fields : iterable of (slide, fov)
        All fields, in any order.
    test : collection of str
        Slides set apart for testing; all their fields are test fields.
    validation_fraction : float
        Share of the other fields that validates, at least 0 and below 1.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        Split by (slide, fov): "train", "validation" or "test". Unless the fraction is 0, at least one field
        validates where there are two or more, and at least one trains. The same fields and generator give
        the same division, whatever the order of the fields.

    Raises
    ------
    ValueError
        If a field comes twice, the fraction is out of bounds, or a test slide has no field.
    """
    fields = [tuple(field) for field in fields]
    if len(set(fields)) < len(fields):
        twice = next(field for field in fields if fields.count(field) > 1)
        raise ValueError(f"found the field {'/'.join(twice)} twice, wanted each field once")
    if not 0 <= validation_fraction < 1:
        raise ValueError(f"found validation_fraction {validation_fraction}, wanted at least 0 and below 1")
    slides = {slide for slide, _ in fields}
    for slide in sorted(test):
        if slide not in slides:
            raise ValueError(f"found no field of test slide {slide!r}, wanted one of {', '.join(sorted(slides))}")
    others = sorted(field for field in fields if field[0] not in test)
    count = round(validation_fraction * len(others))
    if validation_fraction > 0 and len(others) > 1:
        count = min(max(count, 1), len(others) - 1)
    else:
        count = 0
    chosen = {others[index] for index in rng.permutation(len(others))[:count]}
    return {field: "test" if field[0] in test else "validation" if field in chosen else "train" for field in fields}


def build_manifest(tables, test_slides, validation_fraction, rng):
    """Put the patches of all slides of a data set into one manifest, each with its split.

    Parameters
    ----------
    tables : iterable of DataFrame
        Rows of `deepr.patches.find_patches` with the columns dataset, slide and fov besides, one table per
        slide.
    test_slides : collection of str
    validation_fraction : float
    rng : numpy.random.Generator
        As for `assign_splits`. Only fields with a patch that is kept are drawn for validation; the others,
        which no network will see, stand under "train".

    Returns
    -------
    DataFrame
        One row per patch with the columns `COLUMNS`.

    Raises
    ------
    InputError
        As `check_manifest`.
    """
    manifest = pd.concat(list(tables), ignore_index=True)
    fields = pd.MultiIndex.from_frame(manifest[["slide", "fov"]])
    in_use = manifest["kept"].astype(bool) | manifest["slide"].isin(list(test_slides))
    splits = assign_splits(fields[in_use].unique(), test_slides, validation_fraction, rng)
    manifest["split"] = [splits.get(field, "train") for field in fields]
    manifest["reason"] = manifest["reason"].fillna("")
    manifest = manifest[list(COLUMNS)]
    check_manifest(manifest)
    return manifest


def check_manifest(manifest, path="the manifest"):
    """Refuse a manifest that would let one field of view both train and test.

    Parameters
    ----------
    manifest : DataFrame
    path : str or Path
        Where it is from, for messages.

    Raises
    ------
    InputError
        If a column is missing, a split is unknown, a patch comes twice, a field is in two splits, or a slide
        is both for testing and for training or validation.
    """
    missing = [column for column in COLUMNS if column not in manifest.columns]
    if missing:
        raise InputError(f"{path}: found no column {missing[0]!r}, wanted {', '.join(COLUMNS)}")
    for split in manifest["split"].unique():
        if split not in SPLITS:
            raise InputError(f"{path}, column split: found {split!r}, wanted one of {', '.join(SPLITS)}")
    twice = manifest[manifest.duplicated(["dataset", "slide", "fov", "y", "x"])]
    for row in twice.itertuples():
        raise InputError(
            f"{path}: found the patch at y {row.y}, x {row.x} of {row.dataset}/{row.slide}/{row.fov} twice,"
            " wanted each patch once"
        )
    _refuse_two(path, manifest, ["dataset", "slide", "fov"], manifest["split"], "each field")
    purpose = np.where(manifest["split"] == "test", "test", "train or validation")
    _refuse_two(path, manifest, ["dataset", "slide"], pd.Series(purpose, manifest.index), "each slide")


def _refuse_two(path, manifest, columns, values, what):
    for names, found in values.groupby([manifest[column] for column in columns]):
        if found.nunique() > 1:
            splits = " and ".join(sorted(found.unique()))
            raise InputError(f"{path}: found {'/'.join(map(str, names))} in {splits}, wanted {what} in one")


def count_patches(manifest):
    """Count the patches of each split that are kept, and those left out by their reason.

    Parameters
    ----------
    manifest : DataFrame

    Returns
    -------
    DataFrame
        Columns dataset, split, reason ("kept" for the kept ones), fields, patches.
    """
    reasons = manifest["reason"].where(~manifest["kept"].astype(bool), "kept")
    fields = manifest["slide"].astype(str) + "/" + manifest["fov"].astype(str)
    counted = manifest.assign(reason=reasons, field=fields).groupby(["dataset", "split", "reason"], sort=True)
    return counted["field"].agg(fields="nunique", patches="size").reset_index()
