"""List the layers of a trained network's generator and discriminator."""

import deepr.networks.generator  # noqa: F401 (makes its layers known to Keras)
import keras
import pandas as pd
from deepr.networks.description import describe_network
from deepr.runtime import logged
from deepr.tables import write_table


def describe(paths, layers_path):
    """Write one row per layer: what it does, on what, with how many channels and parameters."""
    models = {name: keras.saving.load_model(path, compile=False, safe_mode=True) for name, path in paths.items()}
    tables = [describe_network(model).assign(network=name) for name, model in models.items()]
    write_table(pd.concat(tables, ignore_index=True), layers_path)


if __name__ == "__main__":
    with logged(snakemake):
        describe(
            paths={name: snakemake.input[name] for name in ("generator", "discriminator")},
            layers_path=snakemake.output[0],
        )
