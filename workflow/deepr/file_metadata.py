"""What single image files say of themselves: OME-XML, ImageJ's properties and TIFF tags."""

import re
import xml.etree.ElementTree as ElementTree

UM_PER_UNIT = {
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre", "\\u00b5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("inch", "in"), 25400.0),
}
# Resolution tags without a microscope behind them say how a screen or a printer should show the image.
LARGEST_PIXEL_UM = 100.0
PRINTED_PER_INCH = (72, 96, 100, 120, 150, 200, 240, 300, 360, 400, 600, 720, 1200, 2400)
_RESOLUTION_UNITS = {2: "inch", 3: "cm"}
# MetaMorph and MetaXpress write their calibration into the description, and none into the resolution tags.
_METAMORPH = re.compile(r'id="spatial-calibration-(state|x|units)"[^>]*value="([^"]*)"')

# What tifffile can write again, as the OME schema names it.
_OF_PIXELS = ("TimeIncrement", "TimeIncrementUnit", "SignificantBits")
_OF_CHANNEL = (
    *("Name", "AcquisitionMode", "Color", "ContrastMethod", "EmissionWavelength", "EmissionWavelengthUnit"),
    *("ExcitationWavelength", "ExcitationWavelengthUnit", "Fluor", "IlluminationType", "NDFilter"),
)
_OF_PLANE = (
    *("DeltaT", "DeltaTUnit", "ExposureTime", "ExposureTimeUnit", "PositionX", "PositionXUnit"),
    *("PositionY", "PositionYUnit", "PositionZ", "PositionZUnit"),
)
_OF_IMAGEJ = ("finterval", "fps", "Labels", "LUTs", "Ranges", "min", "max", "mode", "loop", "Info")


def read_ome(text, axes, planes):
    """Read what OME-XML says of the first image.

    Parameters
    ----------
    text : str
        The XML.
    axes : str
        Axes of the image, for example "CZYX".
    planes : int
        Number of its planes.

    Returns
    -------
    pixel_um, step_um : float or None
        Side of a pixel and distance of the planes.
    metadata : dict
        What else there is, as `tifffile` takes it when writing: name, description and date of the image, time
        step, channels and planes. A value that not every channel or plane has is left away.
    """
    root = ElementTree.fromstring(text)
    space = {"ome": root.tag.split("}")[0].strip("{")}
    pixels = root.find(".//ome:Pixels", space)
    if pixels is None:
        return None, None, {}
    image = root.find(".//ome:Image", space)
    metadata = {"Name": image.get("Name")} if image.get("Name") else {}
    for name in ("AcquisitionDate", "Description"):
        if image.findtext(f"ome:{name}", namespaces=space):
            metadata[name] = image.findtext(f"ome:{name}", namespaces=space)
    metadata |= {name: pixels.get(name) for name in _OF_PIXELS if pixels.get(name)}
    channels = pixels.findall("ome:Channel", space)
    if any(channel.get("Name") for channel in channels):
        for number, channel in enumerate(channels):
            channel.set("Name", channel.get("Name") or f"channel {number}")
    for key, elements, names in (
        ("Channel", channels, _OF_CHANNEL),
        ("Plane", _in_order(pixels.findall("ome:Plane", space), axes), _OF_PLANE),
    ):
        if key == "Plane" and len(elements) != planes:
            continue
        values = {name: [element.get(name) for element in elements] for name in names}
        values = {name: found for name, found in values.items() if found and None not in found}
        if values:
            metadata[key] = values
    return _ome_length(pixels, "PhysicalSizeX"), _ome_length(pixels, "PhysicalSizeZ"), metadata


def _in_order(planes, axes):
    """Sort elements of planes as the planes of an array with these axes follow each other."""
    leading = [axis for axis in axes if axis in "TZC"]
    return sorted(planes, key=lambda plane: [int(plane.get(f"The{axis}", 0)) for axis in leading])


def _ome_length(pixels, name):
    scale = UM_PER_UNIT.get(pixels.get(f"{name}Unit", "µm").lower())
    return float(pixels.get(name)) * scale if scale and pixels.get(name) else None


def read_imagej(properties, page):
    """Read what ImageJ wrote beside an image.

    Parameters
    ----------
    properties : dict
        As `tifffile.TiffFile.imagej_metadata` gives them.
    page : tifffile.TiffPage
        The first page.

    Returns
    -------
    pixel_um, step_um : float or None
    metadata : dict
        What else there is, as `tifffile` takes it when writing: labels, display ranges, colours, time step.
    """
    unit = str(properties.get("unit", ""))
    scale = UM_PER_UNIT.get(unit.lower())
    step_um = abs(float(properties["spacing"])) * scale if scale and properties.get("spacing") else None
    metadata = {key: properties[key] for key in _OF_IMAGEJ if key in properties}
    return _pixel_of_tags(page, unit), step_um, metadata


def read_tags(page):
    """Read what the tags of a plain TIFF say, of its first page.

    Returns
    -------
    pixel_um : float or None
    metadata : dict
        The description, under the name by which ImageJ shows it.
    """
    description = str(_tag(page, "ImageDescription", "")).strip()
    pixel_um = _pixel_of_metamorph(description)
    if pixel_um is None:
        pixel_um = _pixel_of_tags(page, _RESOLUTION_UNITS.get(_tag(page, "ResolutionUnit", 1), ""))
    # tifffile's own note of an array's shape says nothing of the image
    return pixel_um, {"Info": description} if description and not description.startswith('{"shape"') else {}


def _pixel_of_metamorph(description):
    found = dict(_METAMORPH.findall(description))
    scale = UM_PER_UNIT.get(found.get("units", "").lower())
    return float(found["x"]) * scale if scale and found.get("state") == "on" and "x" in found else None


def _pixel_of_tags(page, unit):
    scale = UM_PER_UNIT.get(unit.lower())
    resolution = _tag(page, "XResolution", None)
    if not (scale and resolution and resolution[0] and resolution[1]):
        return None
    if unit == "inch" and resolution[0] / resolution[1] in PRINTED_PER_INCH:
        return None
    pixel_um = scale * resolution[1] / resolution[0]
    return pixel_um if pixel_um < LARGEST_PIXEL_UM else None


def _tag(page, name, default):
    return page.tags[name].value if name in page.tags else default
