"""Slides of z-stacks: multi-series OME-TIFF files, one series per field of view, to be memory-mapped."""

import contextlib
import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import tifffile

from deepr.runtime import write_atomically
from deepr.tables import InputError

SOURCES = ("simulated", "BBBC006", "own")
PIXEL_TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}

_OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
# Replaced when the last field is written; tifffile finds the tag again only if the text is over eight bytes.
_PLACEHOLDER = "the metadata follow"
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"


class SlideWriter:
    """Write a slide field by field; the file appears under its name only when it is whole.

    Uncompressed BigTIFF, one strip per plane, so that every field can be memory-mapped. The OME metadata
    hold the pixel size, each plane's z, the objective, the channel and the source of the data. No date and
    no random identifier is written: equal fields give equal bytes.

    Parameters
    ----------
    path : str or Path
        File to write, ``*.ome.tif``.
    pixel_um : float
        Side of a pixel in the sample, in um.
    objective : str
        For example "40x/0.95".
    channel : str
        Name of the channel.
    source : {"simulated", "BBBC006", "own"}
        Where the data are from.
    description : str
        One sentence, shown by viewers.

    Raises
    ------
    ValueError
        If an argument, a stack or a list of z cannot be written as told.
    OSError
        If the disk is full or the folder cannot be written; nothing is left behind.

    Examples
    --------
    >>> with SlideWriter("slide.ome.tif", 0.1625, "40x/0.95", "Cy5", "own") as writer:  # doctest: +SKIP
    ...     writer.write("field1", stack, z_um)
    """

    def __init__(self, path, pixel_um, objective, channel, source, description=""):
        if not (np.isfinite(pixel_um) and pixel_um > 0):
            raise ValueError(f"{path}: pixel_um is {pixel_um}, wanted a positive length in um")
        if source not in SOURCES:
            raise ValueError(f"{path}: source is {source!r}, wanted one of {', '.join(SOURCES)}")
        for name, text in (("objective", objective), ("channel", channel)):
            if not (isinstance(text, str) and text.strip()):
                raise ValueError(f"{path}: {name} is {text!r}, wanted a name")
        self.path = Path(path)
        self._pixel_um = float(pixel_um)
        self._objective = objective
        self._channel = channel
        self._source = source
        self._description = description
        self._images = []
        self._exit_stack = contextlib.ExitStack()
        self._tiff = None

    def __enter__(self):
        temporary = self._exit_stack.enter_context(write_atomically(self.path))
        self._tiff = self._exit_stack.enter_context(tifffile.TiffWriter(temporary, bigtiff=True, ome=False))
        return self

    def write(self, field, stack, z_um, shape=None, dtype=None):
        """Append one field of view.

        Parameters
        ----------
        field : str
            Name of the field, unique in the slide.
        stack : (Z, Y, X) or (Z, Y, X, 3) ndarray of uint8, uint16 or float32, or iterable of planes
            An iterable is read plane by plane; it then needs ``shape`` and ``dtype``.
        z_um : (Z,) array_like of float
            Each plane's z, in um.
        shape : tuple of int, optional
            Shape of the whole stack, where it cannot be read off.
        dtype : dtype, optional
            Pixel type, where it cannot be read off.

        Raises
        ------
        ValueError
            If the name is used twice, or shape, pixel type, number of planes and z do not agree.
        """
        shape = tuple(int(size) for size in (stack.shape if shape is None else shape))
        dtype = np.dtype(stack.dtype if dtype is None else dtype)
        z_um = np.asarray(z_um, dtype=np.float64)
        where = f"{self.path}, field {field!r}"
        if not isinstance(field, str) or not field.strip():
            raise ValueError(f"{where}: wanted a name")
        if any(image["field"] == field for image in self._images):
            raise ValueError(f"{where}: written twice")
        if not (len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)) or min(shape) < 1:
            raise ValueError(f"{where}: shape is {shape}, wanted (Z, Y, X) or (Z, Y, X, 3)")
        if dtype.name not in PIXEL_TYPES:
            raise ValueError(f"{where}: pixel type is {dtype}, wanted one of {', '.join(PIXEL_TYPES)}")
        if z_um.shape != shape[:1] or not np.isfinite(z_um).all():
            raise ValueError(f"{where}: z_um has shape {z_um.shape}, wanted {shape[0]} finite values")
        first = not self._images
        try:
            self._tiff.write(
                self._checked_planes(stack, shape, dtype, where),
                shape=shape,
                dtype=dtype,
                photometric="rgb" if len(shape) == 4 else "minisblack",
                planarconfig="contig" if len(shape) == 4 else None,
                description=_PLACEHOLDER if first else None,
                metadata=None,
            )
        except OSError as error:
            raise self._write_error(error) from error
        self._images.append({"field": field, "shape": shape, "dtype": dtype.name, "z_um": z_um})

    def __exit__(self, kind, error, traceback):
        if error is not None:
            # On a full disk closing fails once more; the first error says why, and the file is gone either way.
            with contextlib.suppress(OSError):
                self._exit_stack.__exit__(kind, error, traceback)
            return False
        # The block's own end can fail as well (no field, disk full): the temporary file must go in each case.
        try:
            with self._exit_stack:
                if not self._images:
                    raise ValueError(f"{self.path}: no field was written, wanted at least one")
                self._tiff.overwrite_description(self._ome_xml())
        except OSError as failure:
            raise self._write_error(failure) from failure
        return False

    def _write_error(self, error):
        reason = error.strerror or str(error)
        return OSError(error.errno, f"{self.path} could not be written ({reason}), wanted room and the right to write")

    @staticmethod
    def _checked_planes(planes, shape, dtype, where):
        """Yield contiguous planes, and refuse one of another shape or type, or a wrong number of them."""
        count = 0
        for plane in planes:
            plane = np.asarray(plane)
            if count == shape[0]:
                raise ValueError(f"{where}: more planes came than the {shape[0]} wanted")
            if plane.shape != shape[1:] or plane.dtype != dtype:
                raise ValueError(f"{where}: plane {count} is {plane.shape} {plane.dtype}, wanted {shape[1:]} {dtype}")
            yield np.ascontiguousarray(plane)
            count += 1
        if count != shape[0]:
            raise ValueError(f"{where}: {count} planes came, wanted {shape[0]}")

    def _ome_xml(self):
        root = ElementTree.Element(
            "OME",
            {
                "xmlns": _OME,
                "xmlns:xsi": _SCHEMA_INSTANCE,
                "xsi:schemaLocation": f"{_OME} {_OME}/ome.xsd",
                "Creator": "deepr",
            },
        )
        instrument = ElementTree.SubElement(root, "Instrument", ID="Instrument:0")
        objective = ElementTree.SubElement(instrument, "Objective", ID="Objective:0:0", Model=self._objective)
        named = re.fullmatch(r"([\d.]+)x/([\d.]+)", self._objective)
        if named:
            objective.set("NominalMagnification", named[1])
            objective.set("LensNA", named[2])
        first_plane = 0
        for index, image in enumerate(self._images):
            self._add_image(root, index, first_plane, **image)
            first_plane += image["shape"][0]
        annotations = ElementTree.SubElement(root, "StructuredAnnotations")
        annotation = ElementTree.SubElement(annotations, "MapAnnotation", ID="Annotation:0", Namespace="deepr")
        value = ElementTree.SubElement(annotation, "Value")
        ElementTree.SubElement(value, "M", K="source").text = self._source
        return ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True).decode("ascii")

    def _add_image(self, root, index, first_plane, field, shape, dtype, z_um):
        samples = shape[3] if len(shape) == 4 else 1
        image = ElementTree.SubElement(root, "Image", ID=f"Image:{index}", Name=field)
        if self._description:
            ElementTree.SubElement(image, "Description").text = self._description
        ElementTree.SubElement(image, "InstrumentRef", ID="Instrument:0")
        ElementTree.SubElement(image, "ObjectiveSettings", ID="Objective:0:0")
        pixels = ElementTree.SubElement(
            image,
            "Pixels",
            ID=f"Pixels:{index}",
            DimensionOrder="XYCZT",
            Type=PIXEL_TYPES[dtype],
            SizeX=str(shape[2]),
            SizeY=str(shape[1]),
            SizeC=str(samples),
            SizeZ=str(shape[0]),
            SizeT="1",
            BigEndian="false",
            Interleaved="true" if samples > 1 else "false",
            PhysicalSizeX=repr(self._pixel_um),
            PhysicalSizeXUnit="µm",
            PhysicalSizeY=repr(self._pixel_um),
            PhysicalSizeYUnit="µm",
        )
        steps_um = np.diff(z_um)
        if steps_um.size and steps_um[0] > 0 and np.allclose(steps_um, steps_um[0]):
            pixels.set("PhysicalSizeZ", repr(round(float(steps_um.mean()), 9)))
            pixels.set("PhysicalSizeZUnit", "µm")
        ElementTree.SubElement(
            pixels, "Channel", ID=f"Channel:{index}:0", Name=self._channel, SamplesPerPixel=str(samples)
        )
        ElementTree.SubElement(pixels, "TiffData", IFD=str(first_plane), PlaneCount=str(shape[0]))
        for plane, position_um in enumerate(z_um.tolist()):
            ElementTree.SubElement(
                pixels,
                "Plane",
                TheZ=str(plane),
                TheC="0",
                TheT="0",
                PositionZ=repr(position_um),
                PositionZUnit="µm",
            )
        ElementTree.SubElement(image, "AnnotationRef", ID="Annotation:0")


