"""Acquire a slide: its fields of view, one after the other, each focused and taken as a z-stack."""

from dataclasses import dataclass

import numpy as np

from deepr.optics.brightfield import COLOUR_CAMERA, BrightfieldMicroscope
from deepr.optics.camera import Camera
from deepr.optics.imaging import ImageFormation
from deepr.optics.microscope import Microscope, StageDrift, Timing
from deepr.optics.objective import OBJECTIVES
from deepr.optics.specimens import make_specimen, refractive_index, slide_parameters
from deepr.randomness import random_generator

# What a stack may lie off the focus: the error of the focus search and half a section.
_FOCUS_MARGIN_UM = 2.0

# The focus search goes this far from the focus: it starts within 3 um and looks 5 um to each side.
_SEARCH_REACH_UM = 8.0

# What the correction collar (40x) or its absence (20x) leaves of the spherical aberration, as the
# thickness of the cover glass that would cause it.
COVER_GLASS_UM = {"40x/0.95": 163.0, "20x/0.75": 160.0, "20x/0.45": 170.0}

# BBBC006 is from a 12-bit CCD. Background and noise of its images (125 counts, deviation 3.4) fit an offset of 100, 3
# electrons per count and a read noise of 6.
CAMERAS = {"20x/0.45": Camera(gain=3.0, offset=100.0, read_noise=6.0, full_well=12_000.0, bits=12)}


@dataclass(frozen=True)
class AcquiredField:
    """A field of view as acquired, and the truth about it.

    Attributes
    ----------
    field : str
        "f001" and so on.
    stack : (Z, Y, X) ndarray of uint16, or (Z, Y, X, 3) of uint8
    z_um : (Z,) ndarray of float64
        Stage positions relative to the reference plane.
    truth_rows : list of dict
        One per plane: fov, plane, z_um, focus_z_um, dy_px, dx_px, rotation_deg.
    truth_planes : (T, Y, X) or (T, Y, X, 3) ndarray of float32
        Noise-free counts of the planes near focus, in the frame and with the drift of the acquired ones.
    truth_z_um : (T,) ndarray of float64
    clock_s : float
        Time that search and stack took on the microscope.
    search : object
        Result of the focus search.
    """

    field: str
    stack: np.ndarray
    z_um: np.ndarray
    truth_rows: list
    truth_planes: np.ndarray
    truth_z_um: np.ndarray
    clock_s: float
    search: object


def acquire_slide(
    specimen,
    objective,
    emission_um,
    frame_px,
    z_um,
    fields,
    slide,
    seed,
    truth_range_um,
    threads,
    *,
    search,
    score,
    dataset="",
    cover_glass_um=None,
    tilt_deg=0.0,
    drift=StageDrift(),  # noqa: B008 (frozen)
    camera=None,
    timing=Timing(),  # noqa: B008 (frozen)
    specimen_parameters=None,
):
    """Acquire the z-stacks of a simulated slide, field by field.

    A field depends on the seed, the data set, the specimen, the slide and its own number alone: the
    first fields of a slide are the same however many are asked for, and on any number of threads.

    Parameters
    ----------
    specimen : str
        Name that `deepr.optics.specimens.make_specimen` knows.
    objective : str
        Key of `deepr.optics.objective.OBJECTIVES`.
    emission_um : float or (3,) sequence of float
        Wavelength in vacuum; three, for red, green and blue, make a brightfield image in colour of a
        specimen that is stained.
    frame_px : int
        Side of the square frame.
    z_um : (Z,) array_like of float
        Planes relative to the reference plane, in the order in which they are taken.
    fields : int
        Number of fields.
    slide : str
        Name of the slide.
    seed : int
    truth_range_um : float
        Noise-free planes are given for the planes this close to the true focus.
    threads : int
    search, score : callable
        See `Microscope.autofocus`; for the paper `deepr.focus.brent_search` and `deepr.focus.vollath5`.
    dataset : str
        Name of the data set, part of the seed.
    cover_glass_um : float, optional
        Effective cover glass; by default that of `COVER_GLASS_UM`.
    tilt_deg : float
        Tilt about the x axis.
    drift, timing : StageDrift, Timing
    camera : Camera, optional
        By default that of `CAMERAS`, or else the paper's.
    specimen_parameters : dict, optional
        Replaces parameters of the specimen that are otherwise drawn for the slide.

    Yields
    ------
    AcquiredField

    Raises
    ------
    ValueError
        If the specimen, the objective or a specimen's parameter is not known, or there are no planes.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective {objective!r} is not known; wanted one of {', '.join(OBJECTIVES)}")
    z_um = np.asarray(z_um, dtype=np.float64)
    if z_um.ndim != 1 or z_um.size == 0:
        raise ValueError(f"the planes have shape {z_um.shape}; wanted a list of at least one z")
    parameters = slide_parameters(specimen, random_generator(seed, dataset, specimen, slide))
    parameters |= specimen_parameters or {}
    lens = OBJECTIVES[objective]
    wavelengths_um = np.atleast_1d(emission_um).astype(float)
    if wavelengths_um.size not in (1, 3):
        raise ValueError(f"emission_um has {wavelengths_um.size} values; wanted one, or three for red, green and blue")
    colour = wavelengths_um.size == 3
    if camera is None:
        camera = COLOUR_CAMERA if colour else CAMERAS.get(objective, Camera())
    tilt_um = frame_px / 2 * lens.pixel_um * abs(np.sin(np.radians(tilt_deg)))
    formations = [
        ImageFormation(
            lens,
            wavelength_um,
            frame_px,
            max_defocus_um=max(np.abs(z_um).max() + _FOCUS_MARGIN_UM, _SEARCH_REACH_UM) + tilt_um,
            cover_glass_um=COVER_GLASS_UM[objective] if cover_glass_um is None else cover_glass_um,
            specimen_index=refractive_index(specimen),
        )
        for wavelength_um in wavelengths_um
    ]
    shape = (formations[0].grid_px, formations[0].grid_px)
    for number in range(1, fields + 1):
        field = f"f{number:03d}"
        rng = random_generator(seed, dataset, specimen, slide, field)
        section = make_specimen(specimen, shape, lens.pixel_um, rng, **parameters)
        settings = {"camera": camera, "tilt_deg": tilt_deg, "drift": drift, "timing": timing, "threads": threads}
        if colour:
            microscope = BrightfieldMicroscope(formations, section, rng, **settings)
        else:
            microscope = Microscope(formations[0], section, rng, **settings)
        found = microscope.autofocus(search, score)
        stack, moves = microscope.acquire_stack(z_um)
        near = np.flatnonzero(np.abs(z_um - microscope.focus_z_um) <= truth_range_um)
        yield AcquiredField(
            field=field,
            stack=stack,
            z_um=z_um,
            truth_rows=_truth_rows(field, z_um, microscope.focus_z_um, moves),
            truth_planes=microscope.noise_free(z_um[near], moves[near]),
            truth_z_um=z_um[near],
            clock_s=microscope.clock_s,
            search=found,
        )


def _truth_rows(field, z_um, focus_z_um, moves):
    return [
        {
            "fov": field,
            "plane": plane,
            "z_um": float(z),
            "focus_z_um": float(focus_z_um),
            "dy_px": float(dy),
            "dx_px": float(dx),
            "rotation_deg": float(rotation),
        }
        for plane, (z, (dy, dx, rotation)) in enumerate(zip(z_um, moves, strict=True))
    ]
