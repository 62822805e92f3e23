"""Training speed of convolutional SLAYER: compiled kernels on lists of spikes compared with torch's convolutions.

    python tests/bench/bench_convolution.py [ARCHITECTURE:MS ...]

Recordings per second of CPU time, one thread; batches of 16 real recordings, dropout, norm and Adam included. Both
alternate, with equally many updates on the same batches; medians. An architecture lists the convolutional layers, then
the widths of dense ones: 8c5s2p2,16c3s2p1,128:2 with steps of 2 ms.
"""

import statistics
import sys
import time
from pathlib import Path

import numba
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.data.dataset import Batch
from neurobench.models.learner import Step
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.learner import SlayerLearner
from tests.bench.machine import print_machine
from tests.models.slayer.conftest import learner, recordings

DEFAULT = ("8c5s2p2,16c3s2p1,128:2", "16c7s3p3,128:10")
BATCH, ROUNDS = 16, 5


def prepared(words: str, torch_only: bool) -> SlayerLearner:
    """Build a learner and run its first update, which compiles and is not timed."""
    layers, _, ms = words.partition(":")
    parts = layers.split(",")
    convs, hidden = tuple(p for p in parts if not p.isdigit()), tuple(int(p) for p in parts if p.isdigit())
    one: SlayerLearner = learner(hidden=hidden, convolutions=convs, sampling_time=float(ms), delay=False)
    if torch_only:
        one.engine = DenseEngine(torch.device("cpu"))
    one.learn(batch(0), Step(0, 1000, 0, 100))
    return one


def batch(k: int) -> Batch:
    return recordings().train.batch(slice(k * BATCH, (k + 1) * BATCH))


def seconds(one: SlayerLearner, k: int) -> float:
    """CPU seconds of one update."""
    inputs = batch(k)
    begun = time.process_time()
    one.learn(inputs, Step(k, 1000, 0, 100))
    return time.process_time() - begun


def main() -> None:
    print_machine()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    for words in sys.argv[1:] or DEFAULT:
        contenders = [prepared(words, torch_only) for torch_only in (False, True)]
        times = [[seconds(one, k) for one in contenders] for k in range(1, ROUNDS + 1)]
        compiled, plain = (BATCH / statistics.median(of_one) for of_one in zip(*times, strict=True))
        print(f"{words}: {compiled:.0f} recordings/s, torch {plain:.0f}, {compiled / plain:.1f}x", flush=True)


if __name__ == "__main__":
    main()
