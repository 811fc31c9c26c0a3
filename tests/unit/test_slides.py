"""Slides: what is written is read back, files that are no slides are refused, and no half file stays."""

import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import tifffile
from deepr import slides
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def write_slide(path, fields, **keywords):
    settings = {"pixel_um": 0.1625, "objective": "40x/0.95", "channel": "Cy5", "source": "simulated"}
    with SlideWriter(path, **settings | keywords) as writer:
        for name, stack in fields.items():
            writer.write(name, stack, 0.5 * np.arange(len(stack)) - 1)
    return path


def random_stack(shape, dtype):
    return (np.random.default_rng(1).random(shape) * 200).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(5, 7, 9), (1, 7, 9), (5, 7, 9, 3), (1, 7, 9, 3), (4, 3, 3)])
def test_pixels_come_back_as_they_were_written(tmp_path, shape, dtype):
    """Every pixel type, grey and colour, one plane and several."""
    stacks = {"a": random_stack(shape, dtype), "b": random_stack(shape, dtype)[::-1]}
    with open_slide(write_slide(tmp_path / "slide.ome.tif", stacks)) as slide:
        assert slide.fields == ("a", "b")
        for field, stack in stacks.items():
            assert slide.stack(field).dtype == dtype
            np.testing.assert_array_equal(slide.stack(field), stack)


def test_metadata_come_back_as_they_were_written(tmp_path):
    """Pixel size, objective, channel, source and z, to the last digit."""
    z_um = np.array([-9.1, -0.30000000000000004, 1 / 3])
    path = tmp_path / "new folder" / "slide.ome.tif"
    with SlideWriter(path, 0.325, "20x/0.75", "H&E <µ>", "own", "One sentence.") as writer:
        writer.write("feld_é", random_stack((3, 4, 5), "uint8"), z_um)
    slide = open_slide(path)
    assert (slide.pixel_um, slide.objective, slide.channel, slide.source) == (
        0.325,
        "20x/0.75",
        "H&E <µ>",
        "own",
    )
    assert slide.path == path
    np.testing.assert_array_equal(slide.z_um("feld_é"), z_um)


def test_stacks_are_read_only_memory_maps(tmp_path):
    """A plane is read when it is looked at, and cannot be changed by mistake."""
    slide = open_slide(write_slide(tmp_path / "slide.ome.tif", {"a": random_stack((3, 4, 5), "uint16")}))
    stack = slide.stack("a")
    assert isinstance(stack, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        stack[0, 0, 0] = 1
    slide.close()
    assert stack.sum() > 0
    with pytest.raises(ValueError, match="closed"):
        slide.stack("a")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system does not list open files there")
def test_many_fields_take_one_file_descriptor(tmp_path):
    """Stacks of 60 fields held at once leave room for other files: a system allows about a thousand."""
    path = tmp_path / "slide.ome.tif"
    write_slide(path, {f"f{number}": random_stack((2, 8, 8), "uint16") for number in range(60)})
    with open_slide(path) as slide:
        before = len(os.listdir("/proc/self/fd"))
        stacks = [slide.stack(field) for field in slide.fields]
        assert len(os.listdir("/proc/self/fd")) == before
    assert len(stacks) == 60


def test_other_programs_read_the_file(tmp_path):
    """tifffile's own reader sees the series, axes and names, uncompressed in a BigTIFF."""
    stacks = {"grey": random_stack((4, 6, 8), "uint16"), "colour": random_stack((4, 6, 8, 3), "uint8")}
    with tifffile.TiffFile(write_slide(tmp_path / "slide.ome.tif", stacks)) as tiff:
        assert tiff.is_ome and tiff.is_bigtiff
        assert [series.axes for series in tiff.series] == ["ZYX", "ZYXS"]
        assert [series.name for series in tiff.series] == ["grey", "colour"]
        assert tiff.pages[0].compression == 1
        for series, stack in zip(tiff.series, stacks.values(), strict=True):
            np.testing.assert_array_equal(series.asarray(), stack)


def test_ome_metadata_carry_units_for_viewers(tmp_path):
    """Lengths with their unit, the planes' places, the objective's aperture, one data block per field."""
    stacks = {"a": random_stack((4, 6, 8), "uint16"), "b": random_stack((2, 6, 8), "uint16")}
    path = write_slide(tmp_path / "slide.ome.tif", stacks, description="Simulated ovary.")
    with tifffile.TiffFile(path) as tiff:
        root = ElementTree.fromstring(tiff.ome_metadata)
    pixels = root.findall(f"{OME}Image/{OME}Pixels")
    assert [block.get("IFD") for block in root.iter(f"{OME}TiffData")] == ["0", "4"]
    for key, value in {"PhysicalSizeX": "0.1625", "PhysicalSizeY": "0.1625", "PhysicalSizeZ": "0.5"}.items():
        assert pixels[0].get(key) == value
        assert pixels[0].get(f"{key}Unit") == "µm"
    planes = pixels[0].findall(f"{OME}Plane")
    assert [plane.get("PositionZ") for plane in planes] == ["-1.0", "-0.5", "0.0", "0.5"]
    assert {plane.get("PositionZUnit") for plane in planes} == {"µm"}
    objective = root.find(f"{OME}Instrument/{OME}Objective")
    assert (objective.get("NominalMagnification"), objective.get("LensNA")) == ("40", "0.95")
    # The order that the OME schema asks for inside an image.
    order = [child.tag.removeprefix(OME) for child in root.find(f"{OME}Image")]
    assert order == ["Description", "InstrumentRef", "ObjectiveSettings", "Pixels", "AnnotationRef"]


def test_equal_fields_give_equal_bytes(tmp_path):
    """No date and no random identifier enters the file."""
    stacks = {"a": random_stack((3, 4, 5), "float32")}
    first, second = (write_slide(tmp_path / name, stacks) for name in ("1.ome.tif", "2.ome.tif"))
    assert first.read_bytes() == second.read_bytes()


def test_planes_are_streamed(tmp_path):
    """Planes are taken from an iterable one by one, never all at once."""
    alive = []

    def planes():
        for value in range(6):
            alive.append(value)
            yield np.full((4, 5), value, dtype=np.uint16)

    with SlideWriter(tmp_path / "slide.ome.tif", 0.1, "x", "c", "own") as writer:
        writer.write("a", planes(), np.arange(6), shape=(6, 4, 5), dtype="uint16")
    assert alive == list(range(6))
    assert open_slide(tmp_path / "slide.ome.tif").stack("a")[:, 2, 2].tolist() == alive


def test_a_large_slide_opens_fast(tmp_path):
    """150 fields of 101 planes: opened and mapped in well under a second."""
    plane = np.zeros((2, 2), dtype=np.uint8)
    with SlideWriter(tmp_path / "slide.ome.tif", 0.1, "x", "c", "own") as writer:
        for field in range(150):
            writer.write(f"f{field}", (plane for _ in range(101)), np.arange(101), (101, 2, 2), "uint8")
    started = time.process_time()
    slide = open_slide(tmp_path / "slide.ome.tif")
    assert sum(len(slide.stack(field)) for field in slide.fields) == 150 * 101
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("kept", [0, 1, 12, 100, 1000, 0.5, 0.9, -1])
def test_a_truncated_slide_is_refused(tmp_path, kept):
    """Wherever the file was cut, one sentence names it."""
    path = write_slide(tmp_path / "slide.ome.tif", {"a": random_stack((4, 20, 30), "uint16")})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"slide\.ome\.tif: .*wanted a slide") as refusal:
        open_slide(path)
    assert "\n" not in str(refusal.value)


