"""BBBC006: members of archives on a server, whole or refused; fields by well, site and channel."""

import http.server
import logging
import re
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from deepr.bbbc006 import (
    SHAPE,
    archive_name,
    choose_wells,
    decode_plane,
    find_files,
    find_remote,
    read_field,
    read_wells,
)
from deepr.remote import RemoteFile
from deepr.slides import open_slide
from deepr.tables import InputError

PLANES = [15, 16, 17]


def image_of(plane, well, site, channel, cells=True):
    """Draw bright discs, blurred by the distance from plane 16, on a noisy background of 120 counts."""
    rng = np.random.default_rng([plane, ord(well[0]), int(well[1:]), site, channel])
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    discs = sum(np.hypot(y - cy, x - cx) < 14 for cy, cx in [(100, 120), (400, 500), (300, 300)])
    image = 120 + 500.0 * channel * cells * discs / (1 + 0.1 * abs(plane - 16))
    return rng.normal(image, 3).astype(np.uint16)


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Make three archives with the names of BBBC006: two wells, two sites, two channels, LZW; a03 is empty."""
    folder = tmp_path_factory.mktemp("archives")
    for plane in PLANES:
        with zipfile.ZipFile(folder / f"{archive_name(plane)}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for well in ("a02", "a03"):
                for site in (1, 2):
                    for channel in (1, 2):
                        image = image_of(plane, well, site, channel, cells=well == "a02")
                        identifier = f"{plane:08x}-cb8e-4e72-9f72-ee77bfdac65f"
                        name = f"mcf-z-stacks-03212011_{well}_s{site}_w{channel}{identifier}.tif"
                        tifffile.imwrite(folder / "plane.tif", image, compression="lzw")
                        archive.write(folder / "plane.tif", f"{archive_name(plane)}/{name}")
    (folder / "plane.tif").unlink()
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder with range requests; ``faults`` are popped one by one, ``requests`` counts."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.faults, self.requests, self.ranges, self.sent = folder, [], 0, True, 0
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests += 1
        path = server.folder / self.path.strip("/")
        if not path.is_file():
            return self.send_error(404)
        data = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
        start, stop = int(found[1]), min(int(found[2]) + 1, len(data))
        # Faults strike bodies of some length, not the first byte that asks for the size.
        fault = server.faults.pop(0) if server.faults and stop - start > 100 else None
        if fault == "busy":
            return self.send_error(503)
        body = data[start:stop] if server.ranges else data
        self.send_response(206 if server.ranges else 200)
        if server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "cut":
            body = body[: len(body) // 2]
        if fault == "garble":
            middle = len(body) // 2
            body = body[:middle] + bytes(255 - value for value in body[middle : middle + 8]) + body[middle + 8 :]
        server.sent += len(body)
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *arguments):
        """Stay silent."""


@pytest.fixture
def server(archives):
    """Run a server of the archives in a thread."""
    running = Server(archives)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def remote(server, cache, channel="hoechst", planes=PLANES):
    return find_remote(server.url, planes, channel, cache, first_pause_s=0.01)


@pytest.mark.parametrize(("channel", "number"), [("hoechst", 1), ("phalloidin", 2)])
def test_a_field_comes_from_the_server_as_it_is(server, tmp_path, channel, number):
    """Each plane is the archive's own, found by well, site and channel; z counts from plane 16."""
    stack, z_um = read_field(remote(server, tmp_path, channel), "a02", 2)
    np.testing.assert_array_equal(z_um, [-2, 0, 2])
    for plane, image in zip(PLANES, stack, strict=True):
        np.testing.assert_array_equal(image, image_of(plane, "a02", 2, number))


def test_only_the_wanted_members_travel(server, tmp_path):
    """Of an archive the list and one member are sent, and what has been fetched is not sent again."""
    whole = sum(path.stat().st_size for path in server.folder.glob("*.zip"))
    found = remote(server, tmp_path)
    listed = server.sent
    read_field(found, "a02", 1)
    assert server.sent - listed < whole / 6
    requests = server.requests
    read_field(found, "a02", 1)
    assert server.requests == requests


