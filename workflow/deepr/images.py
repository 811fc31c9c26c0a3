"""Single image files of a microscopist, TIFF, OME-TIFF or PNG: read, and written back as they were.

Slides of the workflow are `deepr.slides`; this is for one file in, one file out.
"""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile

from deepr.file_metadata import read_imagej, read_ome, read_tags
from deepr.runtime import write_atomically
from deepr.tables import InputError
from deepr.tiff_files import open_alone

SUFFIXES = (".tif", ".tiff", ".png")
PIXEL_TYPES = ("uint8", "uint16", "float32", "float64")
_PNG = b"\x89PNG\r\n\x1a\n"
_IMAGEJ_TYPES = ("uint8", "uint16", "float32")
_LARGEST_IMAGEJ_BYTES = 2**32 - 2**25


@dataclass
class Image:
    """One image file.

    Attributes
    ----------
    path : Path
    pixels : ndarray
        Axes as in `axes`; memory-mapped where the file allows.
    axes : str
        For example "YX", "ZYX", "CYX", "TZCYX", "YXS"; S are the samples of a colour image.
    pixel_um, step_um : float or None
        Side of a pixel and distance of the planes, where the file says so.
    format : {"ome", "imagej", "tiff", "png"}
        What the file is, and what a result is written as.
    metadata : dict
        What else goes from the file to the result: channels, display ranges, time step, and so on.
    left_out : int
        Further images in the file, which are not read.
    """

    path: Path
    pixels: np.ndarray
    axes: str
    pixel_um: float | None = None
    step_um: float | None = None
    format: str = "tiff"
    metadata: dict = field(default_factory=dict)
    left_out: int = 0

    @property
    def colour(self):
        """Whether every plane is in colour."""
        return self.axes.endswith("S")

    @property
    def planes(self):
        """All planes one after the other, (N, Y, X) or (N, Y, X, 3), without a copy."""
        return self.pixels.reshape(-1, *self.pixels.shape[-3 if self.colour else -2 :])


