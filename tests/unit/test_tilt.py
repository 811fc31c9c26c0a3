"""Tilted samples: the reference, the measurement, the figure and its claim."""

import numpy as np
import pandas as pd
import pytest
from deepr.figures.figure_s1 import draw_figure_s1, sharpness_over_fields, typical_field
from deepr.metrics import normalise
from deepr.networks.generator import build_generator
from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE
from deepr.scorecard.tilt import judge_figure_s1
from deepr.slides import SlideWriter
from deepr.tables import InputError
from deepr.tilt import measure_field, reference_window
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="module")
def tilted():
    """Texture whose focus wanders from the first row at -1 um to the last at 1 um."""
    texture = np.random.default_rng(0).gamma(1.0, 200.0, (64, 64))
    z_um = np.round(np.arange(-4, 4.1, 0.2), 3)
    focus_um = np.linspace(-1, 1, 64)
    blurs = np.stack([gaussian_filter(texture, sigma) for sigma in np.arange(0.3, 6, 0.1)])
    index = np.clip(np.abs(z_um[:, None] - focus_um) / 0.1, 0, len(blurs) - 1).astype(int)
    stack = np.take_along_axis(blurs, index[:, :, None], axis=0)
    return stack.astype(np.uint16), z_um


def test_the_reference_is_the_projection_around_focus(tilted):
    """Ten planes 0.2 um apart, within the heights at which rows are in focus."""
    stack, z_um = tilted
    window, image = reference_window(stack, z_um)
    assert window.stop - window.start == 10
    assert -1.2 <= z_um[window.start] and z_um[window.stop - 1] <= 1.2
    np.testing.assert_array_equal(image, stack[window].max(axis=0))
    with pytest.raises(ValueError, match=r"from -4 to -3 um; wanted at least two within 1.8 um"):
        reference_window(stack[:6], z_um[:6])


def test_rows_in_focus_are_as_sharp_as_the_reference(tilted):
    """The input is sharpest in the rows whose focus it is at, and there is a row of the table for each."""
    stack, z_um = tilted
    rows, images, shown_um = measure_field(stack, z_um, build_generator(2, seed=0))
    assert shown_um == [0.0, -2.2]
    assert images.shape == (5, 64, 64)
    assert len(rows) == 2 * 2 * 64
    # The upper input is sharper at the end of the tilt that is in focus above, the lower one at the other.
    inputs = rows[rows["image"] == "input"].pivot(index="row", columns="z_um", values="sharpness")
    assert inputs[0.0][40:].mean() > inputs[-2.2][40:].mean()
    assert inputs[0.0][:24].mean() < inputs[-2.2][:24].mean()
    np.testing.assert_allclose(images[-1], normalise(reference_window(stack, z_um)[1]))


def test_a_stack_without_the_plane_is_refused(tilted):
    """The message says which planes there are and which one is missing."""
    stack, z_um = tilted
    with pytest.raises(InputError, match=r"planes from .* wanted one at -19 um"):
        measure_field(stack, z_um, build_generator(2, seed=0), inputs_um=(-19.0, 0.0))


def made_rows(gain, fields=3):
    base = pd.DataFrame({"row": np.arange(64), "y_um": np.arange(64) * 0.325})
    frames = [
        base.assign(slide="s", fov=f"f{number}", z_um=z_um, image=image, sharpness=value, deviation=0.02)
        for number in range(fields)
        for z_um in (0.0, -2.2)
        for image, value in (("input", 0.5), ("output", 0.5 + gain + 0.01 * number))
    ]
    return pd.concat(frames, ignore_index=True)


def test_claims_of_figure_s1():
    """Sharper everywhere holds, one dull row fails, a tiny training cannot be judged."""
    assert list(judge_figure_s1(made_rows(0.2), "simulated", "demonstration")["verdict"]) == [HOLDS, HOLDS]
    dull = made_rows(0.2)
    dull.loc[(dull["image"] == "output") & (dull["row"] == 7), "sharpness"] = 0.4
    card = judge_figure_s1(dull, "simulated", "demonstration")
    assert list(card["verdict"]) == [FAILS, FAILS]
    assert card["measured"][0].startswith("98.4 % of the rows, 3 fields")
    assert set(judge_figure_s1(dull, "simulated", "tiny")["verdict"]) == {UNTESTABLE}


def test_figure_s1_is_drawn_of_the_median_field(tmp_path):
    """All formats are written, and the numbers hold the mean over the fields."""
    rows = made_rows(0.2)
    assert typical_field(rows) == ("s", "f1")
    rng = np.random.default_rng(1)
    path = tmp_path / "images.ome.tif"
    with SlideWriter(path, 0.325, "20x/0.75", "autofluorescence", "simulated") as writer:
        for number in range(3):
            images = gaussian_filter(rng.normal(size=(5, 64, 64)), (0, 2, 2)).astype(np.float32)
            writer.write(f"s_f{number}", images, np.arange(5.0))
    draw_figure_s1(rows, path, 1.5, "simulated", "tiny", tmp_path / "figS1")
    assert all((tmp_path / f"figS1.{suffix}").stat().st_size > 1000 for suffix in ("png", "pdf", "svg", "tsv"))
    mean = sharpness_over_fields(rows)
    assert np.allclose(mean.loc[mean["image"] == "output", "mean"], 0.71)