def open_slide(path):
    """Open a slide for reading.

    Parameters
    ----------
    path : str or Path
        A file written by `SlideWriter`.

    Returns
    -------
    Slide

    Raises
    ------
    InputError
        If the file is absent, truncated, or no such slide.
    """
    return Slide(path)


class Slide:
    """A slide opened for reading: parsed once, its fields memory-mapped when they are asked for.

    Attributes
    ----------
    path : Path
    pixel_um : float
        Side of a pixel in the sample, in um.
    objective, channel, source : str
    fields : tuple of str
        Names of the fields of view, in the order of the file.
    """

    def __init__(self, path):
        self.path = Path(path)
        wanted = "wanted a slide as this workflow writes it (multi-series OME-TIFF)"
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file, {wanted}")
        try:
            with tifffile.TiffFile(self.path) as tiff:
                xml = tiff.ome_metadata
                if xml:
                    self._parse(ElementTree.fromstring(xml), tiff)
        except (tifffile.TiffFileError, OSError, IndexError, struct.error) as error:
            raise InputError(f"{self.path}: truncated or not a TIFF file ({error}), {wanted}") from error
        except (ElementTree.ParseError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.path}: OME metadata of another kind ({error}), {wanted}") from error
        if not xml:
            raise InputError(f"{self.path}: a TIFF file that is truncated or without OME metadata, {wanted}")
        end = max(layout["offset"] + layout["bytes"] for layout in self._layouts.values())
        size = self.path.stat().st_size
        if size < end:
            raise InputError(f"{self.path}: truncated, found {size} bytes, wanted at least {end}")
        # One map for the file and not one per field: each holds a file descriptor, and those are few.
        self._bytes = np.memmap(self.path, np.uint8, mode="r")

    def _parse(self, root, tiff):
        ome = {"ome": _OME}
        types = {name: dtype for dtype, name in PIXEL_TYPES.items()}
        self._layouts = {}
        for image in root.findall("ome:Image", ome):
            pixels = image.find("ome:Pixels", ome)
            shape = [int(pixels.attrib[f"Size{axis}"]) for axis in "ZYX"]
            if int(pixels.attrib["SizeC"]) == 3:
                shape.append(3)
            dtype = np.dtype(types[pixels.attrib["Type"]]).newbyteorder(tiff.byteorder)
            z_um = np.array([float(p.attrib["PositionZ"]) for p in pixels.findall("ome:Plane", ome)])
            if len(z_um) != shape[0]:
                raise ValueError(f"{len(z_um)} plane positions for {shape[0]} planes")
            z_um.flags.writeable = False
            plane_bytes = int(np.prod(shape[1:])) * dtype.itemsize
            # Only the first and last plane's headers are read: there are thousands between.
            first_plane = int(pixels.find("ome:TiffData", ome).attrib["IFD"])
            first, last = (tiff.pages[first_plane + plane] for plane in (0, shape[0] - 1))
            apart = last.dataoffsets[0] - first.dataoffsets[0]
            if first.databytecounts != (plane_bytes,) or apart != plane_bytes * (shape[0] - 1):
                raise ValueError("planes that are compressed, in pieces or apart")
            self._layouts[image.attrib["Name"]] = {
                "shape": tuple(shape),
                "dtype": dtype,
                "offset": first.dataoffsets[0],
                "bytes": plane_bytes * shape[0],
                "z_um": z_um,
            }
        pixels = root.find("ome:Image/ome:Pixels", ome)
        self.fields = tuple(self._layouts)
        self.pixel_um = float(pixels.attrib["PhysicalSizeX"])
        self.channel = pixels.find("ome:Channel", ome).attrib["Name"]
        self.objective = root.find("ome:Instrument/ome:Objective", ome).attrib["Model"]
        self.source = root.find(".//ome:M[@K='source']", ome).text

    def _layout(self, field):
        if self._bytes is None:
            raise ValueError(f"{self.path}: the slide is closed")
        if field not in self._layouts:
            raise ValueError(f"{self.path}: no field {field!r}, wanted one of {', '.join(map(repr, self.fields))}")
        return self._layouts[field]

    def z_um(self, field):
        """Give each plane's z of a field, (Z,) float64 in um."""
        return self._layout(field)["z_um"]

    def stack(self, field):
        """Give a field's planes as a read-only memory map, (Z, Y, X) or (Z, Y, X, 3)."""
        layout = self._layout(field)
        data = self._bytes[layout["offset"] : layout["offset"] + layout["bytes"]]
        return data.view(layout["dtype"]).reshape(layout["shape"])

    def close(self):
        """Let go of the memory map; arrays handed out before stay valid."""
        self._bytes = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.close()
        return False
