"""Import the z-stacks of one slide from a person's own files."""

from deepr.runtime import logged, progress
from deepr.slides import SlideWriter
from deepr.stacks import read_stack


def import_slide(rows, slide_path):
    """Write one slide from its rows of the sheet of own stacks, one field per row."""
    first = rows[0]
    with SlideWriter(
        slide_path,
        pixel_um=first["pixel_um"],
        objective=first["objective"],
        channel=first["channel"],
        source="own",
        description="Own z-stack",
    ) as writer:
        for row in progress(rows, desc="fields"):
            stack, z_um = read_stack(row)
            writer.write(row["fov"], stack, z_um)


if __name__ == "__main__":
    with logged(snakemake):
        import_slide(
            rows=[{**row, **cells} for row, cells in zip(snakemake.params.rows, snakemake.params.cells, strict=True)],
            slide_path=snakemake.output[0],
        )
