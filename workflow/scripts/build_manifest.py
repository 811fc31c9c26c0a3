"""Put the patches of all slides of a data set into one manifest and divide its fields of view."""

from deepr.manifest import build_manifest, count_patches
from deepr.randomness import random_generator
from deepr.runtime import logged
from deepr.tables import read_table, write_table


def write_manifest(patches_paths, manifest_path, dataset, test_slides, validation_fraction, seed):
    """Write the manifest: one row per patch, with its split."""
    manifest = build_manifest(
        tables=[read_table(path) for path in patches_paths],
        test_slides=test_slides,
        validation_fraction=validation_fraction,
        rng=random_generator(seed, dataset, "split"),
    )
    write_table(manifest, manifest_path)
    print(count_patches(manifest).to_string(index=False))


if __name__ == "__main__":
    with logged(snakemake):
        write_manifest(
            patches_paths=snakemake.input,
            manifest_path=snakemake.output[0],
            dataset=snakemake.wildcards.dataset,
            test_slides=snakemake.params.test_slides,
            validation_fraction=snakemake.params.validation_fraction,
            seed=snakemake.params.seed,
        )
