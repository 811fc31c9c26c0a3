"""Opening TIFF files of any program: each on its own, and with an ear for what is wrong with it."""

import contextlib
import logging

import tifffile


@contextlib.contextmanager
def open_alone(path):
    """Open a TIFF file by itself, also where it is one of several that make a stack.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    tiff : tifffile.TiffFile
        OME-XML that places some of its planes in other files, or nowhere, is not followed: the file is then
        read as its own pages, and `is_ome` is False.
    complaints : list of str
        What tifffile reports as an error, until now and from now on: of a file that was cut it reports that the
        chain of pages is broken, and goes on with those before.
    """
    complaints = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: complaints.append(record.getMessage())
    logger = logging.getLogger("tifffile")
    propagate, level = logger.propagate, logger.level
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    logger.addHandler(handler)
    try:
        tiff = tifffile.TiffFile(path, _multifile=False)
        if tiff.is_ome and not _is_whole(tiff):
            tiff.close()
            complaints.clear()
            tiff = tifffile.TiffFile(path, is_ome=False)
        with tiff:
            yield tiff, complaints
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
        logger.setLevel(level)


def _is_whole(tiff):
    """Say whether every plane of which the OME-XML speaks is in the file."""
    return all(page is not None for series in tiff.series for page in series.pages)
