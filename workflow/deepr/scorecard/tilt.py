"""The claim about tilted samples (Figure S1)."""

import pandas as pd

from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row


def judge_figure_s1(rows, data_source, scale):
    """Judge Figure S1: outputs are sharper than inputs over the whole tilted field.

    Parameters
    ----------
    rows : DataFrame
        As for `deepr.figures.figure_s1.draw_figure_s1`.
    data_source, scale : str

    Returns
    -------
    DataFrame
        Two rows: for the mean over all fields, and for the fields one by one; columns `COLUMNS`.
    """
    keys = ["slide", "fov", "z_um", "row"]
    pairs = rows.pivot_table(index=keys, columns="image", values="sharpness").dropna()
    mean = pairs.groupby(["z_um", "row"]).mean()
    above = (mean["output"] > mean["input"]).mean()
    single = (pairs["output"] > pairs["input"]).mean()
    fields = rows[["slide", "fov"]].drop_duplicates().shape[0]
    gain = f"mean sharpness {pairs['input'].mean():.2f} of the inputs, {pairs['output'].mean():.2f} of the outputs"
    common = {
        "target": "figS1",
        "data_source": data_source,
        "scale": scale,
        "untestable": image_quality_untestable(scale),
    }
    card = [
        row(
            claim="the output's row sharpness is above the input's over the whole tilted field, averaged over fields",
            measured=f"{100 * above:.1f} % of the rows, {fields} fields; {gain}",
            wanted="all rows",
            holds=bool(above == 1),
            **common,
        ),
        row(
            claim="the same, field by field",
            measured=f"{100 * single:.1f} % of the rows of {fields} fields",
            wanted="all rows",
            holds=bool(single == 1),
            **common,
        ),
    ]
    return pd.DataFrame(card, columns=list(COLUMNS))
