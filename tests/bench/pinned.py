"""What benchmarks of one thread or two share: their options, threads pinned in every pool, and the clock."""

import argparse
import time
from collections.abc import Callable

from neurobench.experiment.threads import Threads, pin_threads


def options(description: str | None) -> argparse.Namespace:
    """Of the command line: threads, which are pinned at once, and rounds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    pin_threads(Threads(given.threads, given.threads))
    return given


def seconds(work: Callable[[], object], threads: int) -> float:
    """Of the processor with one thread, which what else runs on the machine disturbs less."""
    clock = time.process_time if threads == 1 else time.perf_counter
    begun = clock()
    work()
    return clock() - begun
