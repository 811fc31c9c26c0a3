"""A logger of Snakemake that writes each planned job as one line of JSON: `snakemake -n --logger jobs`."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

RESOURCES = ("mem_mb", "runtime", "gpu")


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Where the jobs are written."""

    file: Path | None = field(default=None, metadata={"help": "File for the jobs, one object per line.", "type": Path})


class LogHandler(LogHandlerBase):
    """Write rule, wildcards, files, threads and resources of each job that Snakemake announces."""

    writes_to_stream = False
    # Snakemake would take the file for a log and look for its name.
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self):
        """Open the file."""
        self._file = open(self.settings.file, "w", encoding="utf-8")

    def emit(self, record):
        """Write a job; all other messages go to the terminal as ever."""
        if getattr(record, "event", None) != LogEvent.JOB_INFO:
            return
        job = {
            "rule": record.rule_name,
            "wildcards": dict(record.wildcards or {}),
            "output": list(record.output),
            "log": list(record.log),
            "benchmark": record.benchmark,
            "threads": record.threads,
            **{name: record.resources.get(name, 0) for name in RESOURCES},
        }
        self._file.write(json.dumps(job, default=str) + "\n")

    def close(self):
        """Close the file."""
        self._file.close()
        super().close()
