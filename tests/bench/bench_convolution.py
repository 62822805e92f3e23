"""A training step of convolutional SLAYER by compiled kernels, from lists of spikes, beside torch's convolutions.

    python tests/bench/bench_convolution.py [ARCHITECTURE:MS ...]

Recordings a second of CPU time, one thread; batches of 16 real recordings, dropout, norm and Adam included. An
architecture is the layers' words, then widths of dense ones: 8c5s2p2,16c3s2p1,128:2 with steps of 2 ms.
"""

import sys
import time
from pathlib import Path

import numba
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.models.learner import Step
from neurobench.models.slayer.dense import DenseEngine
from tests.models.slayer.conftest import learner, recordings

DEFAULT = ("8c5s2p2,16c3s2p1,128:2", "16c7s3p3,128:10")
BATCH = 16


def measured(words: str, torch_only: bool, updates: int) -> float:
    layers, _, ms = words.partition(":")
    parts = layers.split(",")
    convs, hidden = tuple(p for p in parts if "c" in p), tuple(int(p) for p in parts if "c" not in p)
    one = learner(hidden=hidden, convolutions=convs, sampling_time=float(ms), delay=False)
    if torch_only:
        one.engine = DenseEngine(torch.device("cpu"))
    begun = 0.0
    for k in range(updates + 1):
        one.learn(recordings().train.batch(slice(k * BATCH, (k + 1) * BATCH)), Step(k, 1000, 0, 100))
        begun = begun if k else time.process_time()  # the first compiles
    return updates * BATCH / (time.process_time() - begun)


def main() -> None:
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    for words in sys.argv[1:] or DEFAULT:
        compiled, plain = measured(words, False, 6), measured(words, True, 2)
        print(f"{words}: {compiled:.0f} recordings/s, torch {plain:.0f}, {compiled / plain:.1f}x", flush=True)


if __name__ == "__main__":
    main()
