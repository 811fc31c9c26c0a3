"""Files on a web server that are read in pieces: members of a large archive without the archive."""

import http.client
import io
import logging
import re
import time
import urllib.error
import urllib.request

from deepr.tables import InputError

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
ATTEMPTS = 6
FIRST_PAUSE_S = 1.0

# Answers of a server that may be another one a little later.
_PASSING = {408, 425, 429, 500, 502, 503, 504}


class RemoteFile(io.RawIOBase):
    """A file on a web server as a seekable file that reads by HTTP range requests.

    What is cut off in the middle is gone on with where it was cut; what fails for a moment is tried again after
    pauses that double.

    Parameters
    ----------
    url : str
    attempts : int
        How often in a row a request may bring nothing before it is given up.
    first_pause_s : float
        Pause after the first failure.
    timeout_s : float
        A silence of the server that counts as a failure.

    Attributes
    ----------
    size : int
        Bytes of the whole file.

    Raises
    ------
    InputError
        If the server does not have the file, does not send parts of files, or cannot be reached.
    """

    def __init__(self, url, attempts=ATTEMPTS, first_pause_s=FIRST_PAUSE_S, timeout_s=TIMEOUT_S):
        super().__init__()
        self.url = url
        self._attempts, self._first_pause_s, self._timeout_s = attempts, first_pause_s, timeout_s
        self._position = 0
        self._held_start, self._held = 0, b""
        self.size = None
        self._get(0, 1)

    def readable(self):
        """Say that it can be read."""
        return True

    def seekable(self):
        """Say that any position can be read."""
        return True

    def tell(self):
        """Give the position, in bytes."""
        return self._position

    def seek(self, offset, whence=io.SEEK_SET):
        """Move to another position, and give it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer):
        """Fill a buffer from the position on; give the number of bytes."""
        wanted = max(0, min(len(buffer), self.size - self._position))
        if wanted == 0:
            return 0
        within = self._position - self._held_start
        if not 0 <= within <= len(self._held) - wanted:
            self.hold(self._position, wanted)
            within = 0
        buffer[:wanted] = self._held[within : within + wanted]
        self._position += wanted
        return wanted

    def hold(self, start, count):
        """Fetch a part in one request and keep it until another part is fetched."""
        start = max(0, start)
        count = min(count, self.size - start)
        self._held_start, self._held = start, self._get(start, count)

    def _get(self, start, count):
        """Fetch ``count`` bytes from ``start`` on, going on after an interruption."""
        got = bytearray()
        failures = 0
        while len(got) < count:
            before = len(got)
            try:
                self._append(got, start, count)
                cause = "the connection was closed"
            except urllib.error.HTTPError as error:
                if error.code not in _PASSING:
                    raise InputError(
                        f"{self.url}: the server answers {error.code} {error.reason}, wanted the file"
                    ) from error
                cause = f"{error.code} {error.reason}"
            except (OSError, http.client.HTTPException) as error:
                # URLError, time-outs and resets are all OSErrors.
                cause = str(error) or type(error).__name__
            if len(got) == count:
                break
            failures = 1 if len(got) > before else failures + 1
            if failures >= self._attempts:
                raise InputError(
                    f"{self.url}: {len(got)} of {count} bytes came in {self._attempts} attempts ({cause}), wanted all; "
                    "what is whole is kept, so the same command goes on later"
                )
            pause_s = self._first_pause_s * 2 ** (failures - 1)
            log.warning("%s: %d of %d bytes (%s), again in %.1f s", self.url, len(got), count, cause, pause_s)
            time.sleep(pause_s)
        return bytes(got)

    def _append(self, got, start, count):
        """Append to ``got`` what one request brings of the bytes that it lacks."""
        first, last = start + len(got), start + count - 1
        request = urllib.request.Request(self.url, headers={"Range": f"bytes={first}-{last}"})
        with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
            found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", ""))
            if answer.status != 206 or found is None:
                raise InputError(
                    f"{self.url}: the server sends no parts of files (status {answer.status}), wanted one that answers "
                    "range requests; download the archives and use source: files"
                )
            if int(found[1]) != first:
                raise InputError(f"{self.url}: the server sends bytes from {found[1]}, wanted them from {first}")
            if self.size not in (None, int(found[3])):
                raise InputError(
                    f"{self.url}: now {found[3]} bytes, wanted {self.size} as before: the file has changed"
                )
            self.size = int(found[3])
            while len(got) < count:
                piece = answer.read1(min(1 << 16, count - len(got)))
                if not piece:
                    return
                got.extend(piece)
