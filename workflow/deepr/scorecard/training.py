"""Claims about the networks and their training (Figures S8 and S9)."""

import numpy as np
import pandas as pd

from deepr.networks.description import count_samplings
from deepr.scorecard.rows import COLUMNS, image_quality_untestable, row

DISCRIMINATOR_LEVEL = 0.25  # both outputs at 0.5: it cannot tell outputs from ground truths
DISCRIMINATOR_TOLERANCE = 0.05
DISCRIMINATOR_GAP = 0.05
SETTLED_SHARE = 0.2  # of the iterations, at the end


def judge_figure_s8(history, data_source, scale):
    """Judge the claims of Figure S8: the balance of the two networks, and which weights are kept.

    Parameters
    ----------
    history : DataFrame
        One row per iteration: discriminator_loss, discriminator_real, discriminator_fake (mean outputs
        on ground truths and on the generator's images), validation_berhu (missing between validations)
        and best (True where the weights were kept; the last such row is the one in use).
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row per claim, columns `COLUMNS`.
    """
    # Empty, and read as text, where the discriminator was never updated.
    outputs = [name for name in history.columns if name.startswith("discriminator_")]
    history = history.assign(**{name: pd.to_numeric(history[name], errors="coerce") for name in outputs})
    last = history.tail(max(1, round(SETTLED_SHARE * len(history))))
    level = float(last["discriminator_loss"].mean())
    gap = history["discriminator_real"] - history["discriminator_fake"]
    widest = float(gap.rolling(max(1, round(0.05 * len(gap))), min_periods=1).mean().max())
    validation = pd.to_numeric(history["validation_berhu"], errors="coerce")
    kept = history.index[history["best"].astype(bool)]
    smallest = float(validation.min())
    found = float(validation[kept[-1]]) if len(kept) else np.nan
    common = {"target": "figS8", "data_source": data_source, "scale": scale}
    rows = [
        row(
            claim="the discriminator's loss settles near 0.25",
            measured=f"{level:.3f} over the last {SETTLED_SHARE:.0%} of the iterations",
            wanted=f"{DISCRIMINATOR_LEVEL} +- {DISCRIMINATOR_TOLERANCE}",
            holds=abs(level - DISCRIMINATOR_LEVEL) <= DISCRIMINATOR_TOLERANCE,
            reason=f"D(y) - D(G(x)) reached {widest:.3f} before",
            untestable=image_quality_untestable(scale)
            or ("" if history["discriminator_loss"].notna().any() else "the discriminator was never updated")
            or (
                ""
                if widest >= DISCRIMINATOR_GAP
                else f"the loss starts at 0.25 and the discriminator has not begun to tell the images apart:"
                f" D(y) - D(G(x)) reached {widest:.3f}, less than {DISCRIMINATOR_GAP}"
            ),
            **common,
        ),
        row(
            claim="the kept weights are those of the smallest validation BerHu",
            measured=f"kept at {found:.5g}, smallest {smallest:.5g}",
            wanted="equal",
            holds=found == smallest,
            reason=f"{validation.notna().sum()} validations",
            untestable="" if validation.notna().any() else "the training was never validated",
            **common,
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def judge_figure_s9(layers, data_source, scale):
    """Judge Figure S9: the generator's topology, with the parameter counts as built.

    Parameters
    ----------
    layers : DataFrame
        As for `deepr.figures.figure_s9.draw_figure_s9`.
    data_source, scale : str

    Returns
    -------
    DataFrame
        One row, columns `COLUMNS`.
    """
    down, up = count_samplings(layers[layers["network"] == "generator"])
    parameters = layers.groupby("network", sort=False)["parameters"].sum()
    judged = row(
        target="figS9",
        claim="the generator has five down-sampling and five up-sampling blocks",
        measured=f"{down} down, {up} up",
        wanted="5 down, 5 up",
        holds=(down, up) == (5, 5),
        reason="parameters as built: "
        + ", ".join(f"{name} {count:,}" for name, count in parameters.items())
        + "; the paper states none",
        data_source=data_source,
        scale=scale,
    )
    return pd.DataFrame([judged], columns=list(COLUMNS))
