"""Focus simulated fields of beads by mechanical search, with the clock of a real stage."""

import pandas as pd
from deepr.autofocus import search_fields
from deepr.runtime import logged
from deepr.tables import write_table

if __name__ == "__main__":
    with logged(snakemake):
        rows = search_fields(
            fields=snakemake.params.fields,
            starts=snakemake.params.starts,
            frame_px=snakemake.params.frame_px,
            seed=snakemake.params.seed,
        )
        write_table(pd.DataFrame(rows), snakemake.output[0])