@pytest.mark.parametrize("faults", [["cut"], ["busy", "cut", "busy"], ["garble"]])
def test_passing_faults_are_overcome(server, tmp_path, faults):
    """A cut connection goes on where it was cut, a busy server is asked again, damage on the way fetched again."""
    found = remote(server, tmp_path)
    server.faults[:] = list(faults)
    stack, _ = read_field(found, "a02", 1, threads=1)
    assert not server.faults
    np.testing.assert_array_equal(stack[0], image_of(15, "a02", 1, 1))


def test_a_cut_connection_is_gone_on_with(server):
    """After a cut in the middle only the rest travels."""
    file = RemoteFile(f"{server.url}{archive_name(16)}.zip", first_pause_s=0.01)
    sent = server.sent
    server.faults[:] = ["cut", "cut"]
    assert file.read(file.size) == (server.folder / f"{archive_name(16)}.zip").read_bytes()
    assert server.sent - sent == file.size


def test_a_server_that_stays_away_is_given_up(server, tmp_path):
    """After the last attempt one sentence says how much came; nothing half-fetched stays."""
    found = remote(server, tmp_path)
    server.faults[:] = ["busy"] * 50
    with pytest.raises(InputError, match=r"0 of \d+ bytes came in 6 attempts \(503"):
        read_field(found, "a02", 1, threads=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_member_is_refused(server, archives, tmp_path):
    """A member whose bytes do not give its CRC-32 is named, and not kept; the other planes are."""
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in archives.glob("*.zip"):
        data = bytearray(path.read_bytes())
        if path.stem == archive_name(16):
            with zipfile.ZipFile(path) as archive:
                info = next(info for info in archive.infolist() if "a02_s1_w1" in info.filename)
            middle = info.header_offset + 200 + info.compress_size // 2
            data[middle : middle + 4] = bytes(255 - value for value in data[middle : middle + 4])
        (damaged / path.name).write_bytes(data)
    server.folder = damaged
    with pytest.raises(InputError, match=r"z_16/mcf-z-stacks-03212011_a02_s1_w1.* is damaged .* CRC-32"):
        read_field(remote(server, tmp_path / "cache"), "a02", 1)
    assert not list((tmp_path / "cache/z_16").glob("*a02_s1*"))
    with pytest.raises(InputError, match="is damaged"):
        read_field(find_files(damaged, PLANES, "hoechst"), "a02", 1)


def test_a_damaged_cache_is_fetched_again(server, tmp_path):
    """A kept member of another size or content is not believed."""
    found = remote(server, tmp_path)
    read_field(found, "a02", 1)
    for path in tmp_path.rglob("*.tif"):
        data = path.read_bytes()
        path.write_bytes(data[:-1] if "z_15" in str(path) else data[:-1] + b"?")
    stack, _ = read_field(found, "a02", 1)
    np.testing.assert_array_equal(stack[1], image_of(16, "a02", 1, 1))


def test_a_server_without_ranges_is_refused(server, tmp_path):
    """Nobody downloads 28 GB by accident: the sentence points to source: files."""
    server.ranges = False
    with pytest.raises(InputError, match=r"sends no parts of files .* use source: files"):
        remote(server, tmp_path)


def test_an_archive_or_a_plane_that_is_missing_is_named(server, archives, tmp_path):
    """The archive's address, or the well and site that it lacks."""
    with pytest.raises(InputError, match=r"z_18.zip: the server answers 404"):
        remote(server, tmp_path, planes=[17, 18])
    with pytest.raises(InputError, match=r"z_15: found no image of well p24, site 1"):
        read_field(remote(server, tmp_path), "p24", 1)
    with pytest.raises(InputError, match=r"found neither BBBC006_v1_images_z_18.zip nor a folder"):
        find_files(archives, [17, 18], "hoechst")


def test_archives_and_unzipped_folders_give_the_same(server, archives, tmp_path):
    """From the server, from archives in a folder and from unzipped folders comes one and the same stack."""
    for path in archives.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "unzipped")
    wanted, _ = read_field(remote(server, tmp_path / "cache"), "a02", 1)
    for folder in (archives, tmp_path / "unzipped"):
        stack, _ = read_field(find_files(folder, PLANES, "hoechst"), "a02", 1)
        np.testing.assert_array_equal(stack, wanted)


