"""A real Slurm of one node on loopback, on which tests run: Debian's packages, as root, without systemd and cgroups.

By hand, `python tests/slurm/cluster.py COMMAND...` installs and starts it, runs the command and stops it.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
# Where slurmd, slurmctld and every srun look by themselves: Snakemake's job steps drop the variable SLURM_CONF.
ETC = Path("/etc/slurm")
FOLDER = Path(tempfile.gettempdir()) / "deepr-slurm"
READY_S = 30
# The daemons leave a question without an answer now and then while the machine is overloaded.
TRIES = 5

SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
# The daemons run as root, and the jobs as whoever submits them.
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# A container has no cgroups of its own: a job's processes are found by their parents.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
# Jobs are packed by cores and memory, as on most clusters.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=500
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
# squeue tells of finished jobs for so many seconds.
MinJobAge=600
MpiDefault=none
ReturnToService=2
AccountingStorageType=accounting_storage/none
# One GPU in name, so that Slurm counts what jobs ask for.
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:1
PartitionName=test Nodes={host} Default=YES DefaultTime=10 MaxTime=UNLIMITED
"""
OTHER_CONF = {
    "cgroup.conf": "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n",
    "gres.conf": "Name=gpu File=/dev/null\n",
}


class ClusterError(Exception):
    """Slurm cannot be installed, started or asked here; the message says why in one sentence."""


def install():
    """Install Debian's packages of Slurm, where they are not yet."""
    if os.geteuid() != 0:
        raise ClusterError(f"Slurm's daemons need root, this is user {os.geteuid()}: run `make test-slurm` as root")
    if all(shutil.which(program) for program in PROGRAMS):
        return
    if not shutil.which("apt-get"):
        missing = ", ".join(program for program in PROGRAMS if not shutil.which(program))
        raise ClusterError(f"found no {missing} and no apt-get; wanted a Debian or Ubuntu, or Slurm installed already")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        result = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            last = (result.stderr.strip() or result.stdout.strip()).rpartition("\n")[2]
            raise ClusterError(f"`{' '.join(command)}` failed: {last}")


@contextlib.contextmanager
def running_slurm():
    """Start Slurm for the time of the block, and stop it whatever happens in it, Ctrl-C and SIGTERM included.

    Yields
    ------
    Path
        Folder with the configuration, state and logs of the daemons.

    Raises
    ------
    ClusterError
        If another Slurm is configured on this machine, or this one does not get ready.
    """
    with open(FOLDER.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClusterError(f"another test holds {lock.name}; wait until its Slurm has stopped") from None
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        # A run that was killed may have left its daemons behind.
        stop()
        try:
            _configure()
            _start_munge()
            # -c: no jobs of an earlier start.
            for daemon in (["slurmctld", "-c"], ["slurmd"]):
                subprocess.run(daemon, check=True)
            _await_node()
            yield FOLDER
        finally:
            stop()
            signal.signal(signal.SIGTERM, previous)


def jobs(*states):
    """List the jobs that Slurm knows, in these states or in all.

    Returns
    -------
    dict of str to str
        What Snakemake's plugin says of each job (its rule or group, and wildcards), by the job's number.
    """
    selected = ",".join(states) or "all"
    return dict(line.split("|", 1) for line in slurm("squeue", "-h", "--format=%i|%k", f"--states={selected}"))


def slurm(*command):
    """Run one of Slurm's commands, all of which may be repeated, and give the lines that it prints."""
    for _ in range(TRIES):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 0:
            return result.stdout.splitlines()
        time.sleep(1)
    reason = result.stderr.strip() or f"exit code {result.returncode}"
    raise ClusterError(f"`{' '.join(command)}` failed {TRIES} times: {reason}")


def stop():
    """End all jobs, then the daemons that were started here; undo the configuration."""
    try:
        if _configured_here() and _process(FOLDER / "slurmctld.pid"):
            # Without a slurmd nothing would end the processes of a running job.
            subprocess.run(["scancel", "--user", "root"], check=False, timeout=READY_S)
            _wait(lambda: not jobs("PENDING", "RUNNING", "COMPLETING"))
    finally:
        for name in ("slurmd", "slurmctld", "munged"):
            pid = _process(FOLDER / f"{name}.pid")
            if pid:
                os.kill(pid, signal.SIGTERM)
                if not _wait(lambda pid=pid: not _alive(pid)):
                    os.kill(pid, signal.SIGKILL)
        if _configured_here():
            for name in ("slurm.conf", *OTHER_CONF):
                (ETC / name).unlink(missing_ok=True)


def _configured_here():
    """Tell whether the machine's Slurm is the one of this module, running or left behind."""
    return (ETC / "slurm.conf").is_symlink() and (ETC / "slurm.conf").readlink() == FOLDER / "slurm.conf"


def _configure():
    for name in ("slurm.conf", *OTHER_CONF):
        if (ETC / name).exists() or (ETC / name).is_symlink():
            raise ClusterError(f"{ETC / name} exists; wanted a machine without a Slurm of its own")
    shutil.rmtree(FOLDER, ignore_errors=True)
    for folder in (ETC, FOLDER / "state", FOLDER / "spool"):
        folder.mkdir(parents=True, exist_ok=True)
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    facts = {
        "host": os.uname().nodename.split(".")[0],
        "folder": FOLDER,
        "cpus": os.cpu_count(),
        # A node that has less memory than configured is drained.
        "memory_mb": int(0.9 * memory_bytes / 2**20),
    }
    for name, text in {"slurm.conf": SLURM_CONF.format(**facts), **OTHER_CONF}.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        (ETC / name).symlink_to(FOLDER / name)


def _start_munge():
    """Start the daemon by which Slurm's own prove who they are, with Debian's key and socket, if none runs."""
    if subprocess.run(["munge", "--no-input"], capture_output=True, check=False).returncode == 0:
        return
    # The package's unit would make this folder.
    subprocess.run(["install", "-d", "-o", "munge", "-g", "munge", "/run/munge"], check=True)
    pid_file = Path("/run/munge/deepr-slurm.pid")
    subprocess.run(["runuser", "-u", "munge", "--", "munged", f"--pid-file={pid_file}"], check=True)
    shutil.copy(pid_file, FOLDER / "munged.pid")


def _await_node():
    command = ["srun", "--immediate=2", "true"]
    if not _wait(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0):
        logs = "\n".join((FOLDER / f"{name}.log").read_text()[-2000:] for name in ("slurmctld", "slurmd"))
        raise ClusterError(f"the node takes no job within {READY_S} s; the daemons' logs end with\n{logs}")


def _wait(condition):
    """Wait until a condition holds, and tell whether it did in time."""
    until = time.monotonic() + READY_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def _process(pid_file):
    """Give the number of the daemon that wrote a file, or None if it does not run."""
    try:
        pid = int(pid_file.read_text())
        # After a restart of the machine the number may be another program's.
        command = Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if command == pid_file.stem and _alive(pid) else None


def _alive(pid):
    """Tell whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


if __name__ == "__main__":
    try:
        install()
        with running_slurm():
            code = subprocess.run(sys.argv[1:], check=False).returncode
    except ClusterError as error:
        sys.exit(str(error))
    sys.exit(code)
