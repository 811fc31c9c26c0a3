"""Deep-R: single-shot autofocusing of microscopy images, from z-stacks to every figure of the paper."""

__version__ = "0.1.0"
