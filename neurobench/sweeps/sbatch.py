"""The resource request of a SLURM task: from KEY=VALUE of `--with` to options of `sbatch`, checked by sbatch itself."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError, did_you_mean
from neurobench.sweeps.record import Array
from neurobench.sweeps.scheduler import ask, own_words

POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
CARRIED = ("PYTHONPATH", "CUBLAS_WORKSPACE_CONFIG", "XDG_CACHE_HOME", "HF_HOME")  # and NEUROBENCH_*
COUNTS = {"timeout_min": 1, "cpus_per_task": 1, "gpus_per_node": 0, "array_parallelism": 1, "max_num_timeout": 0,
          "signal_delay_s": 1, "jobs_per_task": 1}  # fmt: skip
TEXTS = (
    "partition", "account", "qos", "constraint", "exclude", "nodelist", "reservation", "gres", "comment", "mail_type",
    "mail_user", "licenses", "mem_per_cpu", "mem_per_gpu", "gpus_per_task", "dependency", "wckey", "nice", "tmp",
    "prefer", "begin",
)  # fmt: skip
OTHERS = ("mem_gb", "setup", "python", "exclusive", "additional_parameters")
GPUS = ("gpus", "gpus-per-node", "gpus-per-task", "gpus-per-socket")  # options of sbatch that request GPUs
RESOURCES = ("gres", "tres-per-task")  # and those that may
# Options of sbatch that a sweep sets after all others, or with which it could not follow its tasks.
RESERVED = (
    "array", "chdir", "clusters", "job-name", "no-requeue", "open-mode", "output", "parsable", "test-only", "wait",
    "wrap",
)  # fmt: skip
SINGLE = ("nodes", "tasks_per_node", "ntasks_per_node")


@dataclass(frozen=True)
class Request:
    """Resources that each task of an array requests."""

    timeout_min: int = 24 * 60
    cpus_per_task: int | None = None  # None: the run's number of threads
    gpus_per_node: int | None = None  # None: 1 for device=cuda, unless other options refer to GPUs
    array_parallelism: int | None = None  # tasks at once; None: the cluster decides
    max_num_timeout: int = 100  # how often a run that reached its time limit is queued again
    signal_delay_s: int = 90  # seconds before the limit at which a run leaves its checkpoint
    jobs_per_task: int = 1  # short runs one after the other in a process that loads everything once
    python: str = shlex.quote(sys.executable)  # a shell command, so that a container can be entered
    setup: tuple[str, ...] = ()  # shell lines executed before it
    flags: Mapping[str, str] = field(default_factory=dict)  # option of sbatch -> value

    def with_gpu(self) -> Request:
        """The request with one GPU added, unless its options already refer to GPUs, such as gpus_per_node=0 for a
        cluster that does not allocate them."""
        named = any(key in GPUS or (key in RESOURCES and "gpu" in value) for key, value in self.flags.items())
        return self if named or self.gpus_per_node is not None else replace(self, gpus_per_node=1)

    def words(self, threads: int) -> list[str]:
        """Options of sbatch for one task."""
        delay = min(self.signal_delay_s, self.timeout_min * 20)  # at most a third of a short limit
        options = {
            "time": str(self.timeout_min),
            "cpus-per-task": str(self.cpus_per_task or threads),
            "signal": f"B:USR2@{delay}",
            **({"gpus-per-node": str(self.gpus_per_node)} if self.gpus_per_node else {}),
        }
        return [f"--{key}={value}" if value else f"--{key}" for key, value in {**options, **self.flags}.items()]

    def check(self, threads: int = 1) -> None:
        """Ask sbatch whether such a task could ever run; without --test-only, it queues also those that cannot. Raises
        UserError with its message."""
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            script.write("#!/bin/bash\n")
            script.flush()
            _answer(["sbatch", "--test-only", *self.words(threads), script.name], "SLURM refuses such jobs")

    def submit(self, sweep: Path, array: Array, threads: int, at_once: int | None, after: str | None) -> str:
        """Submit an array to SLURM and return its id. `at_once`: its tasks at once; `after`: id of an array that has to
        end before. Raises UserError with sbatch's message."""
        script = sweep / "queue" / f"array-{array.part}.sh"
        script.write_text(self.script(threads), "utf-8")
        last = len(array.groups) - 1
        lines = [
            "--parsable",
            f"--job-name={array.name}",
            f"--array=0-{last}" + (f"%{at_once}" if at_once else ""),
            f"--output={str(sweep).replace('%', '%%')}/queue/%A_%a.out",  # else a % in a folder's name is a pattern
            "--open-mode=append",
            "--requeue",
            f"--chdir={Path.cwd()}",
        ]
        arguments = [str(script), str(sweep), str(array.part), str(self.max_num_timeout)]
        if after is not None:
            lines.append(f"--dependency={','.join(filter(None, [self.flags.get('dependency'), f'afterany:{after}']))}")
        answer = _answer(["sbatch", *self.words(threads), *lines, *arguments], "SLURM did not take the jobs")
        return answer.strip().partition(";")[0]

    def script(self, threads: int) -> str:
        """Shell script of a task. It exports the variables that a run reads, whatever `sbatch --export` says; and
        Python replaces the shell, since SLURM signals that process."""
        lines = [f"export {key}={shlex.quote(value)}" for key, value in sorted(travelling(threads).items())]
        call = f'exec {self.python} -P -u -m neurobench.sweeps.slurm_task "$@"'
        return "\n".join(["#!/bin/bash", *lines, *self.setup, call, ""])


