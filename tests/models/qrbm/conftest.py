"""Small RBMs and image sets whose results a test can predict."""

import pytest
import torch

from neurobench.data.dataset import Split
from neurobench.models.learner import Seeds, Task
from neurobench.problems.rbm import RBM
from tests.specs import spec

CPU = torch.device("cpu")
SEEDS = Seeds(data=1, init=2, training=3, device=4)


@pytest.fixture
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(5, 3), (5,), (3,)]))


@pytest.fixture
def task() -> Task:
    return Task(layout="image", shape=(1, 6, 6), n_classes=3)


def bars(n: int, seed: int) -> Split:
    """Images of 6 x 6: a bright row, a bright column or a bright corner, with a tenth of the pixels flipped."""
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=draw)
    clean = torch.zeros(3, 1, 6, 6)
    clean[0, 0, 2:4, :], clean[1, 0, :, 2:4], clean[2, 0, :3, :3] = 1, 1, 1
    flip = (torch.rand(n, 1, 6, 6, generator=draw) < 0.1).float()
    return Split((clean[y] - flip).abs(), y, torch.arange(n))


@pytest.fixture
def train() -> Split:
    return bars(300, 0)


@pytest.fixture
def held_out() -> Split:
    return bars(120, 1)


@pytest.fixture
def sampler():
    return spec("backend/sim", "sampler", sweeps=20).open(0, CPU)
