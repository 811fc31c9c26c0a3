"""The claim of Table S2, and the paper's other statements on time."""

import numpy as np
import pandas as pd

from deepr.scorecard.rows import COLUMNS, row


def judge_table_s2(table, refocusing, data_source, scale):
    """Judge Table S2 by its own numbers.

    Parameters
    ----------
    table : DataFrame
        As `deepr.figures.table_s2.summarise_times` makes it.
    refocusing : DataFrame
        device, precision, way, seconds.
    data_source, scale : str

    Returns
    -------
    DataFrame
        Columns `COLUMNS`.
    """
    times = table.set_index("method")["mean"]
    searches = times[[name for name in times.index if not name.startswith("Deep-R")]]
    cpu, gpu = times["Deep-R (CPU)"], times["Deep-R (GPU)"]
    single = refocusing[(refocusing["way"] == "one patch") & (refocusing["precision"] == "float32")]
    patch = single.groupby("device")["seconds"].median()
    no_gpu = "" if np.isfinite(gpu) else "no GPU on this machine"
    rows = [
        {
            "claim": "Deep-R is faster per square millimetre than every online search",
            "measured": f"{cpu:.2f} s/mm2 on the processor, searches {searches.min():.1f} to {searches.max():.1f}",
            "wanted": "less than every search (paper: 20.04 against 36.5 to 42.9)",
            "holds": bool(cpu < searches.min()),
        },
        {
            "claim": "about 15 times faster than online search on a GPU",
            "measured": f"{searches.mean() / gpu:.1f} times" if np.isfinite(gpu) else "not measured",
            "wanted": "at least 10 times (the paper's numbers give 12.2 to 14.4)",
            "holds": bool(searches.mean() / gpu >= 10) if np.isfinite(gpu) else False,
            "reason": f"on the processor {searches.mean() / cpu:.1f} times",
            "untestable": no_gpu,
        },
        {
            "claim": "a 512 x 512 image takes about 0.1 s on a GPU",
            "measured": "; ".join(f"{device}: {1000 * seconds:.0f} ms" for device, seconds in patch.items()),
            "wanted": "at most 100 ms on a GPU",
            "holds": bool(patch.get("GPU", np.inf) <= 0.1),
            "untestable": no_gpu,
        },
    ]
    common = {"target": "tableS2", "data_source": data_source, "scale": scale}
    return pd.DataFrame([row(**common, **judged) for judged in rows], columns=list(COLUMNS))
