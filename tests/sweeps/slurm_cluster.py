"""A SLURM cluster of one node on the loopback interface, in a separate folder: controller, node daemon and munge."""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.sweeps.ports import free_port

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
SEARCH = os.environ["PATH"] + ":/usr/sbin"

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=5
DefMemPerCPU=400
MaxArraySize={max_array_size}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/node
StateSaveLocation={folder}/controller
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=2000 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
"""


def missing() -> list[str]:
    """Programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


@contextlib.contextmanager
def slurm_cluster(folder: Path, max_array_size: int = 1001) -> Iterator[dict[str, str]]:
    """Context manager: start a cluster and yield the environment for SLURM's commands. Its daemons end in any case."""
    host = socket.gethostname().partition(".")[0]
    for name in ("controller", "node"):
        (folder / name).mkdir(parents=True)
    key, conf = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    ports = {"controller_port": free_port(), "node_port": free_port()}
    conf.write_text(
        CONF.format(host=host, user=getpass.getuser(), folder=folder, max_array_size=max_array_size, **ports)
    )
    env = {"PATH": SEARCH, "SLURM_CONF": str(conf)}
    munge = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid",
             "log-file": folder / "munged.log", "seed-file": folder / "munged.seed", "num-threads": 2}  # fmt: skip
    daemons: list[subprocess.Popen] = []
    try:
        daemons.append(_start(["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in munge.items())], env))
        daemons.append(_start(["slurmctld", "-D", "-f", str(conf)], env))
        daemons.append(_start(["slurmd", "-D", "-N", host, "-f", str(conf)], env))
        _await_idle(env)
        yield env
    finally:
        words = ["scancel", f"--user={getpass.getuser()}", "--signal=KILL", "--full"]
        subprocess.run(words, env={**os.environ, **env}, capture_output=True)
        time.sleep(0.5)  # time for the node's daemon to end the jobs' processes
        for daemon in reversed(daemons):
            daemon.kill()  # each would wait for another; none of their files are needed again
            daemon.wait(10)
        for step in _steps(conf):
            os.kill(step, signal.SIGKILL)


def _steps(conf: Path) -> list[int]:
    """Processes that run job steps of this cluster, and would otherwise wait for the controller for minutes."""
    ours, steps = f"SLURM_CONF={conf}\0".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text() == "slurmstepd\n" and ours in (process / "environ").read_bytes():
                steps.append(int(process.name))
    return steps


def _start(words: list[str], env: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        words, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def _await_idle(env: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        words = ["sinfo", "--noheader", "--format=%T"]
        answer = subprocess.run(words, env={**os.environ, **env}, capture_output=True, text=True)
        if "idle" in answer.stdout:
            return
        time.sleep(0.1)
    raise RuntimeError(f"SLURM did not come up: {answer.stderr}")
