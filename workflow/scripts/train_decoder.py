"""Train a defocus decoder on the uniformly defocused planes, or go on with an interrupted training."""

from pathlib import Path

import pandas as pd
from deepr.networks.checkpoints import alone_in
from deepr.networks.decoder_training import train_decoder
from deepr.networks.virtual_pairs import DefocusPairs
from deepr.runtime import logged
from deepr.slides import open_slide
from deepr.tables import read_table


def train(manifest_paths, slide_paths, generator_path, folder, row, settings, seed, scale, code=None):
    """Train the decoder of one row of the sheet into its folder."""
    manifest = pd.concat([read_table(path) for path in manifest_paths], ignore_index=True)
    slides = {_name_of(path): open_slide(path) for path in slide_paths}
    samplers = {
        split: DefocusPairs(
            patches=manifest[manifest["split"] == split],
            slides=slides,
            range_um=row["range_um"],
            crop_px=settings["crop_px"],
            batch_size=settings["batch_size"],
            seed=seed,
            augment=split == "train",
        )
        for split in ("train", "validation")
    }
    with alone_in(folder):
        train_decoder(
            training_pairs=samplers["train"],
            validation_pairs=samplers["validation"],
            generator_path=generator_path,
            folder=folder,
            settings=settings,
            seed=seed,
            description={**row, "scale": scale},
            code=code,
        )


def _name_of(path):
    """Read data set and slide off results/{dataset}/aligned/{slide}.ome.tif."""
    path = Path(path)
    return path.parts[-3], path.name.removesuffix(".ome.tif")


if __name__ == "__main__":
    with logged(snakemake):
        train(
            manifest_paths=snakemake.input.manifests,
            slide_paths=snakemake.input.slides,
            generator_path=snakemake.input.generator,
            folder=Path(snakemake.output.decoder).parent,
            row=snakemake.params.row,
            settings={**snakemake.params.settings, **snakemake.params.habits},
            seed=snakemake.params.seed,
            scale=snakemake.params.scale,
            code=snakemake.params.code,
        )
