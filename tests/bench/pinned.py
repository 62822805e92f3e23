"""Shared parts of the benchmarks on one or two threads: options, threads pinned in every pool, and the clock."""

import argparse
import time
from collections.abc import Callable

from neurobench.experiment.threads import Threads, pin_threads


def options(description: str | None) -> argparse.Namespace:
    """Parse the command line's options, threads and rounds, and pin the threads at once."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    pin_threads(Threads(given.threads, given.threads))
    return given


def seconds(work: Callable[[], object], threads: int) -> float:
    """Time a call: in CPU time if it uses one thread, since other processes disturb that less, else in wall time."""
    clock = time.process_time if threads == 1 else time.perf_counter
    begun = clock()
    work()
    return clock() - begun
