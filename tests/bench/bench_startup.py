"""Total time of a run by phase: `python tests/bench/bench_startup.py [ANOTHER_NEUROBENCH]`.

Each command is timed as a whole process, from Enter to the prompt, with the phases that the program names; compiled
kernels are in the cache (one warm-up). If the command of another checkout is given, both alternate. Medians.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.machine import print_machine

NEUROBENCH = str(Path(sys.executable).parent / "neurobench")
MODELS = ("qrbm", "slayer_snn", "hybrid_qcnn", "hxtorch_mlp", "eprop_rsnn", "mlp")
RUNS = {**{f"{model}, smoke": [f"model={model}", "scale=smoke"] for model in MODELS}, "qrbm": ["model=qrbm"]}
REPEATS = 3
# Prints to stderr at the end of each phase how long it took; works in any checkout if run by that checkout's Python.
TRACED = """
import contextlib, sys, time
import neurobench.phases as phases
original = phases.phase
@contextlib.contextmanager
def phase(name, total=None):
    begun = time.perf_counter()
    with original(name, total) as entry:
        yield entry
    print(f"\\n@{time.perf_counter() - begun:.3f} {name}", file=sys.__stderr__)
phases.phase = phase
from neurobench.cli.main import main
sys.argv[0] = "neurobench"
sys.exit(main())
"""
SHOWN = ("importing torch", "reading data", "building the model", "training", "finalizing", "drawing figures")


def run(command: Sequence[str], words: list[str], folder: str) -> dict[str, float]:
    """Run a command; return its seconds in total, of CPU time, and by phase."""
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run([*command, "run", *words, f"outputs={folder}"], capture_output=True, text=True, check=False)
    after, seconds = os.times(), time.perf_counter() - begun
    if done.returncode:
        sys.exit(done.stderr)
    phases: dict[str, float] = {}
    for took, name in re.findall(r"^@([0-9.]+) (.*)$", done.stderr, re.MULTILINE):
        phases[name] = phases.get(name, 0.0) + float(took)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"Enter to prompt": seconds, "CPU": cpu, **{name: phases.get(name, 0.0) for name in SHOWN}}


def main() -> None:
    print_machine()
    programs = {"this": NEUROBENCH, **({"other": sys.argv[1]} if len(sys.argv) > 1 else {})}
    print(f"s from Enter to prompt, medians of {REPEATS}; {os.cpu_count()} cores")
    print(f"{'':24}{'':8}" + "".join(f"{name:>20}" for name in ("Enter to prompt", "CPU", *SHOWN)))
    with tempfile.TemporaryDirectory() as folder:
        for label, words in RUNS.items():
            rows: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
            for _ in range(REPEATS + 1):
                for name, program in programs.items():
                    rows[name].append(run([str(Path(program).parent / "python"), "-c", TRACED], words, folder))
            for name, values in rows.items():
                row = {key: statistics.median(one[key] for one in values[1:]) for key in values[0]}
                print(f"{label:24}{name:8}" + "".join(f"{seconds:20.2f}" for seconds in row.values()), flush=True)


if __name__ == "__main__":
    main()