def test_files_of_another_kind_are_refused(tmp_path):
    """A missing file, text, a plain TIFF, another program's OME-TIFF, a compressed one."""
    path = tmp_path / "other.tif"
    with pytest.raises(InputError, match=r"other\.tif: no such file"):
        open_slide(path)
    path.write_text("this is no image, but it is long enough to be read as a header of one")
    with pytest.raises(InputError, match=r"other\.tif: truncated or not a TIFF"):
        open_slide(path)
    tifffile.imwrite(path, np.zeros((6, 8, 8), np.uint16))
    with pytest.raises(InputError, match=r"other\.tif: .*without OME metadata"):
        open_slide(path)
    tifffile.imwrite(path, np.zeros((6, 8, 8), np.uint16), ome=True, metadata={"axes": "ZYX"})
    with pytest.raises(InputError, match=r"other\.tif: OME metadata of another kind"):
        open_slide(path)
    xml = tifffile.tiffcomment(write_slide(tmp_path / "slide.tif", {"a": random_stack((6, 8, 8), "uint16")}))
    tifffile.imwrite(path, random_stack((6, 8, 8), "uint16"), compression="zlib", description=xml, metadata=None)
    with pytest.raises(InputError, match=r"other\.tif: .*compressed"):
        open_slide(path)


def test_an_unknown_field_is_refused(tmp_path):
    """The sentence names the fields that there are."""
    slide = open_slide(write_slide(tmp_path / "slide.ome.tif", {"a": random_stack((3, 4, 5), "uint8")}))
    with pytest.raises(ValueError, match=r"no field 'b', wanted one of 'a'"):
        slide.z_um("b")


