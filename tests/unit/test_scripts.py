"""What the scripts add to the library: errors that name the file and the field."""

import numpy as np
import pandas as pd
import pytest
from align_slide import align_slide
from deepr.slides import SlideWriter
from deepr.tables import InputError, write_table


def test_a_field_too_small_for_a_patch_is_named(tmp_path):
    """Alignment that leaves less than a patch says which field of which slide it is, and writes nothing."""
    stack = np.random.default_rng(0).integers(0, 1000, (3, 48, 48), dtype=np.uint16)
    path = tmp_path / "slide.ome.tif"
    with SlideWriter(path, 0.325, "20x/0.75", "DAPI", "own") as writer:
        writer.write("corner", stack, [0.0, 1.0, 2.0])
    with pytest.raises(InputError, match=r"slide\.ome\.tif, field corner: After alignment no 64 x 64 pixels"):
        align_slide(path, tmp_path / "aligned.ome.tif", tmp_path / "aligned.tsv", "focus", 0.5, 64, 1)
    assert list(tmp_path.iterdir()) == [path]


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
