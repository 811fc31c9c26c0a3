"""Find the focus plane of every patch of a slide."""

import pandas as pd
from deepr.patches import find_patches
from deepr.runtime import logged, progress
from deepr.slides import open_slide
from deepr.tables import write_table


def find_focus_planes(stacks_path, composites_path, patches_path, dataset, slide_name, patch_px, min_contrast):
    """Write one row per patch: where it is, its focus plane, and whether it is kept."""
    tables = []
    with open_slide(stacks_path) as slide, open_slide(composites_path) as composites:
        for field in progress(slide.fields, desc="fields"):
            patches = find_patches(
                stack=slide.stack(field),
                composite=composites.stack(field)[0],
                z_um=slide.z_um(field),
                patch_px=patch_px,
                min_contrast=min_contrast,
            )
            tables.append(pd.DataFrame(patches).assign(dataset=dataset, slide=slide_name, fov=field))
    write_table(pd.concat(tables, ignore_index=True), patches_path)


if __name__ == "__main__":
    with logged(snakemake):
        find_focus_planes(
            stacks_path=snakemake.input.stacks,
            composites_path=snakemake.input.composites,
            patches_path=snakemake.output[0],
            dataset=snakemake.wildcards.dataset,
            slide_name=snakemake.wildcards.slide,
            **snakemake.params.dataset,
        )
