"""Alignment: the same as pystackreg with ImageJ's conversion, and windows free of zero borders."""

import numpy as np
import pytest
from deepr.alignment import align_stack, transform_plane, valid_window
from pystackreg import StackReg


def rigid(angle_deg, shift_x, shift_y, centre):
    """Rotation about a centre (x = y), then a shift, as a matrix for (x, y, 1)."""
    angle = np.deg2rad(angle_deg)
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:2, 2] = centre - matrix[:2, :2] @ [centre, centre] + [shift_x, shift_y]
    return matrix


def random_drift(rng, planes, side, scale_px=1.0):
    """One matrix per plane from stage to raw coordinates, a random walk away from the first."""
    steps = rng.normal(scale=[0.2, scale_px, scale_px], size=(planes, 3))
    steps[0] = 0
    return np.stack([rigid(*pose, (side - 1) / 2) for pose in np.cumsum(steps, axis=0)])


def texture_stack(rng, drift, side):
    """Sums of cosines, sampled exactly where the drift puts every pixel; values from 0 to 1."""
    waves = rng.uniform(-0.5, 0.5, (60, 2))
    phases = rng.uniform(0, 2 * np.pi, 60)
    y, x = np.indices((side, side)).reshape(2, -1)
    planes = []
    for matrix in drift:
        stage = np.linalg.solve(matrix, [x, y, np.ones_like(x)])[:2]
        planes.append(np.cos(waves @ stage + phases[:, np.newaxis]).sum(axis=0).reshape(side, side))
    stack = np.stack(planes)
    return (stack - stack.min()) / np.ptp(stack)


@pytest.fixture(scope="module")
def drift():
    return random_drift(np.random.default_rng(7), 5, 96)


@pytest.fixture(scope="module")
def texture(drift):
    return texture_stack(np.random.default_rng(8), drift, 96)


def convert(planes, dtype):
    """ImageJ's conversion: clip, round half up."""
    return np.floor(np.clip(planes, 0, np.iinfo(dtype).max) + 0.5).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("threads", [1, 2])
def test_first_anchor_equals_register_stack(texture, dtype, threads):
    """Matrices and pixels are those of register_stack and transform_stack, and the anchor is untouched."""
    stack = (texture * np.iinfo(dtype).max).astype(dtype)
    program = StackReg(StackReg.RIGID_BODY)
    expected = program.register_stack(stack, reference="previous", suppress_axis_warning=True)
    aligned, matrices = align_stack(stack, threads=threads)
    assert np.array_equal(matrices, expected)
    assert np.array_equal(aligned[1:], convert(program.transform_stack(stack), dtype)[1:])
    assert np.array_equal(aligned[0], stack[0])
    assert aligned.dtype == dtype


@pytest.mark.parametrize("anchor", [2, 4])
def test_other_anchors_are_chained_outward(texture, anchor):
    """Planes are registered to their original neighbour on the anchor's side, and matrices chained."""
    stack = (texture * 4000).astype(np.uint16)
    program = StackReg(StackReg.RIGID_BODY)
    expected = {anchor: np.eye(3)}
    for z in range(anchor + 1, 5):
        expected[z] = program.register(stack[z - 1], stack[z]) @ expected[z - 1]
    for z in range(anchor - 1, -1, -1):
        expected[z] = program.register(stack[z + 1], stack[z]) @ expected[z + 1]
    aligned, matrices = align_stack(stack, anchor=anchor, threads=2)
    for z in range(5):
        assert np.array_equal(matrices[z], expected[z])
        moved = convert(program.transform(stack[z], expected[z]), np.uint16)
        assert np.array_equal(aligned[z], stack[z] if z == anchor else moved)