def read_image(path):
    """Read an image file.

    Parameters
    ----------
    path : str or Path
        TIFF, OME-TIFF or PNG; 8 or 16 bit or float; grey or RGB; any number of further axes. Of several
        images in a TIFF the first is read; an opacity channel is left away.

    Returns
    -------
    Image

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or its pixels are of another kind.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: found a folder, wanted an image")
    if not path.is_file():
        raise InputError(f"{path}: no such file, wanted an image")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: found a file of type '{path.suffix}', wanted one of {', '.join(SUFFIXES)}")
    try:
        # What a file is says its beginning: some programs give TIFF files the names of others.
        with open(path, "rb") as file:
            is_png = file.read(len(_PNG)) == _PNG
        image = _read_png(path) if is_png else _read_tiff(path)
    except InputError:
        raise
    except Exception as error:  # the decoders raise whatever a broken file leads them to
        raise InputError(f"{path}: found no readable image ({error}), wanted a whole TIFF or PNG file") from error
    if image.pixels.dtype.name not in PIXEL_TYPES:
        raise InputError(f"{path}: found pixels of type {image.pixels.dtype}, wanted one of {', '.join(PIXEL_TYPES)}")
    if image.pixels.size == 0:
        raise InputError(f"{path}: found no pixels, wanted an image")
    return image


def _read_png(path):
    # Here and not above: planning reads headers of TIFF files only, where this may not be installed.
    from imagecodecs import png_decode

    pixels = png_decode(path.read_bytes())
    if pixels.ndim == 3:
        # Grey or colour, each with or without opacity
        pixels = pixels[..., 0] if pixels.shape[2] <= 2 else pixels[..., :3]
    return Image(path, np.ascontiguousarray(pixels), "YX" if pixels.ndim == 2 else "YXS", format="png")


def _read_tiff(path):
    with open_alone(path) as (tiff, complaints):
        series = tiff.series[0]
        axes, page = series.axes, series.keyframe
        # Counting the pages walks the whole chain of headers, in which a cut shows.
        pages = len(tiff.pages)
        if complaints:
            raise InputError(f"{path}: found a truncated or damaged file after page {pages}, wanted a whole TIFF file")
        # Compressed pages are unpacked into a temporary file: a stack may be larger than the memory.
        pixels = series.asarray(out="memmap")
        if pixels.shape != series.shape:
            raise InputError(f"{path}: found {pixels.shape} pixels, wanted {series.shape} as its header says")
        image = Image(path, pixels, axes, left_out=len(tiff.series) - 1)
        count = math.prod(size for axis, size in zip(axes, series.shape, strict=True) if axis not in "YXS")
        if tiff.is_ome:
            image.format = "ome"
            image.pixel_um, image.step_um, image.metadata = read_ome(tiff.ome_metadata, axes, count)
        elif tiff.is_imagej:
            image.format = "imagej"
            image.pixel_um, image.step_um, image.metadata = read_imagej(tiff.imagej_metadata or {}, page)
        else:
            image.pixel_um, image.metadata = read_tags(page)
            # Pages of which nothing is said are a stack to every program
            image.axes = re.sub(r"^[QI](?=YXS?$)", "Z", axes)
    return _with_planes_last(image)


def read_calibration(path):
    """Read what a TIFF's OME or ImageJ metadata say of its pixels and planes, without its pixels.

    Parameters
    ----------
    path : str or Path
        A TIFF file that can be read.

    Returns
    -------
    pixel_um, step_um : float or None
        None where the file says nothing. Resolution tags alone do not count: most programs write the
        screen's or the printer's.
    """
    with open_alone(path) as (tiff, _):
        series = tiff.series[0]
        if tiff.is_ome:
            return read_ome(tiff.ome_metadata, series.axes, len(series.pages))[:2]
        if tiff.is_imagej:
            return read_imagej(tiff.imagej_metadata or {}, series.keyframe)[:2]
    return None, None


def _with_planes_last(image):
    """Refuse axes that are no planes; leave the opacity of a colour image away."""
    if image.axes == "SYX" and image.pixels.shape[0] in (3, 4):
        # One plane per colour, as some programs write them
        image.pixels, image.axes = np.moveaxis(image.pixels, 0, -1), "YXS"
    axes = image.axes
    if axes.endswith("S") and image.pixels.shape[-1] in (3, 4):
        image.pixels = image.pixels[..., :3]
    elif "S" in axes:
        raise InputError(
            f"{image.path}: found axes {axes} of shape {image.pixels.shape}, wanted the three samples of colour last"
        )
    if not axes.removesuffix("S").endswith("YX"):
        raise InputError(f"{image.path}: found axes {axes}, wanted planes (Y, X) last")
    return image


def write_image(path, image, planes):
    """Write a result in the format, type and with the metadata of the image that it was made from.

    Parameters
    ----------
    path : str or Path
        Written whole or not at all.
    image : Image
        The original.
    planes : iterable of ndarray
        One (Y, X) or (Y, X, 3) array of the original's pixel type for each of its planes, in order. They
        are written as they come.

    Notes
    -----
    A plain TIFF becomes one that ImageJ and Fiji open with the right pixel size in um; pixel types that
    ImageJ does not know are written as OME-TIFF.
    """
    shape, dtype = image.pixels.shape, image.pixels.dtype
    photometric = "rgb" if image.colour else "minisblack"
    with write_atomically(path) as temporary:
        if image.format == "png":
            from imagecodecs import png_encode

            temporary.write_bytes(png_encode(next(iter(planes))))
            return
        ome = image.format == "ome" or not _imagej_can_hold(image)
        if ome:
            metadata = {"axes": image.axes, **image.metadata}
            if "Info" in metadata:
                metadata["Description"] = metadata.pop("Info")
            if image.pixel_um:
                sizes = {"PhysicalSizeX": image.pixel_um, "PhysicalSizeY": image.pixel_um}
                units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
                metadata |= sizes | units
            if image.step_um:
                metadata |= {"PhysicalSizeZ": image.step_um, "PhysicalSizeZUnit": "µm"}
            options = {"ome": True, "bigtiff": True}
        else:
            metadata = {"axes": image.axes, **image.metadata}
            if image.pixel_um:
                metadata["unit"] = "um"
            if image.step_um:
                metadata["spacing"] = image.step_um
            options = {"imagej": True}
        resolution = (1 / image.pixel_um, 1 / image.pixel_um) if image.pixel_um else None
        with tifffile.TiffWriter(temporary, **options) as writer:
            writer.write(
                iter(planes),
                shape=shape,
                dtype=dtype,
                photometric=photometric,
                metadata=metadata,
                resolution=resolution,
                resolutionunit=None if resolution is None else 1 if options.get("imagej") else "NONE",
            )


def _imagej_can_hold(image):
    fits = image.pixels.nbytes < _LARGEST_IMAGEJ_BYTES and re.fullmatch(r"T?Z?C?YXS?", image.axes)
    return bool(fits) and image.pixels.dtype.name in (("uint8",) if image.colour else _IMAGEJ_TYPES)
