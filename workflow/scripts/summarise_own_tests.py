"""Tabulate the blind tests of own networks: mean SSIM and RMSE of input and output at each defocus."""

import pandas as pd
from deepr.metrics import summarise_by_defocus
from deepr.runtime import logged
from deepr.tables import read_table, write_table


def summarise(measurements_paths, summary_path):
    """Write one row per network, data set, metric, image and z: mean, standard deviation, patches."""
    frames = []
    for path in measurements_paths:
        measurements = read_table(path)
        place = {key: measurements[key].iloc[0] for key in ("network", "dataset")}
        for metric in ("ssim", "rmse"):
            frames.append(summarise_by_defocus(measurements, metric).assign(**place, metric=metric))
    order = ["network", "dataset", "metric", "image", "z_um", "mean", "std", "n"]
    write_table(pd.concat(frames, ignore_index=True)[order], summary_path)


if __name__ == "__main__":
    with logged(snakemake):
        summarise(measurements_paths=list(snakemake.input), summary_path=snakemake.output[0])
