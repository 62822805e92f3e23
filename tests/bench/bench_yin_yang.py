"""Speed of drawing Yin-Yang samples compared with the published loop: python tests/bench/bench_yin_yang.py

Targets: in bulk, "compat" is at least 40 times and "fast" at least 100 times as fast as the loop. The loop here is the
published algorithm with numpy's square roots and its class tests, unchanged; runs alternate, one thread, medians.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np

from neurobench.data.yin_yang import YinYangStream
from tests.bench.machine import print_machine

REPEATS = 7
r, R = 0.1, 0.5


def published_loop(n: int, random: np.random.RandomState) -> None:
    """Draw n samples with numpy scalars throughout, like the published generator."""
    for _ in range(n):
        goal = random.randint(3)
        while True:
            x, y = random.rand(2) * 2.0 * R
            if np.sqrt((x - R) ** 2 + (y - R) ** 2) > R:
                continue
            right = np.sqrt((x - 1.5 * R) ** 2 + (y - R) ** 2)
            left = np.sqrt((x - 0.5 * R) ** 2 + (y - R) ** 2)
            one = right <= r or r < left <= 0.5 * R or (y > R and right > 0.5 * R)
            if (2 if right < r or left < r else int(one)) == goal:
                break
        np.array([x, y, 1 - x, 1 - y], np.float32)


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def compare(what: str, n: int, batches: int) -> None:
    """Print the microseconds per sample of all three generators, for `batches` draws of n."""
    random = np.random.RandomState(42)
    compat, fast = YinYangStream(42), YinYangStream(42, stream="fast")
    loop_n = min(n, 350)  # fewer samples suffice for the loop, which has no overhead per draw
    times: dict[str, list[float]] = {"loop": [], "compat": [], "fast": []}
    for _ in range(REPEATS):
        times["loop"].append(seconds(lambda: published_loop(loop_n, random)) / loop_n)
        for name, stream in (("compat", compat), ("fast", fast)):
            times[name].append(seconds(lambda s=stream: [s.draw(n) for _ in range(batches)]) / n / batches)
    median = {name: statistics.median(values) for name, values in times.items()}
    columns = "  ".join(
        f"{name} {value * 1e6:7.2f} us/sample ({median['loop'] / value:4.0f}x)" for name, value in median.items()
    )
    print(f"{what:24s} {columns}")


if __name__ == "__main__":
    print_machine()
    compare("bulk, 100,000 samples", 100_000, 1)
    compare("split, 5000 samples", 5000, 4)
    compare("batches of 350", 350, 20)
