"""Run Snakemake in this repository, one run at a time, and go on where a killed run stopped.

Snakemake's own lock outlives a run that was killed. This program and the Snakemake that it starts hold a lock of the
operating system, which does not. Whoever gets it, and finds that the last run did not end by itself, may take
Snakemake's stale lock away.
"""

import fcntl
import itertools
import math
import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]

# How long killed processes may take to end.
DYING_S = 5

# Options that decide how the Snakefile is read, and how many values each takes at most.
VALUES = {
    "--configfile": math.inf,
    "--configfiles": math.inf,
    "--config": math.inf,
    "-C": math.inf,
    "--cores": 1,
    "-c": 1,
    "--profile": 1,
    "--workflow-profile": 1,
}


def run(arguments):
    """Run Snakemake with these arguments and give its exit code."""
    for path in _configs_of(arguments):
        if not Path(path).is_file():
            print(f"--configfile {path}: found no such file, wanted a config (config/README.md)", file=sys.stderr)
            return 1
    try:
        Path("results").mkdir(exist_ok=True)
        with open("results/.running", "a+") as running:
            if not _locked(running):
                running.seek(0)
                other = running.read().strip()
                print(
                    f"another run (process {other}) works in {Path.cwd()}; wait for it or stop it first",
                    file=sys.stderr,
                )
                return 1
            running.seek(0)
            was_killed = bool(running.read().strip())
            _note(running, os.getpid())
            snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
            if was_killed and any(Path(".snakemake/locks").glob("*")):
                code = subprocess.run([*snakemake, "--unlock", *_config_of(arguments)], check=False).returncode
                if code != 0:
                    return code
            code = _run_snakemake([*snakemake, *arguments], running)
            # Below zero it is the signal that killed Snakemake, whose lock is left for the next run to take away.
            if code >= 0:
                _note(running, "")
            return code
    except OSError as error:
        folder = Path("results").resolve()
        print(f"{folder} cannot be written ({error.strerror}), wanted room and the right to write", file=sys.stderr)
        return 1


def _locked(running):
    """Take the lock of the operating system; processes that were killed just now still hold it for a moment."""
    for _ in range(int(DYING_S / 0.1)):
        try:
            fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


def _run_snakemake(command, running):
    """Run Snakemake and give its exit code.

    It holds `running` too: the lock of the operating system lasts as long as either of the two programs.
    """
    with subprocess.Popen(command, pass_fds=[running.fileno()]) as process:
        _note(running, process.pid)
        return process.wait()


def _note(running, process):
    """Write which process runs into the file that is locked; after a run that was not killed it is empty."""
    running.truncate(0)
    running.write(str(process))
    running.flush()


def _configs_of(arguments):
    """List the files that the arguments name as configs."""
    files, naming = [], False
    for argument in _config_of(arguments):
        if argument.startswith("-"):
            option, _, value = argument.partition("=")
            naming = option in ("--configfile", "--configfiles")
            files.extend([value] if naming and value else [])
        elif naming:
            files.append(argument)
    return files


def _config_of(arguments):
    """Keep the arguments that the Snakefile needs to be read, without targets."""
    kept, more = [], 0
    for argument in itertools.takewhile(lambda argument: argument != "--", arguments):
        option, written_with_value, _ = argument.partition("=")
        if argument.startswith("-"):
            more = VALUES.get(option, 0)
            if more:
                kept.append(argument)
            if written_with_value:
                more = 0
        elif more:
            kept.append(argument)
            more -= 1
    return kept


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
