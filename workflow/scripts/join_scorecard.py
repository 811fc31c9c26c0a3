"""Put the verdicts on all targets into one table."""

from deepr.runtime import logged
from deepr.scorecard import join_rows
from deepr.tables import read_table, write_table

if __name__ == "__main__":
    with logged(snakemake):
        write_table(join_rows(read_table(path) for path in snakemake.input), snakemake.output[0])
