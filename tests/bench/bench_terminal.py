"""Terminal output of every command, and its delays: `python tests/bench/bench_terminal.py [README.md]`.

Each command runs in a terminal of 80 x 24 (a pty). Prints the seconds from Enter to the first output, the longest time
without output, the CPU time of the command during it (for the rest it waited for a core that others use), and the
total: for every verb, then for the document's commands, at scale=smoke; commands that need user files, a cluster or a
network are listed as left out. SILENT is followed by the text that was on the screen.
"""

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

NEUROBENCH = Path(sys.executable).parent / "neurobench"
FIRST, SILENCE = 0.5, 2.0  # limits in s
VERBS = (
    "--help", "--version", "run model=qrbm scale=smoke", "run model=hxtorch_mlp scale=smoke",
    "run model=slayer_snn scale=smoke", "run model=eprop_rsnn scale=smoke", "run model=hybrid_qcnn scale=smoke",
    "list", "list models", "list experiments dynex", "list grid", "list grid qrbm", "list runs", "show latest",
    "show latest --predict 3", "compare latest latest", "rerun latest", "export latest --format qasm3",
    "sweep model=hxtorch_mlp scale=smoke seed=0,1", "sweep model=hxtorch_mlp scale=smoke seed=0,1 --dry-run",
    "tune hxtorch_mlp scale=smoke --trials 1", "table dynex", "table all", "matrix", "report", "validate",
    "validate model=qrbm", "new model mine", "cp experiment dynex_qrbm mine", "schema", "data verify",
    "data path mnist", "data camera", "doctor",
)  # fmt: skip
LEFT_OUT = re.compile(
    r"slurm|ray|fetch|root=|mine|mynet|\||--plugin|--config-dir|emulate|wandb|mlflow|NAME|VERB|RUN|RANDOM|\[OV|>"
)


class Seen(NamedTuple):
    first: float  # s to the first byte
    silence: float  # s, longest pause between outputs
    computed: float  # s, CPU time during that pause
    shown: str  # text on the screen during that pause
    total: float
    code: int


def watched(command: list[str], folder: str) -> Seen:
    """Run a command in a terminal and measure when it writes to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "NEUROBENCH_OUTPUTS": f"{folder}/outputs"}
    environment.pop("COLUMNS", None)
    begun = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    moments, first, text = [(begun, 0.0, "")], 0.0, ""
    try:
        while chunk := os.read(ours, 65536):
            text = _words(chunk) or text
            moments.append((time.perf_counter(), computed(child.pid), text))
            first = first or moments[-1][0] - begun
    except OSError:
        pass  # Linux reports the closed terminal as an error
    code = child.wait()
    os.close(ours)
    total = time.perf_counter() - begun
    gaps = [(after[0] - before[0], after[1] - before[1], before[2]) for before, after in pairwise(moments[1:])]
    return Seen(first, *max(gaps, default=(0.0, 0.0, "")), total, code)


def _words(chunk: bytes) -> str:
    """Last line with text in a chunk of terminal output, without escape sequences."""
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", chunk.decode(errors="replace")).replace("\r", "\n").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def computed(pid: int) -> float:
    """CPU seconds of a process; 0 if the system does not report them or the process has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def commands_of(document: Path) -> list[str]:
    """Distinct `neurobench ...` lines of a document's code blocks, without prompts and comments."""
    lines = (line.strip().partition("  #")[0].strip() for line in document.read_text().splitlines())
    return list(dict.fromkeys(line.removeprefix("$ ") for line in lines if line.startswith(("neurobench ", "$ neuro"))))


def at_smoke_scale(words: list[str]) -> list[str]:
    runs = words[0] in ("run", "sweep", "tune") and not any(word.startswith("scale=") for word in words)
    return [*words, "scale=smoke"] if runs else words


def tell(words: list[str], folder: str) -> bool:
    seen = watched([str(NEUROBENCH), *words], folder)
    late = "" if seen.first <= FIRST else "  LATE"
    silent = "" if seen.silence <= SILENCE else f"  SILENT: {seen.shown}"
    times = f"{seen.first:6.2f} s {seen.silence:7.2f} s {seen.computed:8.2f} s {seen.total:7.1f} s  exit {seen.code}"
    print(f"{times}  neurobench {shlex.join(words)}{late}{silent}", flush=True)
    return not (late or silent)


def main(documents: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        bare = watched([sys.executable, "-c", "print(1)"], folder)
        print(f"{bare.first:6.2f} s of python -c 'print(1)' alone\n first    silence  computed    total")
        good = [tell(shlex.split(verb), folder) for verb in VERBS]
        for line in (line for name in documents for line in commands_of(Path(name))):
            if LEFT_OUT.search(line):
                print(f"left out: {line}")
            else:
                good.append(tell(at_smoke_scale(shlex.split(line)[1:]), folder))
    print(f"{sum(good)} of {len(good)} commands: first line within {FIRST} s, never silent for {SILENCE:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["README.md"]))
