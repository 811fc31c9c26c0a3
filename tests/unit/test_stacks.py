"""A person's own stacks: real files are read plane for plane, and what cannot be used is refused."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from deepr.calibration import uncalibrated_stacks
from deepr.images import read_calibration
from deepr.sheets import read_stacks
from deepr.stacks import check_stack, check_stacks, narrow_fields, read_stack
from deepr.tables import InputError

RNG = np.random.default_rng(7)


def random_stack(*shape, dtype=np.uint16):
    return RNG.integers(0, 200, shape).astype(dtype)


def make_row(path, axes="ZYX", **changes):
    """Make a row as `read_stacks` gives it."""
    paths = tuple(str(one) for one in (path if isinstance(path, list) else [path]))
    row = {
        "dataset": "own",
        "path": str(path),
        "paths": paths,
        "axes": axes,
        "channel_index": 0,
        "step_um": 0.5,
        "z_um": (),
        "where": "stacks.tsv, line 2",
    }
    return row | changes


def write(path, stack, photometric="minisblack", **keywords):
    tifffile.imwrite(path, stack, photometric=photometric, **keywords)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float32"])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_grey_stacks_are_read(tmp_path, dtype, compression):
    """8 and 16 bit and floats, either byte order, compressed or not."""
    stack = random_stack(5, 20, 30, dtype=dtype)
    row = make_row(write(tmp_path / "a.tif", stack, compression=compression))
    found, z_um = read_stack(row)
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, stack)
    np.testing.assert_allclose(z_um, [0, 0.5, 1, 1.5, 2])
    assert check_stack(row) == (5, 20, 30)


@pytest.mark.parametrize(
    ("axes", "shape", "keywords"),
    [
        ("ZCYX", (5, 2, 20, 30), {"imagej": True}),
        ("CZYX", (2, 5, 20, 30), {"ome": True, "metadata": {"axes": "CZYX"}}),
        ("ZCYX", (5, 2, 20, 30), {"ome": True, "metadata": {"axes": "ZCYX"}, "compression": "lzw"}),
    ],
)
def test_a_channel_is_picked(tmp_path, axes, shape, keywords):
    """Files with several channels, as ImageJ and OME programs write them."""
    stack = random_stack(*shape)
    found, _ = read_stack(make_row(write(tmp_path / "a.tif", stack, **keywords), axes, channel_index=1))
    np.testing.assert_array_equal(found, stack.take(1, axis=axes.index("C")))


def test_colour_stacks_are_read(tmp_path):
    """Samples last or before the rows: (Z, Y, X, 3) comes out."""
    stack = random_stack(4, 20, 30, 3, dtype=np.uint8)
    last = make_row(write(tmp_path / "a.tif", stack, photometric="rgb"), "ZYXS")
    apart = write(tmp_path / "b.tif", np.moveaxis(stack, -1, 1), photometric="rgb", planarconfig="separate")
    for row in (last, make_row(apart, "ZSYX")):
        assert check_stack(row) == (4, 20, 30, 3)
        np.testing.assert_array_equal(read_stack(row)[0], stack)


def test_double_precision_is_rounded_to_single(tmp_path):
    """Floats stay floats: nothing is rescaled to integers."""
    stack = RNG.random((3, 20, 30))
    found, _ = read_stack(make_row(write(tmp_path / "a.tif", stack)))
    np.testing.assert_array_equal(found, stack.astype(np.float32))


def test_planes_come_in_ascending_z(tmp_path):
    """A stack taken from the top downwards is turned over, with its z."""
    stack = random_stack(3, 20, 30)
    path = write(tmp_path / "a.tif", stack)
    for changes in ({"step_um": -0.5}, {"step_um": np.nan, "z_um": (0, -0.5, -1)}):
        found, z_um = read_stack(make_row(path, **changes))
        np.testing.assert_array_equal(found, stack[::-1])
        np.testing.assert_allclose(z_um, [-1, -0.5, 0])


def test_one_file_per_plane_and_dimensions_of_one(tmp_path):
    """Planes in files of their own, one of them with a superfluous dimension."""
    stack = random_stack(3, 20, 30)
    paths = [write(tmp_path / f"z{plane}.tif", image) for plane, image in enumerate(stack)]
    write(paths[1], stack[1][np.newaxis], metadata={"axes": "ZYX"})
    found, _ = read_stack(make_row(paths, "YX"))
    np.testing.assert_array_equal(found, stack)


@pytest.mark.parametrize(
    ("keywords", "found"),
    [
        ({"imagej": True, "resolution": (2, 2), "metadata": {"unit": "um", "spacing": 0.5, "axes": "ZYX"}}, (0.5, 0.5)),
        ({"imagej": True, "resolution": (2, 2), "metadata": {"axes": "ZYX"}}, (None, None)),
        (
            {
                "ome": True,
                "metadata": {"PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm", "PhysicalSizeZ": 2, "axes": "ZYX"},
            },
            (0.325, 2),
        ),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, (None, None)),
    ],
)
def test_what_a_file_says_of_its_pixels_and_planes(tmp_path, keywords, found):
    """OME's and ImageJ's words count if they come with a unit; the dots per inch of a printer do not."""
    path = write(tmp_path / "a.tif", random_stack(5, 20, 30), **keywords)
    assert read_calibration(path) == pytest.approx(found) if None not in found else read_calibration(path) == found


def test_a_sheet_that_contradicts_its_files_is_told(tmp_path):
    """Nanometres for micrometres and another step: the first is named, the others are counted, both are taken."""
    calibration = {"unit": "um", "spacing": 0.5, "axes": "ZYX"}
    path = write(tmp_path / "a.tif", random_stack(5, 20, 30), imagej=True, resolution=(4, 4), metadata=calibration)
    rows = {"right": {}, "nanometres": {"pixel_um": 250.0}, "step": {"step_um": 1.0}, "down": {"step_um": -0.5}}
    rows["heights"] = {"step_um": np.nan, "z_um": (0, 1, 2, 3, 4)}
    frame = pd.DataFrame([make_row(path, pixel_um=0.25) | changes for changes in rows.values()], index=list(rows))
    assert uncalibrated_stacks(frame.loc[["right", "down", "heights"]]) == ""
    assert "a.tif: step_um is 1, but the file says 0.5 um; the sheet is taken" in uncalibrated_stacks(
        frame.loc[["step"]]
    )
    sentence = uncalibrated_stacks(frame)
    assert "stacks.tsv, line 2" in sentence
    assert "pixel_um is 250, but the file says 0.25 um (2 of 5 rows differ)" in sentence


@pytest.mark.parametrize("changes", [{"step_um": 2.0}, {"step_um": np.nan, "z_um": (0, 2, 4, 6, 8)}])
def test_planes_farther_apart_than_the_range_are_refused(tmp_path, changes):
    """A network would see its focus planes alone, and learn nothing."""
    row = make_row(write(tmp_path / "a.tif", random_stack(5, 20, 30)), **changes)
    assert check_stack(row, finest_um=2) == (5, 20, 30)
    with pytest.raises(InputError, match=r"a\.tif: found planes 2 um apart, wanted at most 1\.5 um"):
        check_stack(row, finest_um=1.5)
    for split in ("train", "test"):
        with pytest.raises(InputError, match=r"planes 2 um apart, wanted at most 1 um, for a network with range_um 1 "):
            check_stacks(pd.DataFrame([row | {"split": split}]), range_um=4, finest_um=1)


@pytest.mark.parametrize(
    ("stack", "changes", "sentence"),
    [
        (random_stack(1, 20, 30), {"axes": "YX"}, "found one plane only, wanted a z-stack of two or more"),
        (random_stack(20, 30), {}, r"found 2 dimensions \(20 x 30\), wanted 3 as axes ZYX says"),
        (random_stack(4, 5, 20, 30), {}, r"found 4 dimensions \(4 x 5 x 20 x 30\), wanted 3"),
        (
            random_stack(4, 20, 30, dtype=np.int32),
            {},
            "found pixels of type int32, wanted one of uint8, uint16",
        ),
        (
            random_stack(5, 2, 20, 30),
            {"axes": "ZCYX", "channel_index": 2},
            "found 2 channels, wanted more than channel_index 2",
        ),
        (random_stack(3, 20, 30), {"z_um": (0, 1, 2, 3)}, "found 3 planes, wanted 4 as in column z_um"),
        (
            random_stack(3, 20, 30),
            {"z_um": (0, 2, 1)},
            "found z_um from 2 to 1, wanted z that only rises or only",
        ),
        (random_stack(3, 20, 30), {"z_um": (0, 1, 1)}, "found z_um from 1 to 1, wanted z that only"),
        (random_stack(3, 20, 30), {"z_um": (1, 0, 1)}, "found z_um from 1 to 0, wanted z that only"),
    ],
)
def test_wrong_stacks_are_refused(tmp_path, stack, changes, sentence):
    """By the header alone; the sentence names the sheet's line and the file."""
    path = write(tmp_path / "a.tif", stack)
    with pytest.raises(InputError, match=rf"stacks\.tsv, line 2, .*a\.tif: {sentence}") as refusal:
        check_stack(make_row(path, **changes))
    assert "\n" not in str(refusal.value)


