"""Fuse every z-stack of a slide into one all-in-focus image."""

from deepr.edof import extended_depth_of_field
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter, open_slide


def fuse_slide(stacks_path, composites_path, edof, threads):
    """Write a slide of composites, one plane per field of the slide of aligned stacks."""
    with (
        open_slide(stacks_path) as slide,
        SlideWriter(
            composites_path,
            pixel_um=slide.pixel_um,
            objective=slide.objective,
            channel=slide.channel,
            source=slide.source,
            description="Extended depth of field composite",
        ) as writer,
    ):
        for field in progress(slide.fields, desc="fields"):
            composite, _ = extended_depth_of_field(slide.stack(field), threads=threads, **edof)
            writer.write(field, composite[None].astype("float32"), [0.0])


if __name__ == "__main__":
    with logged(snakemake):
        fuse_slide(
            stacks_path=snakemake.input[0],
            composites_path=snakemake.output[0],
            edof=snakemake.params.edof,
            threads=snakemake.threads,
        )
