"""The table at the end of a run: what was made, where it is, and what the scorecard says of it."""

from pathlib import Path

from deepr.scorecard.rows import FAILS, HOLDS, UNTESTABLE
from deepr.tables import read_table


def summarise(results, targets):
    """Write a table of the figures and tables that exist.

    Parameters
    ----------
    results : str or Path
        Folder of the results.
    targets : iterable of str
        For example "fig2", "tableS1".

    Returns
    -------
    str
        One line per target with its picture and its verdicts; empty if there is none.
    """
    results = Path(results)
    lines = []
    for target in targets:
        picture = results / ("figures" if target.startswith("fig") else "tables") / f"{target}.png"
        claims = results / "scorecard" / f"{target}.tsv"
        if not (picture.is_file() and claims.is_file()):
            continue
        verdicts = read_table(claims)["verdict"]
        counts = ", ".join(
            f"{(verdicts == verdict).sum()} {label}"
            for verdict, label in ((HOLDS, "hold"), (FAILS, "do not hold"), (UNTESTABLE, "not testable"))
            if (verdicts == verdict).any()
        )
        lines.append((target, str(picture), counts))
    if not lines:
        return ""
    lines.insert(0, ("made", "where", "the paper's claims"))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
