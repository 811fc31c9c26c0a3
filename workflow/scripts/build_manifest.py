"""Put the patches of all slides of a data set into one manifest and divide its fields of view."""

from deepr.manifest import build_manifest, count_patches
from deepr.randomness import random_generator
from deepr.runtime import logged
from deepr.tables import InputError, read_table, write_table


def write_manifest(patches_paths, manifest_path, dataset, test_slides, validation_fraction, seed, wanted):
    """Write the manifest: one row per patch, with its split; of each split that is wanted a patch must be kept."""
    manifest = build_manifest(
        tables=[read_table(path) for path in patches_paths],
        test_slides=test_slides,
        validation_fraction=validation_fraction,
        rng=random_generator(seed, dataset, "split"),
    )
    print(count_patches(manifest).to_string(index=False))
    for split in wanted:
        _refuse_none(manifest[manifest["split"] == split], dataset, split)
    write_table(manifest, manifest_path)


def _refuse_none(patches, dataset, split):
    """Refuse a split without a kept patch: a missing test would else be noticed after the training."""
    if not patches["kept"].any():
        reasons = ", ".join(f"{count} {reason}" for reason, count in patches["reason"].value_counts().items())
        raise InputError(
            f"data set {dataset}: found none of {len(patches)} {split} patches fit to use ({reasons or 'no field'}), "
            f"wanted one at least; see column contrast of results/{dataset}/patches and datasets.{dataset}.min_contrast"
        )


if __name__ == "__main__":
    with logged(snakemake):
        write_manifest(
            patches_paths=snakemake.input,
            manifest_path=snakemake.output[0],
            dataset=snakemake.wildcards.dataset,
            test_slides=snakemake.params.test_slides,
            validation_fraction=snakemake.params.validation_fraction,
            seed=snakemake.params.seed,
            wanted=snakemake.params.wanted,
        )
