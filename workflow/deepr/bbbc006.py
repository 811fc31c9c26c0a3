"""BBBC006v1: U2OS cells of a 384-well plate in 34 planes, downloaded plane by plane or read from a folder.

Image set BBBC006v1 of the Broad Bioimage Benchmark Collection (Ljosa et al., Nature Methods 9, 637 (2012)).
"""

import io
import logging
import re
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from deepr.patches import measure_contrast
from deepr.randomness import random_generator
from deepr.remote import RemoteFile
from deepr.runtime import write_atomically
from deepr.tables import InputError

log = logging.getLogger(__name__)

PIXEL_UM = 2 * 6.45 / 20
STEP_UM = 2.0
FOCUS_PLANE = 16
SHAPE = (520, 696)
OBJECTIVE = "20x/0.45"
# Number in the file names, name in the metadata, centre of the emission in um.
CHANNELS = {"hoechst": (1, "Hoechst", 0.461), "phalloidin": (2, "phalloidin", 0.609)}
WELLS = tuple(f"{row}{column:02d}" for row in "abcdefghijklmnop" for column in range(1, 25))
SITES = (1, 2)

# The identifier at the end differs from plane to plane: only well, site and channel tell a field.
_NAME = re.compile(r"mcf-z-stacks-03212011_([a-p]\d{2})_s([12])_w([12])[0-9a-f-]*\.tif")
# A local header is 30 bytes, the name and an extra field, of which archives have a few dozen bytes.
_HEADER_BYTES = 4096
_DIRECTORY_BYTES = 1 << 19
_ATTEMPTS_AT_MEMBER = 3


@dataclass(frozen=True)
class Plane:
    """Where one plane of a field is: a member of an archive, or a file where ``archive`` is None."""

    name: str
    archive: object = None

    def read(self):
        """Give the bytes of the TIFF file, checked against the archive's size and CRC-32."""
        return Path(self.name).read_bytes() if self.archive is None else self.archive.read(self.name)


def choose_wells(split, count, seed):
    """Choose the wells of a split, the same for both channels.

    Parameters
    ----------
    split : {"train", "test"}
        Training wells are the first, test wells the last of one random order: more of one does not change the other.
    count : int
    seed : int

    Returns
    -------
    list of str
        Such as "a01".
    """
    order = [WELLS[index] for index in random_generator(seed, "wells of BBBC006").permutation(len(WELLS))]
    return order[:count] if split == "train" else order[len(order) - count :]


def plane_z_um(plane):
    """Give the height of a plane above the one that is nominally in focus, in um."""
    return STEP_UM * (plane - FOCUS_PLANE)


def decode_plane(data, name):
    """Turn the bytes of one TIFF file into an image.

    Parameters
    ----------
    data : bytes
    name : str
        For the error.

    Returns
    -------
    (520, 696) ndarray of uint16
        Counts, at most 4095.

    Raises
    ------
    InputError
        If it is no such TIFF file.
    """
    wanted = f"wanted a TIFF file of {SHAPE[0]} x {SHAPE[1]} px, uint16"
    try:
        image = tifffile.imread(io.BytesIO(data))
    except (tifffile.TiffFileError, RuntimeError, ValueError, IndexError, OSError) as error:
        raise InputError(f"{name}: cannot be decoded ({error}), {wanted}") from error
    if image.shape != SHAPE or image.dtype != np.uint16:
        raise InputError(f"{name}: found {' x '.join(map(str, image.shape))} px, {image.dtype}, {wanted}")
    return image


class RemoteArchive:
    """One archive on the server, of which single members are fetched.

    Parameters
    ----------
    url : str
    cache : str or Path
        Folder for members that are whole; they are not fetched again.
    **keywords
        For `deepr.remote.RemoteFile`.
    """

    def __init__(self, url, cache, **keywords):
        self._cache = Path(cache)
        self._file = RemoteFile(url, **keywords)
        # The end of the archive holds the list of its members.
        self._file.hold(self._file.size - _DIRECTORY_BYTES, _DIRECTORY_BYTES)
        self._zip = _opened_zip(self._file, url)
        self.names = self._zip.namelist()

    def read(self, name):
        """Give a member's bytes, from the cache or from the server; refuse it if size or CRC-32 are not its own."""
        info = self._zip.getinfo(name)
        kept = self._cache / Path(name).name
        if kept.is_file():
            data = kept.read_bytes()
            if len(data) == info.file_size and zlib.crc32(data) == info.CRC:
                return data
            log.warning("%s: not what the archive has, fetched again", kept)
        data = self._fetch(info)
        with write_atomically(kept) as temporary:
            temporary.write_bytes(data)
        return data

    def _fetch(self, info):
        for attempt in range(1, _ATTEMPTS_AT_MEMBER + 1):
            length = _HEADER_BYTES + len(info.filename.encode()) + info.compress_size
            self._file.hold(info.header_offset, length)
            try:
                return _read_member(self._zip, info)
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                log.warning("%s in %s: %s (attempt %d)", info.filename, self._file.url, error, attempt)
                cause = error
        raise InputError(
            f"{self._file.url}: member {info.filename} is damaged ({cause}) in {_ATTEMPTS_AT_MEMBER} attempts, "
            f"wanted {info.file_size} bytes with CRC-32 {info.CRC:08x}"
        ) from cause


class LocalArchive:
    """One archive that has been downloaded whole; see `RemoteArchive`."""

    def __init__(self, path):
        self._path = Path(path)
        self._zip = _opened_zip(path, path)
        self.names = self._zip.namelist()

    def read(self, name):
        """Give a member's bytes; refuse it if size or CRC-32 are not its own."""
        try:
            return _read_member(self._zip, self._zip.getinfo(name))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise InputError(f"{self._path}: member {name} is damaged ({error}), wanted a whole archive") from error


