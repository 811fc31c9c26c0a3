"""The manifest: no field of view, and no test slide, is on two sides."""

import numpy as np
import pandas as pd
import pytest
from deepr.manifest import COLUMNS, assign_splits, build_manifest, check_manifest, count_patches
from deepr.tables import InputError, read_table, write_table


def make_patches(slide, fields, patches=2, dataset="ovary"):
    """Make the table of a slide, as if its patches had been found."""
    rows = [
        {
            "dataset": dataset,
            "slide": slide,
            "fov": field,
            "y": 0,
            "x": 512 * number,
            "size": 512,
            "focus_plane": 20,
            "focus_z_um": 0.0,
            "focus_ssim": 0.9,
            "contrast": 9.0,
            "kept": True,
            "reason": "",
        }
        for field in fields
        for number in range(patches)
    ]
    return pd.DataFrame(rows)


def make_manifest(seed=0, **changes):
    names = [f"f{number:02d}" for number in range(20)]
    tables = [make_patches("train1", names), make_patches("train2", names), make_patches("test1", names[:3])]
    arguments = {"tables": tables, "test_slides": ["test1"], "validation_fraction": 0.15} | changes
    return build_manifest(**arguments, rng=np.random.default_rng(seed))


def test_fields_are_divided_in_the_preset_ratio():
    """0.85:0.15 by field; the fields of test slides apart."""
    fields = [(slide, f"f{number}") for slide in ("a", "b", "t") for number in range(50)]
    splits = assign_splits(fields, {"t"}, 0.15, np.random.default_rng(1))
    assert set(splits) == set(fields)
    assert all((split == "test") == (slide == "t") for (slide, _), split in splits.items())
    assert sum(split == "validation" for split in splits.values()) == 15
    assert sum(split == "train" for split in splits.values()) == 85


@pytest.mark.parametrize(
    ("count", "fraction", "validation"), [(0, 0.15, 0), (1, 0.15, 0), (2, 0.15, 1), (2, 0.9, 1), (9, 0, 0)]
)
def test_few_fields_still_validate_and_train(count, fraction, validation):
    """At least one field for each purpose where there are two."""
    fields = [("a", f"f{number}") for number in range(count)]
    splits = assign_splits(fields, (), fraction, np.random.default_rng(1))
    assert list(splits.values()).count("validation") == validation


def test_the_division_follows_the_seed_and_not_the_order():
    """The same seed divides alike whatever the order of the fields; another seed divides otherwise."""
    fields = [("a", f"f{number}") for number in range(30)]
    first = assign_splits(fields, (), 0.3, np.random.default_rng(1))
    assert first == assign_splits(fields[::-1], (), 0.3, np.random.default_rng(1))
    assert first != assign_splits(fields, (), 0.3, np.random.default_rng(2))


def test_wrong_divisions_are_refused():
    """A field twice, a fraction out of bounds, a test slide without a field."""
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="found the field a/f twice, wanted each field once"):
        assign_splits([("a", "f"), ("a", "f")], (), 0.15, rng)
    with pytest.raises(ValueError, match=r"found validation_fraction 1\.0, wanted at least 0 and below 1"):
        assign_splits([("a", "f")], (), 1.0, rng)
    with pytest.raises(ValueError, match="found no field of test slide 't', wanted one of a"):
        assign_splits([("a", "f")], ["t"], 0.15, rng)


def test_a_manifest_holds_every_patch_once(tmp_path):
    """All columns in their order; a field's patches share one split; it comes back from its file."""
    manifest = make_manifest()
    assert tuple(manifest.columns) == COLUMNS
    assert len(manifest) == 86
    assert (manifest.groupby(["slide", "fov"])["split"].nunique() == 1).all()
    assert manifest["split"].value_counts().to_dict() == {"train": 68, "validation": 12, "test": 6}
    write_table(manifest, tmp_path / "manifest.tsv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "manifest.tsv"), manifest, check_dtype=False)


def test_fields_without_a_kept_patch_do_not_validate():
    """A validation set must have patches, so only fields with some are drawn."""
    names = [f"f{number}" for number in range(10)]
    table = make_patches("train1", names)
    left_out = ~table["fov"].isin(["f3", "f8"])
    table.loc[left_out, ["kept", "reason"]] = [False, "low contrast"]
    for seed in range(5):
        manifest = build_manifest([table], (), 0.15, np.random.default_rng(seed))
        assert set(manifest.loc[manifest["split"] == "validation", "fov"]) <= {"f3", "f8"}
        assert set(manifest.loc[manifest["kept"], "split"]) == {"train", "validation"}


def test_patches_are_counted_by_reason():
    """Kept and left out, by split, with the number of fields that they come from."""
    manifest = make_manifest(validation_fraction=0)
    empty = manifest.index[:3]
    manifest.loc[empty, "kept"] = False
    manifest.loc[empty, "reason"] = "low contrast"
    counts = count_patches(manifest).set_index(["dataset", "split", "reason"])
    assert counts.loc[("ovary", "train", "low contrast")].to_dict() == {"fields": 2, "patches": 3}
    assert counts.loc[("ovary", "train", "kept")].to_dict() == {"fields": 39, "patches": 77}
    assert counts.loc[("ovary", "test", "kept")].to_dict() == {"fields": 3, "patches": 6}
    assert counts["patches"].sum() == len(manifest)


def test_manifests_on_two_sides_are_refused():
    """A field in two splits, a slide that trains and tests, a patch twice, an unknown split, no column."""
    manifest = make_manifest(validation_fraction=0)
    wrong = manifest.copy()
    wrong.loc[1, "split"] = "validation"
    with pytest.raises(InputError, match=r"m\.tsv: found ovary/train1/f00 in train and validation, wanted each field"):
        check_manifest(wrong, "m.tsv")
    wrong = manifest.copy()
    wrong.loc[wrong["fov"] == "f01", "split"] = "test"
    with pytest.raises(InputError, match=r"m\.tsv: found ovary/train1 in test and train or validation, wanted each"):
        check_manifest(wrong, "m.tsv")
    wrong = pd.concat([manifest, manifest.iloc[[3]]])
    with pytest.raises(InputError, match=r"m\.tsv: found the patch at y 0, x 512 of ovary/train1/f01 twice"):
        check_manifest(wrong, "m.tsv")
    wrong = manifest.copy()
    wrong.loc[0, "split"] = "training"
    with pytest.raises(InputError, match=r"m\.tsv, column split: found 'training', wanted one of train"):
        check_manifest(wrong, "m.tsv")
    with pytest.raises(InputError, match=r"m\.tsv: found no column 'kept', wanted dataset, slide"):
        check_manifest(manifest.drop(columns="kept"), "m.tsv")
