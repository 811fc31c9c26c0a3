"""Single image files come back as they went in: pixels, axes, units and what else they say."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from deepr.images import read_image, write_image
from deepr.tables import InputError

METAMORPH = """<MetaData>
<prop id="spatial-calibration-state" type="bool" value="on"/>
<prop id="spatial-calibration-x" type="float" value="1.3668"/>
<prop id="spatial-calibration-units" type="string" value="um"/>
</MetaData>"""


def pixels(*shape, dtype=np.uint16):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def again(path, folder):
    """Read an image, write it as a result would be written, and read that."""
    image = read_image(path)
    write_image(folder / "result" / path.name, image, iter(image.planes))
    result = read_image(folder / "result" / path.name)
    np.testing.assert_array_equal(result.pixels, image.pixels)
    assert (result.axes, result.pixels.dtype, result.format) == (image.axes, image.pixels.dtype, image.format)
    return result


def test_what_an_ome_tiff_says_is_kept(tmp_path):
    """Sizes, time step, channels with colours and wavelengths, every plane's z and exposure, description."""
    stack = pixels(2, 3, 40, 50)
    z_um = [0.5 * z for _ in range(2) for z in range(3)]
    metadata = {
        "axes": "CZYX",
        "PhysicalSizeX": 325.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeZ": 0.5,
        "TimeIncrement": 2.0,
        "Channel": {"Name": ["DAPI", "Cy5"], "Color": [-16776961, 255], "EmissionWavelength": [461.0, 670.0]},
        "Plane": {"PositionZ": z_um, "ExposureTime": [0.1] * 3 + [0.2] * 3},
        "Description": "slide 7",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=metadata)
    result = again(tmp_path / "a.ome.tif", tmp_path)
    assert (result.pixel_um, result.step_um) == (pytest.approx(0.325), 0.5)
    assert result.metadata["Description"] == "slide 7"
    assert float(result.metadata["TimeIncrement"]) == 2
    channels, planes = result.metadata["Channel"], result.metadata["Plane"]
    assert (channels["Name"], channels["Color"]) == (["DAPI", "Cy5"], ["-16776961", "255"])
    assert [float(value) for value in channels["EmissionWavelength"]] == [461, 670]
    assert [float(value) for value in planes["PositionZ"]] == z_um
    assert [float(value) for value in planes["ExposureTime"]] == [0.1] * 3 + [0.2] * 3


def test_what_imagej_wrote_is_kept(tmp_path):
    """Unit, slice labels, display range and the text of its Info window."""
    metadata = {
        "axes": "ZYX",
        "unit": "nm",
        "spacing": 500.0,
        "min": 10.0,
        "max": 150.0,
        "Labels": ["one", "two"],
        "Info": "Objective: 20x",
    }
    tifffile.imwrite(
        tmp_path / "a.tif", pixels(2, 40, 50), imagej=True, resolution=(1 / 325, 1 / 325), metadata=metadata
    )
    result = again(tmp_path / "a.tif", tmp_path)
    assert (result.pixel_um, result.step_um) == (pytest.approx(0.325, rel=1e-3), pytest.approx(0.5))
    for key in ("min", "max", "Labels", "Info"):
        assert result.metadata[key] == metadata[key]


def test_a_plain_tiff_opens_in_imagej_with_its_size_and_description(tmp_path):
    """Dots per cm become a pixel in um; what stood in the description is shown as Info."""
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels(40, 50),
        resolution=(1e4 / 0.5, 1e4 / 0.5),
        resolutionunit="CENTIMETER",
        description="Nikon, plate 7",
        metadata=None,
    )
    image = read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", image, iter(image.planes))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.imagej_metadata["unit"] == "um"
        assert tiff.imagej_metadata["Info"] == "Nikon, plate 7"
        numerator, denominator = tiff.pages[0].tags["XResolution"].value
    assert denominator / numerator == pytest.approx(0.5)


def test_pages_without_a_meaning_are_a_stack(tmp_path):
    """A plain TIFF of several pages comes back as one that ImageJ shows as a stack."""
    tifffile.imwrite(tmp_path / "a.tif", pixels(5, 40, 50))
    image = read_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", image, iter(image.planes))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert (tiff.is_imagej, tiff.series[0].axes) == (True, "ZYX")
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif").pixels, pixels(5, 40, 50))


