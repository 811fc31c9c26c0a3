"""Extended depth of field: one all-in-focus image from a z-stack, by complex Daubechies wavelets."""

from deepr.edof.fusion import extended_depth_of_field
from deepr.edof.wavelets import analyse, synthesise

__all__ = ["analyse", "extended_depth_of_field", "synthesise"]
