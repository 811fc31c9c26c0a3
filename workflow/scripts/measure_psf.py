"""Measure the PSF at each defocus on the isolated beads of a slide."""

import logging

import numpy as np
from deepr.point_spread import measure_psf
from deepr.runtime import logged
from deepr.slides import SlideWriter, open_slide

log = logging.getLogger(__name__)


def measure(slide_paths, blur_um, psf_path):
    """Write the PSF as a stack; its window holds the blur of the outermost plane if the field is large enough."""
    slides = [open_slide(path) for path in slide_paths]
    first = slides[0]
    side = min(min(slide.stack(field).shape[1:3]) for slide in slides for field in slide.fields)
    # Of a small field at most two fifths, so that some beads are as far from its border.
    window = 2 * min(int(blur_um / first.pixel_um), side // 5) + 1
    fields = ((np.asarray(slide.stack(field)), slide.z_um(field)) for slide in slides for field in slide.fields)
    psf, z_um, count = measure_psf(fields, window, distance_px=window)
    log.info("PSF of %d px and %d planes from %d beads", window, len(z_um), count)
    description = f"PSF, mean of {count} beads"
    facts = {"objective": first.objective, "channel": first.channel, "source": first.source}
    with SlideWriter(psf_path, first.pixel_um, description=description, **facts) as writer:
        writer.write("psf", psf, z_um)


if __name__ == "__main__":
    with logged(snakemake):
        measure(
            slide_paths=snakemake.input,
            blur_um=snakemake.params.blur_um,
            psf_path=snakemake.output[0],
        )