def test_an_unexpected_order_of_axes_is_refused(tmp_path):
    """Where the file names its axes, the sheet must not name them otherwise; colour is never taken for z."""
    path = write(tmp_path / "a.tif", random_stack(5, 2, 20, 30), imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(InputError, match=r"a\.tif: found axes in the order ZCYX, wanted CZYX"):
        check_stack(make_row(path, "CZYX"))
    path = write(tmp_path / "b.tif", random_stack(20, 30, 3, dtype=np.uint8), photometric="rgb")
    with pytest.raises(InputError, match=r"b\.tif: found axes YXS, wanted ZYX"):
        check_stack(make_row(path))
    path = write(tmp_path / "c.tif", random_stack(5, 20, 30, 4, dtype=np.uint8), photometric="rgb")
    with pytest.raises(InputError, match=r"c\.tif: found 4 samples per pixel, wanted 3"):
        check_stack(make_row(path, "ZYXS"))


def test_fields_and_ranges_that_do_not_fit_are_refused(tmp_path):
    """A field smaller than a patch, a network that looks beyond the planes, grey and colour mixed."""
    grey = make_row(write(tmp_path / "a.tif", random_stack(5, 64, 60)))
    frame = pd.DataFrame([grey])
    check_stacks(frame, patch_px=60, range_um=1.0)
    with pytest.raises(InputError, match=r"a\.tif: found a field of 64 x 60 px, wanted at least 64 x 64 px"):
        check_stacks(frame, patch_px=64)
    with pytest.raises(InputError, match=r"a\.tif: found planes over 2 um, wanted at least 3 um .* range_um 1.5"):
        check_stacks(frame, range_um=1.5)
    path = write(tmp_path / "b.tif", random_stack(5, 64, 60, 3, dtype=np.uint8), photometric="rgb")
    colour = make_row(path, "ZYXS", where="stacks.tsv, line 3")
    check_stacks(pd.DataFrame([grey, colour | {"dataset": "other"}]))
    with pytest.raises(InputError, match=r"line 3, .*b\.tif: found a colour stack, wanted grey ones only in .*own"):
        check_stacks(pd.DataFrame([grey, colour]))


def test_what_the_headers_tell(tmp_path):
    """Channels, megabytes of pixels as they are read, and the margin around a patch; files may be compressed."""
    grey = write(tmp_path / "a.tif", random_stack(5, 64, 80), compression="zlib")
    colour = write(tmp_path / "b.tif", random_stack(4, 70, 60, 3, dtype=np.uint8), photometric="rgb")
    double = write(tmp_path / "c.tif", RNG.random((5, 50, 50)))
    rows = [make_row(grey), make_row(colour, "ZYXS", dataset="other"), make_row(double)]
    facts = check_stacks(pd.DataFrame(rows, index=[4, 7, 9]), patch_px=48)
    assert facts.index.tolist() == [4, 7, 9]
    assert facts["channels"].tolist() == [1, 3, 1]
    np.testing.assert_allclose(facts["stack_mb"], [0.0512, 0.0504, 0.05])
    assert facts["margin_px"].tolist() == [16, 12, 2]


def test_fields_hardly_larger_than_a_patch_are_told(tmp_path):
    """Alignment would crop them below a patch; one sentence names the first and counts."""
    wide = make_row(write(tmp_path / "a.tif", random_stack(5, 80, 90)))
    narrow = make_row(write(tmp_path / "b.tif", random_stack(5, 64, 90)), where="stacks.tsv, line 3")
    frame = pd.DataFrame([wide, narrow, {**narrow, "where": "stacks.tsv, line 4"}])
    sentence = narrow_fields(frame, check_stacks(frame, patch_px=64), 64)
    assert "stacks.tsv, line 3" in sentence and "b.tif: found a field only 0 px larger than patch_px 64" in sentence
    assert "2 of 3 fields of own less than 16 px" in sentence
    assert narrow_fields(frame[:1], check_stacks(frame[:1], patch_px=64), 64) == ""


def test_stacks_for_testing_may_be_shorter_than_the_training_range(tmp_path):
    """Only training rows have to span it."""
    path = write(tmp_path / "a.tif", random_stack(5, 64, 60))
    check_stacks(pd.DataFrame([make_row(path, split="test")]), range_um=1.5)
    with pytest.raises(InputError, match="found planes over 2 um, wanted at least 3 um"):
        check_stacks(pd.DataFrame([make_row(path, split="train")]), range_um=1.5)


@pytest.mark.parametrize("keywords", [{}, {"imagej": True}, {"ome": True}, {"compression": "lzw"}])
@pytest.mark.parametrize("fraction", [0, 0.01, 0.3, 0.9])
def test_truncated_files_are_refused(tmp_path, keywords, fraction):
    """Wherever a copy broke off, the header check finds it."""
    path = write(tmp_path / "a.tif", random_stack(6, 40, 50), **keywords)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(fraction * len(whole))])
    with pytest.raises(InputError, match=r"line 2, .*a\.tif: found (a truncated|an empty)"):
        check_stack(make_row(path))


