"""Surfaces onto which an image is defocused: tilted, cylindrical and spherical."""

import numpy as np

SURFACES = ("tilted", "cylindrical", "spherical")


def defocus_surface(name, shape, amplitude_um):
    """Give the height of a surface at each pixel.

    Parameters
    ----------
    name : {"tilted", "cylindrical", "spherical"}
        A plane that rises along y; a parabola along x that is the same for every y; a paraboloid, which is
        what a sphere is near its top.
    shape : tuple of int
        (Y, X).
    amplitude_um : float
        The surface lies between minus and plus this and reaches both.

    Returns
    -------
    (Y, X) ndarray of float64
        In um.

    Raises
    ------
    ValueError
        If there is no such surface.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    heights = {"tilted": y, "cylindrical": 1 - 2 * x**2, "spherical": 1 - (x**2 + y**2)}
    if name not in heights:
        raise ValueError(f"surface is {name!r}, wanted one of {', '.join(SURFACES)}")
    height = heights[name]
    low, high = height.min(), height.max()
    # An even number of pixels has none in the middle: the top is reached all the same.
    return amplitude_um * (2 * (height - low) / (high - low) - 1)