def test_the_calibration_of_metamorph_is_read(tmp_path):
    """It stands in the description alone; where it is switched off, it says nothing."""
    for state, found in (("on", 1.3668), ("off", None)):
        description = METAMORPH.replace('"on"', f'"{state}"')
        tifffile.imwrite(tmp_path / f"{state}.tif", pixels(40, 50), description=description, metadata=None)
        assert read_image(tmp_path / f"{state}.tif").pixel_um == found


def test_colours_in_planes_become_colours_in_pixels(tmp_path):
    """A TIFF with one plane per colour comes back with the three samples together, which every program reads."""
    planes = pixels(3, 40, 50, dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    image = read_image(tmp_path / "a.tif")
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.pixels, np.moveaxis(planes, 0, 2))


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_opacity_is_left_away(tmp_path, samples):
    """Grey and colour PNG with and without it."""
    image = pixels(40, 50, samples, dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image[..., 0] if samples == 1 else image))
    read = read_image(tmp_path / "a.png")
    assert read.axes == ("YX" if samples < 3 else "YXS")
    np.testing.assert_array_equal(read.pixels, image[..., 0] if samples < 3 else image[..., :3])


def test_the_content_counts_and_not_the_name(tmp_path):
    """A TIFF that is called .png is read, and its result is a TIFF under the same name."""
    tifffile.imwrite(tmp_path / "a.png", pixels(40, 50))
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.pixels, pixels(40, 50))
    write_image(tmp_path / "b.png", image, iter(image.planes))
    assert tifffile.imread(tmp_path / "b.png").dtype == np.uint16


def test_further_images_are_counted(tmp_path):
    """Of a file with three images the first is read, and two are left out."""
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        for number in range(3):
            writer.write(pixels(40, 50) + number, metadata={"axes": "YX"})
    image = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(image.pixels, pixels(40, 50))
    assert image.left_out == 2


def test_broken_files_are_named(tmp_path):
    """Cut within the pixels, garbled within a compressed strip, empty, a folder, pixels of another type."""
    tifffile.imwrite(tmp_path / "whole.tif", pixels(200, 200), compression="lzw")
    whole = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "garbled.tif").write_bytes(whole[:2000] + b"\xff" * 4000 + whole[6000:])
    (tmp_path / "empty.tif").touch()
    (tmp_path / "folder.tif").mkdir()
    tifffile.imwrite(tmp_path / "signed.tif", pixels(40, 50, dtype=np.int16))
    for name, sentence in (
        ("cut", "no readable image"),
        ("garbled", "no readable image"),
        ("empty", "no readable image"),
        ("folder", "found a folder"),
        ("signed", "pixels of type int16"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_image(tmp_path / f"{name}.tif")


def test_a_stack_that_was_cut_between_its_pages_is_refused(tmp_path):
    """Each page has its header behind it: half of the file is whole pages, and no more than that."""
    with tifffile.TiffWriter(tmp_path / "whole.tif") as writer:
        for _ in range(20):
            writer.write(pixels(40, 50), contiguous=False, metadata=None)
    assert read_image(tmp_path / "whole.tif").pixels.shape == (20, 40, 50)
    whole = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.tif: found a truncated or damaged file after page \d+, wanted a whole"):
        read_image(tmp_path / "cut.tif")


def test_one_file_of_several_is_read_alone(tmp_path, write_plane_by_plane):
    """OME-XML that names the files of all planes does not bring their pixels, but the size of these."""
    stack = pixels(3, 40, 50)
    paths = write_plane_by_plane(tmp_path, stack)
    for path, plane in zip(paths, stack, strict=True):
        image = read_image(path)
        np.testing.assert_array_equal(image.pixels, plane)
        assert (image.axes, image.pixel_um) == ("YX", 0.325)
    paths[1].unlink()
    np.testing.assert_array_equal(read_image(paths[0]).pixels, stack[0])


@pytest.mark.parametrize(("dots_per_inch", "pixel_um"), [(300, None), (72, None), (600, None), (25400 / 0.325, 0.325)])
def test_a_printers_resolution_is_no_calibration(tmp_path, dots_per_inch, pixel_um):
    """A plain file at 300 dots per inch says nothing of the microscope."""
    tifffile.imwrite(tmp_path / "a.tif", pixels(40, 50), resolution=(dots_per_inch,) * 2, resolutionunit="INCH")
    assert read_image(tmp_path / "a.tif").pixel_um == (pixel_um and pytest.approx(pixel_um))