def test_one_file_of_several_is_a_plane_alone(tmp_path, write_plane_by_plane):
    """Files with OME-XML that names them all are planes by a pattern, compressed or not; one may stay behind."""
    stack = random_stack(4, 40, 50)
    paths = write_plane_by_plane(tmp_path, stack, compression="zlib")
    row = make_row(paths, "YX")
    assert check_stack(row) == (4, 40, 50)
    np.testing.assert_array_equal(read_stack(row)[0], stack)
    paths[3].unlink()
    np.testing.assert_array_equal(read_stack(row | {"paths": row["paths"][:3]})[0], stack[:3])


def test_an_acquisition_that_was_stopped_has_the_planes_that_are_there(tmp_path):
    """OME-XML may promise more planes than the file has."""
    stack = random_stack(3, 40, 50)
    sizes = 'SizeX="50" SizeY="40" SizeC="1" SizeZ="5" SizeT="1"'
    description = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" {sizes}>'
        '<Channel ID="Channel:0" SamplesPerPixel="1"/><TiffData/></Pixels></Image></OME>'
    )
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for number, plane in enumerate(stack):
            said = {} if number else {"description": description}
            writer.write(plane, contiguous=False, metadata=None, photometric="minisblack", **said)
    row = make_row(tmp_path / "a.ome.tif")
    assert check_stack(row) == (3, 40, 50)
    np.testing.assert_array_equal(read_stack(row)[0], stack)


