"""The objectives of the paper and of the public data set BBBC006."""

import math
from dataclasses import dataclass

CAMERA_PIXEL_UM = 6.5


@dataclass(frozen=True)
class Objective:
    """A dry objective with the pixel that its camera sees on the specimen.

    Attributes
    ----------
    magnification : float
    numerical_aperture : float
        Below 1: all objectives here work in air.
    working_distance_um : float
        Free working distance, from the maker.
    pixel_um : float
        Camera pixel divided by the magnification.
    """

    magnification: float
    numerical_aperture: float
    working_distance_um: float
    pixel_um: float

    def __post_init__(self):
        if not 0 < self.numerical_aperture < 1:
            raise ValueError(
                f"the numerical aperture is {self.numerical_aperture}; a dry objective's lies between 0 and 1"
            )
        if not self.pixel_um > 0:
            raise ValueError(f"the pixel is {self.pixel_um} um; wanted a positive number")

    def depth_of_field_um(self, emission_um):
        """Give the depth of field as the paper counts it, wavelength / NA^2, in um."""
        return emission_um / self.numerical_aperture**2

    def blur_radius_um(self, defocus_um):
        """Give the radius of the geometrical blur of a point that is out of focus, in um."""
        return abs(defocus_um) * math.tan(math.asin(self.numerical_aperture))


# Olympus UPLSAPO 40x and 20x on the 6.5 um pixels of the ORCA-Flash4.0; BBBC006: ImageXpress Micro,
# 6.45 um pixels binned 2 x 2. The working distance does not enter the phase in air, where design and
# actual immersion are the same; the one of BBBC006's long-distance lens is a typical value.
OBJECTIVES = {
    "40x/0.95": Objective(40.0, 0.95, 180.0, CAMERA_PIXEL_UM / 40),
    "20x/0.75": Objective(20.0, 0.75, 650.0, CAMERA_PIXEL_UM / 20),
    "20x/0.45": Objective(20.0, 0.45, 7400.0, 2 * 6.45 / 20),
}
