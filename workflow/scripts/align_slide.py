"""Align the planes of every z-stack of a slide and cut away the empty borders."""

import logging

import pandas as pd
from deepr.alignment import align_stack, valid_window
from deepr.focus import sharpest_plane
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide
from deepr.tables import InputError, write_table

log = logging.getLogger(__name__)


def align_slide(stacks_path, aligned_path, transforms_path, anchor, limits, patch_px, threads):
    """Align every field of a slide, crop it to whole patches, and keep the transforms in a sheet.

    `limits` says by keyword of `align_stack` which registrations are taken for failures. A field that drifted so far
    that no whole patch is left is left out with a warning, unless no other remains.
    """
    rows, left_out = [], []
    with (
        open_slide(stacks_path) as slide,
        SlideWriter(
            aligned_path,
            pixel_um=slide.pixel_um,
            objective=slide.objective,
            channel=slide.channel,
            source=slide.source,
            description="Aligned z-stack",
        ) as writer,
    ):
        for field in progress(slide.fields, desc="fields"):
            stack, z_um = slide.stack(field), slide.z_um(field)
            anchor_plane = sharpest_plane(stack) if anchor == "focus" else 0
            try:
                aligned, matrices = align_stack(stack, anchor_plane, threads, **limits)
            except ValueError as error:
                raise InputError(f"{stacks_path}, field {field}: {error}") from error
            try:
                y, x, height, width = valid_window(stack.shape[1:3], matrices, multiple=patch_px)
            except ValueError as error:
                left_out.append(f"field {field}: {error}")
                log.warning("left out, for patch_px is %d, %s", patch_px, left_out[-1])
                continue
            writer.write(field, aligned[:, y : y + height, x : x + width], z_um)
            for plane, matrix in enumerate(matrices):
                rows.append(
                    {
                        "fov": field,
                        "plane": plane,
                        "z_um": z_um[plane],
                        "anchor": anchor_plane,
                        **{f"m{row}{column}": matrix[row, column] for row in (0, 1) for column in (0, 1, 2)},
                        "crop_y": y,
                        "crop_x": x,
                        "height": height,
                        "width": width,
                    }
                )
        if not rows:
            raise InputError(
                f"{stacks_path}: alignment leaves no field with a patch of {patch_px} x {patch_px} px (patch_px), "
                f"wanted larger fields or a smaller patch_px; {left_out[0]}"
            )
    if left_out:
        log.warning("%d of %d fields were left out", len(left_out), len(slide.fields))
    write_table(pd.DataFrame(rows), transforms_path)


if __name__ == "__main__":
    with logged(snakemake):
        align_slide(
            stacks_path=snakemake.input[0],
            aligned_path=snakemake.output.stacks,
            transforms_path=snakemake.output.transforms,
            anchor=snakemake.params.anchor,
            limits={
                "max_rotation_deg": snakemake.params.max_rotation_deg,
                "max_shift_px": snakemake.params.dataset["max_shift_px"],
            },
            patch_px=snakemake.params.dataset["patch_px"],
            threads=snakemake.threads,
        )
