"""What trained networks are used for: the names for programs that use this library.

The steps of the workflow import the modules behind it, so that a change of one use repeats none of the others.
"""

from deepr.networks.blind_refocusing import refocus, refocus_normalised, refocus_stack
from deepr.networks.decoder import defocus_map, defocus_maps, load_decoder
from deepr.networks.generator import load_generator
from deepr.networks.virtual_refocusing import virtually_refocus

__all__ = [
    "defocus_map",
    "defocus_maps",
    "load_decoder",
    "load_generator",
    "refocus",
    "refocus_normalised",
    "refocus_stack",
    "virtually_refocus",
]