def travelling(threads: int) -> dict[str, str]:
    """Environment variables that a run on another machine shares with the process that starts it."""
    env = {key: value for key, value in os.environ.items() if key.startswith("NEUROBENCH_") or key in CARRIED}
    return {**env, **{name: str(threads) for name in POOLS}}


def _answer(words: Sequence[str], meaning: str) -> str:
    answer = ask(words)
    if answer.returncode:
        raise UserError(f"launcher slurm: {meaning}: {own_words(answer)}")
    return answer.stdout


def read_request(options: Mapping[str, Any]) -> Request:
    """Parse the options of `--with`. Raises UserError with every fault. Keys may have submitit's prefix `slurm_`."""
    values = {key.removeprefix("slurm_"): value for key, value in options.items()}
    faults: list[str] = []
    counts = {key: _count(key, values[key], least, faults) for key, least in COUNTS.items() if key in values}
    flags = {key.replace("_", "-"): _text(key, values[key], faults) for key in TEXTS if key in values}
    if "mem_gb" in values:
        flags["mem"] = _memory(values["mem_gb"], faults)
    if values.get("exclusive"):
        flags["exclusive"] = "" if values["exclusive"] is True else _text("exclusive", values["exclusive"], faults)
    faults += [f"{key}={values[key]!r}: a run takes one node and one task" for key in SINGLE if values.get(key, 1) != 1]
    more = values.get("additional_parameters") or {}
    if isinstance(more, Mapping):
        added = {
            str(key).replace("_", "-"): "" if value is True else _text(f"additional_parameters.{key}", value, faults)
            for key, value in more.items()
            if value is not False
        }
        faults += [
            f"additional_parameters.{key}: a sweep needs this option of sbatch for itself, to follow its tasks"
            for key in map(str, more)
            if key.replace("_", "-") in RESERVED
        ]
        flags |= added
    else:
        faults.append(f"additional_parameters={more}: give options of sbatch, additional_parameters.KEY=VALUE")
    known = [*COUNTS, *TEXTS, *OTHERS, *SINGLE]
    faults += [
        f"{key}: there is no such option.{did_you_mean(key, known)} There is {', '.join(known)}; any other of sbatch "
        "as additional_parameters.KEY=VALUE"
        for key in values
        if key not in known
    ]
    setup = values.get("setup", ())
    lines = (setup,) if isinstance(setup, str) else setup
    if not isinstance(lines, Sequence) or not all(isinstance(line, str) for line in lines):
        faults.append(f"setup={setup} is not a shell line or a list of them")
    if not isinstance(values.get("python", "python"), str):
        faults.append(f"python={values['python']} is not a command")
    if faults:
        raise UserError("\n".join(f"--with {fault}" for fault in faults))
    python = {"python": str(values["python"])} if "python" in values else {}
    return Request(setup=tuple(lines), flags=flags, **counts, **python)  # type: ignore[arg-type]


def _count(key: str, value: Any, least: int, faults: list[str]) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    faults.append(f"{key}={value} is not an integer at least {least}")
    return least


def _text(key: str, value: Any, faults: list[str]) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value):
        return str(value)
    faults.append(f"{key}={value} is not a word that sbatch accepts")
    return ""


def _memory(value: Any, faults: list[str]) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return f"{round(value * 1024)}M"
    faults.append(f"mem_gb={value} is not a number of gigabytes above 0")
    return ""
