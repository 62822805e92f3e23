"""Time in which the kernels of each model are compiled: `python tests/bench/bench_compile.py [ANOTHER_NEUROBENCH]`.

Smoke runs with an empty cache, each followed by one with the cache that it has filled: the difference of their CPU time
is that of compiling. If the command of another checkout is given, both alternate. Medians.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from neurobench.storage.provenance import provenance

NEUROBENCH = str(Path(sys.executable).parent / "neurobench")
RUNS = {
    "qrbm": ["model=qrbm"],
    "slayer_snn": ["model=slayer_snn"],
    "eprop_rsnn, minibatch": ["model=eprop_rsnn", "model.engine=minibatch"],
    "eventprop_snn": ["model=eventprop_snn"],
    "hybrid_qcnn": ["model=hybrid_qcnn"],
}
REPEATS = 3


def cpu_seconds(program: str, words: list[str], cache: str) -> float:
    """CPU time of one smoke run, in seconds."""
    before = os.times()
    with tempfile.TemporaryDirectory() as outputs:
        command = [program, "run", *words, "scale=smoke", f"outputs={outputs}"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NUMBA_CACHE_DIR": cache})
    if done.returncode:
        sys.exit(done.stderr)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def compiling(program: str, words: list[str]) -> float:
    with tempfile.TemporaryDirectory() as cache:
        return cpu_seconds(program, words, cache) - cpu_seconds(program, words, cache)


def main() -> None:
    programs = [NEUROBENCH, *sys.argv[1:2]]
    processor = provenance("cpu", 1)["processor"]
    print(f"{processor}: s of CPU time in which kernels are compiled, medians of {REPEATS}")
    for label, words in RUNS.items():
        rounds = [[compiling(program, words) for program in programs] for _ in range(REPEATS)]
        shown = "  ".join(f"{statistics.median(each):6.1f}" for each in zip(*rounds, strict=True))
        ratio = statistics.median(one[0] / one[-1] for one in rounds)
        print(f"{label:24}{shown}" + (f"   {ratio:.2f} of the other's" if len(programs) > 1 else ""), flush=True)


if __name__ == "__main__":
    main()