def test_nearly_empty_fields_are_left_out_and_counted(archives, caplog):
    """The well without cells goes, the log says how many fields; a slide of such wells alone is refused."""
    caplog.set_level(logging.INFO)
    found = find_files(archives, PLANES, "hoechst")
    assert [field for field, *_ in read_wells(found, ["a02", "a03"], 1.0)] == ["a02_s1", "a02_s2"]
    assert "2 fields kept, 2 left out" in caplog.text
    with pytest.raises(InputError, match="wells a03 are nearly empty"):
        list(read_wells(found, ["a03"], 1.0))


def test_a_slide_is_like_any_other(server, tmp_path, monkeypatch):
    """The script writes a slide with pixel, objective, heights and source; a failure leaves none."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "workflow/scripts")
    from fetch_slide import fetch_slide

    settings = {
        **{"source": "download", "channel": "phalloidin", "url": server.url},
        **{"planes": {"first": 15, "last": 17}, "min_contrast": 1.0},
    }
    path = tmp_path / "training1.ome.tif"
    with pytest.raises(InputError, match="p01"):
        fetch_slide(path, tmp_path / "cache", ["a02", "p01"], settings, threads=2)
    assert not path.exists() and not list(tmp_path.glob(".part*"))
    fetch_slide(path, tmp_path / "cache", ["a02"], settings, threads=2)
    slide = open_slide(path)
    assert slide.fields == ("a02_s1", "a02_s2")
    assert (slide.source, slide.channel, slide.objective, slide.pixel_um) == (
        "BBBC006",
        "phalloidin",
        "20x/0.45",
        0.645,
    )
    np.testing.assert_array_equal(slide.z_um("a02_s1"), [-2, 0, 2])


def test_splits_share_no_well():
    """Training and test wells are of one order from its two ends: more of one leaves the other as it was."""
    training, test = choose_wells("train", 300, 1), choose_wells("test", 84, 1)
    assert len(set(training) | set(test)) == 384
    assert choose_wells("train", 10, 1) == training[:10]
    assert set(choose_wells("test", 8, 1)) <= set(test)
    assert choose_wells("train", 10, 2) != training[:10]


@pytest.mark.parametrize("image", [np.zeros((520, 690), np.uint16), np.zeros(SHAPE, np.uint8)])
def test_other_images_are_refused(tmp_path, image):
    """Another size or pixel type is named, and so is what is no TIFF file."""
    tifffile.imwrite(tmp_path / "a.tif", image)
    with pytest.raises(InputError, match="wanted a TIFF file of 520 x 696 px, uint16"):
        decode_plane((tmp_path / "a.tif").read_bytes(), "a.tif")
    with pytest.raises(InputError, match="cannot be decoded"):
        decode_plane(b"no image", "a.tif")


def test_real_images_are_read(tmp_path, real_data):
    """Images of the data set itself, LZW of 12 bits, pass through the same road."""
    folder = tmp_path / archive_name(0)
    folder.mkdir()
    files = sorted((real_data / "bbbc006-hoechst/z00").glob("00_*.tif"))
    for path in files:
        (folder / path.name.removeprefix("00_")).write_bytes(path.read_bytes())
    found = find_files(tmp_path, [0], "hoechst")
    assert len(found[0]) == len(files) == 13
    stack, z_um = read_field(found, "a01", 1)
    assert z_um.tolist() == [-32]
    assert 105 <= stack.min() and stack.max() <= 4095
