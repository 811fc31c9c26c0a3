"""Claims about how the data sets are divided (Table S1)."""

import pandas as pd

from deepr.scorecard.rows import COLUMNS, row


def judge_table_s1(manifests, validation_fraction, data_source, scale):
    """Judge the claims of Table S1: how fields of view are divided.

    Parameters
    ----------
    manifests : list of DataFrame
        Manifest of every data set; one that is for tests only takes no part in the ratio.
    validation_fraction : float
        The paper's 0.15.
    data_source : str or collection of str
    scale : str

    Returns
    -------
    DataFrame
        One row per claim, columns `COLUMNS`.
    """
    divided, wrong, shared, leaking = [], [], [], []
    for manifest in manifests:
        name = manifest["dataset"].iloc[0]
        fields = manifest[["slide", "fov", "split"]].drop_duplicates()
        training, validation = ((fields["split"] == part).sum() for part in ("train", "validation"))
        if training or validation:
            divided.append(f"{name} {training}:{validation}")
            # Whole fields are divided, so the nearest whole number is as close as it gets; at least one.
            wanted = max(1, validation_fraction * (training + validation))
            if not training or abs(validation - wanted) >= 1:
                wrong.append(name)
        if fields.duplicated(["slide", "fov"]).any():
            shared.append(name)
        test_slides = set(fields.loc[fields["split"] == "test", "slide"])
        if not test_slides or test_slides & set(fields.loc[fields["split"] != "test", "slide"]):
            leaking.append(name)
    ratio = f"{1 - validation_fraction:.2f}:{validation_fraction:.2f}"
    common = {"target": "tableS1", "data_source": data_source, "scale": scale}
    rows = [
        row(
            claim=f"training and validation are divided {ratio} by field of view",
            measured="; ".join(divided),
            wanted=f"{ratio} to the nearest field, at least one of each",
            holds=bool(divided) and not wrong,
            reason=_named("not so in", wrong),
            **common,
        ),
        row(
            claim="no field of view is in two sets",
            measured=f"{len(manifests) - len(shared)} of {len(manifests)} data sets",
            wanted="all data sets",
            holds=not shared,
            reason=_named("shared fields in", shared),
            **common,
        ),
        row(
            claim="test fields are from slides of their own",
            measured=f"{len(manifests) - len(leaking)} of {len(manifests)} data sets",
            wanted="all data sets",
            holds=not leaking,
            reason=_named("no such slides in", leaking),
            **common,
        ),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _named(text, names):
    return f"{text} {', '.join(names)}" if names else ""
