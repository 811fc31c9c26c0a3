"""Package a trained network for the BioImage Model Zoo."""

import logging
from pathlib import Path

from deepr.networks.export import export_network
from deepr.networks.reproducibility import fix_threads
from deepr.runtime import logged

if __name__ == "__main__":
    with logged(snakemake):
        fix_threads(snakemake.params.threads)
        for remark in export_network(folder=Path(snakemake.input.generator).parent, path=snakemake.output[0]):
            logging.warning(remark)
