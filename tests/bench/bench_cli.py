"""Response time of commands that start no run: `python tests/bench/bench_cli.py`.

Each command is timed as a whole process, alternating with `python -c pass`, so that the ratio holds on a busy machine.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

NEUROBENCH = str(Path(sys.executable).parent / "neurobench")
BARE = [sys.executable, "-c", "pass"]
COMMANDS = {
    "neurobench --help": [NEUROBENCH, "--help"],
    "neurobench run --cfg job": [NEUROBENCH, "run", "--cfg", "job"],
    "neurobench run model.n_hidden=0 (refused)": [NEUROBENCH, "run", "model.n_hidden=0"],
    "neurobench list": [NEUROBENCH, "list"],
}
REPEATS = 15


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begun


def main() -> None:
    print(f"whole processes, {REPEATS} pairs each, after one warm-up; medians")
    for name, command in COMMANDS.items():
        seconds(BARE), seconds(command)
        pairs = [(seconds(command), seconds(BARE)) for _ in range(REPEATS)]
        ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(one / other for one, other in pairs)
        print(f"{name:45} {ours:.3f} s   python -c pass {bare:.3f} s   ratio {ratio:.1f}")


if __name__ == "__main__":
    main()