def test_files_that_are_no_stack_are_refused(tmp_path):
    """Text, several images in one file, pixels that do not unpack, a file that went away."""
    path = tmp_path / "a.tif"
    path.write_text("no image at all, but long enough to be taken for a header")
    with pytest.raises(InputError, match=r"a\.tif: found a truncated file or none that is TIFF"):
        check_stack(make_row(path))
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(random_stack(3, 20, 30), photometric="minisblack")
        tiff.write(random_stack(3, 40, 30), photometric="minisblack")
    with pytest.raises(InputError, match=r"a\.tif: found 2 images in one file, wanted one z-stack"):
        check_stack(make_row(path))
    write(path, random_stack(3, 40, 50), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages[1].dataoffsets[0]
    damaged = bytearray(path.read_bytes())
    damaged[start : start + 40] = bytes(40)
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"a\.tif: found pixels that cannot be decoded"):
        read_stack(make_row(path))
    path.unlink()
    with pytest.raises(InputError, match=r"a\.tif: found a truncated file or none .*No such file"):
        check_stack(make_row(path))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.nan, "found NaN or infinite pixels in plane 2, wanted finite ones"),
        (-np.inf, "found NaN or infinite pixels in plane 2"),
    ],
)
def test_pixels_that_are_no_numbers_are_refused(tmp_path, value, sentence):
    """One bad pixel is enough."""
    stack = random_stack(4, 20, 30, dtype=np.float32)
    stack[2, 3, 4] = value
    with pytest.raises(InputError, match=rf"a\.tif: {sentence}"):
        read_stack(make_row(write(tmp_path / "a.tif", stack)))


def test_double_precision_beyond_single_is_refused(tmp_path):
    """What would become infinite is not read as infinite."""
    stack = RNG.random((3, 20, 30))
    stack[1, 0, 0] = 1e300
    with pytest.raises(InputError, match=r"a\.tif: found NaN or infinite pixels in plane 1"):
        read_stack(make_row(write(tmp_path / "a.tif", stack)))