def test_colours_move_with_their_principal_component(texture):
    """RGB is registered by the first principal component of all colours, and each channel transformed."""
    red = texture * 200
    stack = np.stack([red, 0.5 * red + 20, 255 - 0.2 * red], axis=-1).round().astype(np.uint8)
    colours = stack.reshape(-1, 3).astype(float)
    _, _, components = np.linalg.svd(colours - colours.mean(axis=0), full_matrices=False)
    grey = (stack @ (components[0] / components[0].sum())).astype(np.float32)
    program = StackReg(StackReg.RIGID_BODY)
    expected = program.register_stack(grey, reference="previous", suppress_axis_warning=True)
    aligned, matrices = align_stack(stack)
    np.testing.assert_allclose(matrices, expected, atol=1e-5)
    for channel in range(3):
        moved = program.transform_stack(stack[..., channel], tmats=matrices)
        assert np.array_equal(aligned[1:, ..., channel], convert(moved[1:], np.uint8))


@pytest.mark.parametrize("anchor", [0, 2])
def test_known_drift_is_recovered(texture, drift, anchor):
    """The four corners come back within a tenth of a pixel."""
    _, matrices = align_stack(texture.astype(np.float32), anchor=anchor)
    true = drift @ np.linalg.inv(drift[anchor])
    corners = np.array([[0, 95, 0, 95], [0, 0, 95, 95], [1, 1, 1, 1]])
    distance = np.linalg.norm(((matrices - true) @ corners)[:, :2], axis=1)
    assert np.abs(true @ corners - corners).max() > 1
    assert distance.max() < 0.1


def test_a_turn_beyond_the_limit_is_no_movement(drift, caplog):
    """A plane turned by 3 degrees is left to its neighbour's matrix, and named; others are aligned as ever."""
    turned = drift.copy()
    turned[4] = rigid(3, 0, 0, 47.5) @ drift[3]
    stack = texture_stack(np.random.default_rng(8), turned, 96).astype(np.float32)
    free = align_stack(stack, anchor=2)[1]
    limited = align_stack(stack, anchor=2, max_rotation_deg=2)[1]
    np.testing.assert_array_equal(limited[:4], free[:4])
    np.testing.assert_array_equal(limited[4], limited[3])
    assert np.rad2deg(np.arcsin(free[4, 1, 0] - free[3, 1, 0])) == pytest.approx(3, abs=0.1)
    assert "plane 4" in caplog.text


def test_a_plane_that_jumps_is_left_where_its_neighbour_is(caplog):
    """A registration beyond the limit is a failure, one within it is kept, and the log says which."""
    drift = [rigid(0, dx, 0, 47.5) for dx in (0, 0.4, 0.8, 1.2)]
    jump = rigid(0, 7.0, 0, 47.5) @ drift[3]
    stack = texture_stack(np.random.default_rng(8), [*drift, jump], 96).astype(np.float32)
    free = align_stack(stack, anchor=1)[1]
    limited = align_stack(stack, anchor=1, max_shift_px=2)[1]
    np.testing.assert_array_equal(limited[:4], free[:4])
    np.testing.assert_array_equal(limited[4], limited[3])
    assert np.abs(free[4] - free[3])[:2, 2].max() == pytest.approx(7, abs=0.3)
    assert (
        "plane 4: registration moves it by 7" in caplog.text or "plane 4: registration moves it by 6.9" in caplog.text
    )


def test_memory_map_is_aligned(texture, tmp_path):
    """A stack may stay on disk, read-only, with processes reading it."""
    np.save(tmp_path / "stack.npy", (texture[:3] * 255).astype(np.uint8))
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    expected, _ = align_stack(np.array(mapped))
    assert np.array_equal(align_stack(mapped, threads=2)[0], expected)


