"""Make one slide of BBBC006, of images from the archives on the server or in a folder."""

from deepr.bbbc006 import CHANNELS, OBJECTIVE, PIXEL_UM, SITES, find_files, find_remote, read_wells
from deepr.runtime import logged, progress
from deepr.slides import SlideWriter


def fetch_slide(slide_path, cache, wells, settings, threads):
    """Write one slide of some wells, one field per site."""
    first, last = settings["planes"]["first"], settings["planes"]["last"]
    planes = range(first, last + 1)
    channel = settings["channel"]
    if settings["source"] == "files":
        found = find_files(settings["folder"], planes, channel)
    else:
        found = find_remote(settings["url"], planes, channel, cache, threads)
    fields = read_wells(found, wells, settings["min_contrast"], threads)
    with SlideWriter(
        slide_path,
        pixel_um=PIXEL_UM,
        objective=OBJECTIVE,
        channel=CHANNELS[channel][1],
        source="BBBC006",
        description="BBBC006v1, Broad Bioimage Benchmark Collection",
    ) as writer:
        for field, stack, z_um in progress(fields, total=len(SITES) * len(wells), desc="fields"):
            writer.write(field, stack, z_um)


if __name__ == "__main__":
    with logged(snakemake):
        fetch_slide(
            slide_path=snakemake.output[0],
            cache=snakemake.params.cache,
            wells=snakemake.params.wells,
            settings={**snakemake.params.settings, **snakemake.params.place},
            threads=snakemake.threads,
        )