def test_constant_planes_are_refused(tmp_path):
    """A closed shutter shows in one plane; the sentence names the plane, and the file of a pattern."""
    stack = random_stack(4, 20, 30)
    stack[3] = 100
    with pytest.raises(InputError, match=r"a\.tif: found plane 3 constant \(all pixels 100\), wanted an image"):
        read_stack(make_row(write(tmp_path / "a.tif", stack)))
    paths = [write(tmp_path / f"z{plane}.tif", image) for plane, image in enumerate(stack)]
    with pytest.raises(InputError, match=r"z3\.tif: found plane 3 constant"):
        read_stack(make_row(paths, "YX"))


def test_wrong_files_of_a_pattern_are_refused(tmp_path):
    """A plane of another size or type among the others, an empty one, several whole stacks."""
    stack = random_stack(4, 20, 30)
    paths = [write(tmp_path / f"z{plane}.tif", image) for plane, image in enumerate(stack)]
    write(paths[2], stack[2, :, :-1])
    with pytest.raises(InputError, match=r"z2\.tif: found 20 x 29 uint16, wanted 20 x 30 uint16 as in z0\.tif"):
        read_stack(make_row(paths, "YX"))
    write(paths[3], stack[3].astype(np.uint8))
    with pytest.raises(InputError, match=r"z3\.tif: found 20 x 30 uint8, wanted 20 x 30 uint16 as in z0\.tif"):
        check_stack(make_row(paths, "YX"))
    write(paths[3], stack[3])
    paths[1].write_bytes(b"")
    with pytest.raises(InputError, match=r"z1\.tif: found an empty file, wanted a TIFF file"):
        check_stack(make_row(paths, "YX"))
    whole = [write(tmp_path / f"w{number}.tif", stack) for number in range(2)]
    with pytest.raises(InputError, match=r"found 2 files and axes ZYX, wanted axes without Z"):
        check_stack(make_row(whole))


REAL_STACKS = """
dataset slide fov path axes channel_index pixel_um step_um z_um objective
microspheres E07 s1 microspheres-20x075-imagexpress/E07_s1/*_z*.tif YX - 1.3668 5 - 20x/0.75
microspheres E07 s2 microspheres-20x075-imagexpress/E07_s2/*_z*.tif YX - 1.3668 5 - 20x/0.75
beads b1 f1 beads-na095-widefield/sample_zstack*.tif YX - 0.108 0.3 - NA0.95
nucleus n1 f1 nucleus-confocal-widefield/xyzc_16bit__dna_conf_wf.tif ZCYX 1 0.512 0.4994 - -
metal m1 f1 reflected-brightfield-rgb/level1_ix000_iy000_z+*.tiff YXS - 0.286 - 0;6.52;16.81 -
"""


def test_real_stacks_are_read(real_data, tmp_path):
    """LZW-compressed, 8 and 16 bit, one file per plane, two channels, colour; the focus planes are known."""
    for folder in real_data.iterdir():
        if folder.is_dir():
            (tmp_path / folder.name).symlink_to(folder)
    (tmp_path / "stacks.tsv").write_text(
        "\n".join("\t".join("" if cell == "-" else cell for cell in line.split()) for line in REAL_STACKS.splitlines())
    )
    frame = read_stacks(tmp_path / "stacks.tsv")
    # Ranges that the planes reach and that are no shorter than their steps.
    for number, range_um in enumerate([5.0, 5.0, 4.0, 10.0, 8.0]):
        check_stacks(frame[number : number + 1], patch_px=128, range_um=range_um)
    expected = [
        ((10, 512, 512), "uint16", 45.0, 4),
        ((10, 512, 512), "uint16", 45.0, 4),
        ((34, 512, 512), "uint8", 9.9, 17),
        ((45, 130, 133), "uint16", 21.9736, 19),
        ((3, 1200, 1920, 3), "uint8", 16.81, 0),
    ]
    for (_, row), (shape, dtype, span_um, sharpest) in zip(frame.iterrows(), expected, strict=True):
        stack, z_um = read_stack(row)
        assert stack.shape == shape == check_stack(row)
        assert stack.dtype == dtype
        assert np.ptp(z_um) == pytest.approx(span_um)
        normalised_variance = [plane.var() / plane.mean() for plane in stack]
        assert np.argmax(normalised_variance) == sharpest
