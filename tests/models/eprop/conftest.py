"""The tiny network of the reference vectors, and a small learner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.experiment.plan import spawn
from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.learner import EpropLearner
from neurobench.models.learner import Task
from tests.specs import spec

VECTORS = Path(__file__).parent / "vectors"
CPU = torch.device("cpu")
T, SCALE = 60, 1 - 0.99

TINY = Constants(
    T=T, W=10, inputs=12, N=8, K=3, alpha=math.exp(-1 / 30), alpha_out=math.exp(-1 / 100), v_th=0.6, v_min=-math.inf,
    refractory=0, hard_reset=False, v_reset=-0.5, refractory_input=False, tau_m=30.0, adapt_beta=0.0, rho=0.0,
    surrogate=0, height=0.5, width=1 / 1.7, kappa=0.99, kappa_reg=0.99, c_reg=2 / T / SCALE**2, f_target=0.01,
    cutoff=100, w_min=-100.0, w_max=100.0, each_step=False, adam=False, beta_1=0.9, beta_2=0.999, epsilon=1e-7, batch=1,
)  # fmt: skip


def tiny_spikes(vectors: Mapping[str, np.ndarray], first: int = 0, n: int = 12) -> Spikes:
    """Samples first to first + n - 1 of the tiny vectors."""
    chosen = (vectors["ev_t"] >= first * T) & (vectors["ev_t"] < (first + n) * T)
    t, i = vectors["ev_t"][chosen] - first * T, vectors["ev_i"][chosen]
    step = t // T * (T + 1) + t % T
    order = np.lexsort((i, step))
    start = np.zeros(n * (T + 1) + 1, np.int64)
    start[1:] = np.cumsum(np.bincount(step, minlength=n * (T + 1)))
    return Spikes(start, i[order].astype(np.int64))


def learner(
    seed: int = 0, core: Any = None, task: Task | None = None, device: torch.device = CPU, **fields: Any
) -> EpropLearner:
    """A small learner. `core`: an opened one; that of backend=sim by default."""
    core = core or spec("backend/sim", "learning_core").open(0, CPU)
    task = task or Task("events", (2, 34, 34), 10)
    made = spec("model/eprop_rsnn", **fields).build(task, spawn(seed), {"learning_core": core}, device)
    assert isinstance(made, EpropLearner)
    return made


def reckon(**changes: Any) -> Any:
    return spec("backend/mock", "learning_core", **changes).open(0, CPU)


@pytest.fixture(scope="session")
def recordings() -> Any:
    """All bundled recordings in file order, none held out."""
    return spec("dataset/nmnist", validation=0).load(0)