def _opened_zip(file, name):
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise InputError(f"{name}: no zip archive or a truncated one ({error}), wanted one of BBBC006") from error


def _read_member(archive, info):
    # zipfile checks the CRC-32 at the end of a member, and is silent about one that ends early.
    data = archive.read(info)
    if len(data) != info.file_size:
        raise EOFError(f"{len(data)} bytes")
    return data


def archive_name(plane):
    """Name the archive of a plane, and its folder."""
    return f"BBBC006_v1_images_z_{plane:02d}"


def find_remote(url, planes, channel, cache, threads=4, **keywords):
    """List what the archives on the server have of a channel.

    Parameters
    ----------
    url : str
        Folder of the archives.
    planes : sequence of int
    channel : str
        A key of `CHANNELS`.
    cache : str or Path
        Folder for fetched members.
    threads : int
    **keywords
        For `deepr.remote.RemoteFile`.

    Returns
    -------
    dict
        A plane's fields: {plane: {(well, site): Plane}}.

    Raises
    ------
    InputError
        If an archive is not there or none.
    """

    def look(plane):
        archive = RemoteArchive(
            f"{url.rstrip('/')}/{archive_name(plane)}.zip", Path(cache) / f"z_{plane:02d}", **keywords
        )
        return _fields(archive.names, channel, archive)

    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(planes, pool.map(look, planes), strict=True))


def find_files(folder, planes, channel):
    """List what a folder has of a channel: archives as they were downloaded, or their unzipped folders.

    Parameters
    ----------
    folder : str or Path
    planes, channel
        As for `find_remote`.

    Returns
    -------
    dict
        As `find_remote`.

    Raises
    ------
    InputError
        If neither archive nor folder of a plane is there.
    """
    found = {}
    for plane, place in find_places(folder, planes).items():
        if place.is_dir():
            found[plane] = _fields(sorted(str(path) for path in place.rglob("*.tif")), channel)
        else:
            archive = LocalArchive(place)
            found[plane] = _fields(archive.names, channel, archive)
    return found


def find_places(folder, planes):
    """Find the archive or the unzipped folder of each plane, and look into none.

    Parameters
    ----------
    folder : str or Path
    planes : sequence of int

    Returns
    -------
    dict of Path
        By plane.

    Raises
    ------
    InputError
        If neither archive nor folder of a plane is there.
    """
    places = {}
    for plane in planes:
        unzipped = Path(folder) / archive_name(plane)
        zipped = unzipped.with_suffix(".zip")
        if not unzipped.is_dir() and not zipped.is_file():
            raise InputError(f"{folder}: found neither {zipped.name} nor a folder {unzipped.name}, wanted one of them")
        places[plane] = unzipped if unzipped.is_dir() else zipped
    return places


def _fields(names, channel, archive=None):
    number = str(CHANNELS[channel][0])
    fields = {}
    for name in names:
        match = _NAME.fullmatch(Path(name).name)
        if match and match[3] == number:
            fields[match[1], int(match[2])] = Plane(name, archive)
    return fields


def read_field(found, well, site, threads=4):
    """Read the planes of one field.

    Parameters
    ----------
    found : dict
        From `find_remote` or `find_files`.
    well : str
    site : int
    threads : int
        Planes that are fetched side by side, each from its own archive.

    Returns
    -------
    stack : (Z, 520, 696) ndarray of uint16
    z_um : (Z,) ndarray of float64
        Relative to plane 16, ascending.

    Raises
    ------
    InputError
        If a plane is missing, damaged or constant.
    """
    planes = sorted(found)
    for plane in planes:
        if (well, site) not in found[plane]:
            raise InputError(f"{archive_name(plane)}: found no image of well {well}, site {site}, wanted one per plane")

    def read(plane):
        place = found[plane][well, site]
        image = decode_plane(place.read(), place.name)
        if image.min() == image.max():
            raise InputError(f"{place.name}: constant (all pixels {image.min()}), wanted an image with structure")
        return image

    with ThreadPoolExecutor(threads) as pool:
        stack = np.stack(list(pool.map(read, planes)))
    return stack, np.array([plane_z_um(plane) for plane in planes])


def read_wells(found, wells, min_contrast, threads=4):
    """Read all fields of some wells but the nearly empty ones.

    Parameters
    ----------
    found : dict
        From `find_remote` or `find_files`.
    wells : sequence of str
    min_contrast : float
        A field is left out, and the log says so, if `deepr.patches.measure_contrast` finds less in each quarter of it.
    threads : int

    Yields
    ------
    field : str
        Such as "a01_s1".
    stack : (Z, 520, 696) ndarray of uint16
    z_um : (Z,) ndarray of float64

    Raises
    ------
    InputError
        As `read_field`; or if no field is left.
    """
    kept = left_out = 0
    for well in wells:
        for site in SITES:
            stack, z_um = read_field(found, well, site, threads)
            focus = int(np.argmin(np.abs(z_um)))
            height, width = stack.shape[1] // 2, stack.shape[2] // 2
            quarters = [stack[:, y : y + height, x : x + width] for y in (0, height) for x in (0, width)]
            contrast = max(measure_contrast(quarter, focus) for quarter in quarters)
            if contrast < min_contrast:
                log.info(
                    "%s_s%d: left out, nearly empty (contrast %.2f, wanted %g)", well, site, contrast, min_contrast
                )
                left_out += 1
                continue
            kept += 1
            yield f"{well}_s{site}", stack, z_um
    log.info("%d fields kept, %d left out as nearly empty", kept, left_out)
    if kept == 0:
        raise InputError(
            f"BBBC006: all fields of wells {', '.join(wells)} are nearly empty, wanted at least one with cells"
        )
