"""Brightfield microscopy in colour: what stained tissue leaves of white light, through focus."""

import numpy as np

from deepr.optics.camera import Camera
from deepr.optics.microscope import Microscope, StageDrift, Timing
from deepr.optics.specimens.prostate import EOSIN, HAEMATOXYLIN, WHITE_ELECTRONS
from deepr.optics.specimens.specimen import Specimen

# Rec. 709: how bright red, green and blue are together.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])

# White is shown as 235 of 255; a colour camera's 8 bits per channel after white balance.
COLOUR_CAMERA = Camera(
    gain=WHITE_ELECTRONS / 230.0, offset=5.0, read_noise=8.0, full_well=WHITE_ELECTRONS * 250 / 230, bits=8
)


def absorbing_layers(section, channel):
    """Turn stain into light taken away, layer by layer, by the law of Beer and Lambert.

    Parameters
    ----------
    section : deepr.optics.specimens.prostate.StainedSection
    channel : int
        0 red, 1 green, 2 blue.

    Returns
    -------
    deepr.optics.specimens.Specimen
        Layers that are negative light, on a background of white.

    Notes
    -----
    A ray through the whole section loses 1 - exp(-A), A being the absorbance (base e) of all layers together;
    each layer's share of the loss is its share of A. In focus, and for stain without structure at any focus,
    the image is exactly exp(-A). The loss of each layer is then imaged incoherently at its own defocus, which
    holds for a condenser as wide as the objective and weak phase.
    """
    absorbance = section.haematoxylin * np.float32(HAEMATOXYLIN[channel] * np.log(10))
    absorbance += section.eosin * np.float32(EOSIN[channel] * np.log(10))
    total = absorbance.sum(axis=0)
    share = np.divide(-np.expm1(-total), total, out=np.ones_like(total), where=total > 1e-6)
    absorbance *= np.float32(-WHITE_ELECTRONS) * share
    return Specimen(absorbance, section.depths_um, WHITE_ELECTRONS)


def luminance(image):
    """Give the brightness of a colour image, (Y, X, 3) to (Y, X) float64."""
    return np.asarray(image, dtype=np.float64) @ LUMINANCE


class BrightfieldMicroscope(Microscope):
    """One field of stained tissue under a microscope with a colour camera.

    Parameters
    ----------
    formations : sequence of deepr.optics.imaging.ImageFormation
        One for red, green and blue, of one frame and grid.
    section : deepr.optics.specimens.prostate.StainedSection
    rng : numpy.random.Generator
    camera : deepr.optics.camera.Camera
    others
        As for `Microscope`, whose methods give (Y, X, 3) uint8 here and (Z, Y, X, 3) for a stack.
    """

    _samples = (3,)

    def __init__(
        self,
        formations,
        section,
        rng,
        camera=COLOUR_CAMERA,
        tilt_deg=0.0,
        drift=StageDrift(),  # noqa: B008 (frozen)
        timing=Timing(),  # noqa: B008 (frozen)
        start_range_um=3.0,
        threads=1,
    ):
        channels = [absorbing_layers(section, channel) for channel in range(3)]
        super().__init__(
            formations[0],
            channels[0],
            rng,
            camera,
            tilt_deg,
            drift,
            timing,
            start_range_um=start_range_um,
            threads=threads,
        )
        if len({formation.grid_px for formation in formations}) != 1:
            raise ValueError("the three colours have grids of different sides; wanted one")
        self._formations = list(formations)
        self._channel_spectra = [
            formation.spectra(channel.layers) for formation, channel in zip(formations, channels, strict=True)
        ]
        del self._spectra

    def autofocus(self, search, score):
        """Search the focus by the brightness of the image; see `Microscope.autofocus`."""
        return super().autofocus(search, lambda image: score(luminance(image)))

    def _planes(self, z_um, moves, finish):
        colours = [
            formation.planes(
                spectra,
                self._depths_um,
                z_um - self._focus_um,
                moves,
                lambda _, image: image,
                tilt_deg=self._tilt_deg,
                threads=self._threads,
            )
            for formation, spectra in zip(self._formations, self._channel_spectra, strict=True)
        ]
        for plane, images in enumerate(zip(*colours, strict=True)):
            yield finish(plane, np.stack(images, axis=-1))

    def _electrons(self, image):
        return np.maximum(image + self._background, 0)