def test_floats_are_not_rounded(texture):
    """A float plane keeps the values of the splines, integers are clipped and rounded half up."""
    matrix = rigid(1, 0.4, -0.3, 47.5)
    plane = texture[0].astype(np.float32)
    moved = StackReg(StackReg.RIGID_BODY).transform(plane, matrix)
    assert np.array_equal(transform_plane(plane, matrix), moved.astype(np.float32))
    integers = (plane * 255).round().astype(np.uint8)
    moved = StackReg(StackReg.RIGID_BODY).transform(integers, matrix)
    assert np.array_equal(transform_plane(integers, matrix), convert(moved, np.uint8))
    colours = np.stack([integers, integers // 2, 255 - integers], axis=-1)
    assert np.array_equal(transform_plane(colours, matrix)[..., 0], transform_plane(integers, matrix))


def largest_rectangle(valid):
    """Pixels of the largest rectangle of true values, by trying all pairs of rows."""
    largest = 0
    for top in range(len(valid)):
        columns = np.ones(valid.shape[1], bool)
        for bottom in range(top, len(valid)):
            columns &= valid[bottom]
            breaks = np.flatnonzero(np.concatenate([[True], ~columns, [True]]))
            largest = max(largest, (bottom - top + 1) * (np.diff(breaks).max() - 1))
    return largest


@pytest.mark.parametrize("seed", range(8))
def test_valid_window_is_the_largest_without_zeros(seed):
    """No aligned plane of ones has a zero in the window, and no larger rectangle has none."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(40, 60)), int(rng.integers(40, 60)))
    matrices = random_drift(rng, 4, min(shape), scale_px=3)
    valid = np.all([transform_plane(np.ones(shape), matrix) != 0 for matrix in matrices], axis=0)
    y, x, height, width = valid_window(shape, matrices)
    assert valid[y : y + height, x : x + width].all()
    assert height * width == largest_rectangle(valid)


def test_valid_window_of_pure_shifts():
    """A drift of 3.4 px to the right and 2.6 px up costs 3 columns on one side, 3 rows on the other."""
    matrices = np.stack([rigid(0, 0, 0, 0), rigid(0, 3.4, -2.6, 0)])
    assert valid_window((40, 50), matrices) == (3, 0, 37, 47)


def test_valid_window_keeps_to_the_middle():
    """Sides are multiples of the patch, and what is left over is shared between the borders."""
    assert valid_window((100, 160), np.eye(3)[np.newaxis], multiple=32) == (2, 0, 96, 160)
    assert valid_window((544, 544), np.eye(3)[np.newaxis], multiple=512) == (16, 16, 512, 512)
    rotated = np.stack([np.eye(3), rigid(0.5, 0, 0, 271.5)])
    y, x, height, width = valid_window((544, 544), rotated, multiple=512)
    assert (height, width) == (512, 512)
    assert abs(y - 16) <= 1 and abs(x - 16) <= 1


def test_no_valid_window_is_an_error():
    """A drift larger than the margin around a patch is named."""
    matrices = np.stack([np.eye(3), rigid(0, 20, 0, 0)])
    with pytest.raises(ValueError, match=r"no 32 x 32 pixels of the 48 x 48 .* 2 planes"):
        valid_window((48, 48), matrices, multiple=32)


@pytest.mark.parametrize(
    ("change", "anchor", "message"),
    [
        (lambda stack: stack[0], 0, r"shape \(96, 96\)"),
        (lambda stack: stack[:1], 0, "1 plane, but at least 2"),
        (lambda stack: stack[:, :20], 0, "20 x 96 pixels"),
        (lambda stack: stack, 5, "anchor is plane 5, but must be 0 to 4"),
        (lambda stack: stack, -1, "anchor is plane -1"),
        (lambda stack: np.where(np.arange(5)[:, None, None] == 3, np.nan, stack), 0, "Plane 3 .* not finite"),
        (
            lambda stack: np.where(np.arange(5)[:, None, None] == 2, 7.0, stack),
            0,
            r"Plane 2 .* constant \(7.0\)",
        ),
    ],
)
def test_bad_stacks_are_refused(texture, change, anchor, message):
    """What cannot be registered stops with a sentence that says why."""
    with pytest.raises(ValueError, match=message):
        align_stack(change(texture), anchor=anchor)


def test_image_of_wrong_dimensions_is_refused():
    """A stack is no plane."""
    with pytest.raises(ValueError, match=r"shape \(4, 8, 8\)"):
        transform_plane(np.ones((4, 8, 8)), np.eye(3))