@pytest.mark.parametrize(
    ("stack", "z_um", "sentence"),
    [
        (
            np.zeros((3, 4, 5), np.int32),
            range(3),
            "pixel type is int32, wanted one of uint8, uint16, float32",
        ),
        (np.zeros((4, 5), np.uint8), range(4), r"shape is \(4, 5\), wanted \(Z, Y, X\)"),
        (np.zeros((3, 4, 5, 2), np.uint8), range(3), r"shape is \(3, 4, 5, 2\)"),
        (np.zeros((3, 4, 5), np.uint8), range(2), r"z_um has shape \(2,\), wanted 3 finite"),
        (np.zeros((3, 4, 5), np.uint8), [0, np.nan, 1], "wanted 3 finite values"),
    ],
)
def test_stacks_that_are_no_slides_are_refused(tmp_path, stack, z_um, sentence):
    """Pixel type, shape and z are checked before anything is written, and nothing stays behind."""
    with (
        pytest.raises(ValueError, match=sentence),
        SlideWriter(tmp_path / "slide.ome.tif", 0.1, "x", "c", "own") as writer,
    ):
        writer.write("a", stack, z_um)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("planes", "sentence"),
    [
        ([np.zeros((4, 5), np.uint8)] * 2, "2 planes came, wanted 3"),
        ([np.zeros((4, 5), np.uint8)] * 4, "more planes came than the 3 wanted"),
        ([np.zeros((4, 6), np.uint8)] * 3, r"plane 0 is \(4, 6\) uint8, wanted \(4, 5\) uint8"),
        ([np.zeros((4, 5), np.uint16)] * 3, "plane 0 is .* uint16"),
    ],
)
def test_streams_that_break_their_word_are_refused(tmp_path, planes, sentence):
    """Too few planes, too many, or of another shape or type."""
    with (
        pytest.raises(ValueError, match=sentence),
        SlideWriter(tmp_path / "slide.ome.tif", 0.1, "x", "c", "own") as writer,
    ):
        writer.write("a", iter(planes), range(3), shape=(3, 4, 5), dtype="uint8")
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings_and_names_are_refused(tmp_path):
    """Unknown source, impossible pixel size, a field twice, no field at all."""
    path = tmp_path / "slide.ome.tif"
    stack = np.zeros((2, 3, 4), np.uint8)
    with pytest.raises(ValueError, match="source is 'elsewhere', wanted one of simulated, BBBC006, own"):
        SlideWriter(path, 0.1, "x", "c", "elsewhere")
    with pytest.raises(ValueError, match="pixel_um is 0, wanted a positive"):
        SlideWriter(path, 0, "x", "c", "own")
    with pytest.raises(ValueError, match="channel is '', wanted a name"):
        SlideWriter(path, 0.1, "x", "", "own")
    with (
        pytest.raises(ValueError, match="'a': written twice"),
        SlideWriter(path, 1, "x", "c", "own") as writer,
    ):
        writer.write("a", stack, range(2))
        writer.write("a", stack, range(2))
    with pytest.raises(ValueError, match="no field was written"), SlideWriter(path, 1, "x", "c", "own"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_former_slide_alone(tmp_path):
    """An exception inside the block removes the temporary file and keeps what was there before."""
    path = write_slide(tmp_path / "slide.ome.tif", {"a": random_stack((3, 4, 5), "uint8")})
    before = path.read_bytes()
    with (
        pytest.raises(RuntimeError, match="stage stuck"),
        SlideWriter(path, 1, "x", "c", "own") as writer,
    ):
        writer.write("a", np.zeros((2, 3, 4), np.uint8), range(2))
        raise RuntimeError("stage stuck")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["slide.ome.tif"]


@pytest.mark.parametrize("within", ["planes", "metadata"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, within):
    """A real limit on the file's size, met within the planes or within the metadata at the end."""
    program = """
import resource, sys
import numpy as np
from deepr.slides import SlideWriter
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
with SlideWriter(sys.argv[1], 0.1, "x", "c", "own") as writer:
    for field in "abcd":
        writer.write(field, np.zeros((10, 100, 100), np.uint8), range(10))
"""
    library = str(Path(slides.__file__).parents[1])
    path = tmp_path / "slide.ome.tif"

    def run(*limit):
        arguments = [sys.executable, "-c", program, str(path), *map(str, limit)]
        return subprocess.run(arguments, env={"PYTHONPATH": library}, capture_output=True, text=True, check=False)

    assert run().returncode == 0
    size = path.stat().st_size
    path.unlink()
    ended = run(50_000 if within == "planes" else size - 100)
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert re.search(r"OSError: .*slide\.ome\.tif could not be written \(.+\), wanted room", last), ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kilobytes", [52, 200, 396])
def test_a_full_file_system_leaves_nothing_behind(small_disk, kilobytes):
    """A disk that is full in the first plane, in a later field or with the metadata: an error, and no file."""
    disk = small_disk("disk", kilobytes)
    with pytest.raises(OSError, match=r"slide\.ome\.tif could not be written \(.+\), wanted room"):
        with SlideWriter(disk / "slide.ome.tif", 0.1, "x", "c", "own") as writer:
            for field in "abcd":
                writer.write(field, np.zeros((10, 100, 100), np.uint8), range(10))
    assert list(disk.iterdir()) == []


def test_a_slide_is_replaced_only_if_there_is_room(small_disk):
    """The one that was there stays whole when the disk is too full for the next."""
    disk = small_disk("disk", 600)
    for planes in (10, 40):
        try:
            with SlideWriter(disk / "slide.ome.tif", 0.1, "x", "c", "own") as writer:
                writer.write("a", np.full((planes, 100, 100), planes, np.uint8), range(planes))
                writer.write("b", np.full((planes, 100, 100), planes, np.uint8), range(planes))
        except OSError:
            assert planes == 40
    assert [entry.name for entry in disk.iterdir()] == ["slide.ome.tif"]
    with open_slide(disk / "slide.ome.tif") as slide:
        assert slide.stack("b").shape == (10, 100, 100)
