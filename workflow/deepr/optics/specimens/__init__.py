"""Specimens by name: what lies under the simulated microscope."""

from collections.abc import Callable
from dataclasses import dataclass

from deepr.optics.specimens.beads import (
    DRY_INDEX,
    MEDIUM_INDEX,
    bead_parameters,
    make_beads,
    make_beads_in_volume,
    volume_parameters,
)
from deepr.optics.specimens.breast import breast_parameters, make_breast
from deepr.optics.specimens.cells import WATER_INDEX, cell_parameters, make_nuclei, make_phalloidin
from deepr.optics.specimens.ovary import make_ovary, ovary_parameters
from deepr.optics.specimens.prostate import make_prostate, prostate_parameters
from deepr.optics.specimens.specimen import MOUNTING_INDEX, Specimen

__all__ = ["Specimen", "is_stained", "make_specimen", "refractive_index", "slide_parameters"]


@dataclass(frozen=True)
class _Kind:
    """How a kind of specimen is made.

    ``parameters`` draws what differs between slides from a generator; ``make`` makes a field from
    (shape, pixel_um, rng) and these parameters. What is ``stained`` absorbs white light, in three colours; the others
    fluoresce in one.
    """

    parameters: Callable
    make: Callable
    refractive_index: float
    stained: bool = False


_KINDS = {
    "beads": _Kind(bead_parameters, make_beads, DRY_INDEX),
    "beads_volume": _Kind(volume_parameters, make_beads_in_volume, MEDIUM_INDEX),
    "breast": _Kind(breast_parameters, make_breast, MOUNTING_INDEX),
    "nuclei": _Kind(cell_parameters, make_nuclei, WATER_INDEX),
    "ovary": _Kind(ovary_parameters, make_ovary, MOUNTING_INDEX),
    "phalloidin": _Kind(cell_parameters, make_phalloidin, WATER_INDEX),
    "prostate": _Kind(prostate_parameters, make_prostate, MOUNTING_INDEX, stained=True),
}


def make_specimen(name, shape, pixel_um, rng, **parameters):
    """Make one field of a specimen.

    Parameters
    ----------
    name : str
        A key of `_KINDS`: "ovary", "breast", "beads" and so on.
    shape : tuple of int
        (Y, X) of a layer.
    pixel_um : float
    rng : numpy.random.Generator
        Draws the field.
    **parameters
        What differs from slide to slide, as `slide_parameters` draws it.

    Returns
    -------
    Specimen
        For "prostate" a `deepr.optics.specimens.prostate.StainedSection`, which is no source of light.

    Raises
    ------
    ValueError
        If the specimen is not known.
    """
    return _kind(name).make(shape, pixel_um, rng, **parameters)


def slide_parameters(name, rng):
    """Draw the parameters that all fields of a slide have in common, a dict; see `make_specimen`."""
    return _kind(name).parameters(rng)


def refractive_index(name):
    """Give the index of the medium in which a specimen's depths are counted."""
    return _kind(name).refractive_index


def is_stained(name):
    """Say whether a specimen is seen in brightfield, in three colours."""
    return _kind(name).stained


def _kind(name):
    if name not in _KINDS:
        raise ValueError(f"specimen {name!r} is not known; wanted one of {', '.join(_KINDS)}")
    return _KINDS[name]
