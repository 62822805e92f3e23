"""Small hybrid networks, and images used in place of digits."""

from typing import Any

import torch

from neurobench.data.dataset import Split
from neurobench.devices.circuit.protocol import CircuitDevice
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.experiment.plan import spawn
from neurobench.models.learner import Step, Task
from neurobench.models.qcnn.learner import HybridQCNNLearner
from neurobench.models.qcnn.spec import HybridQCNN
from tests.specs import spec

CPU = torch.device("cpu")
SHAPE = (1, 28, 28)
RATES = {"lr": 0.004, "schedule": "constant", "weight_decay": 0.001}
SMALL = {"head": "binary", "classical": (), "n_qubits": 1, "depth": 0, "gain": 2.0, **RATES}


def bars(n: int, classes: int = 2, seed: int = 0) -> Split:
    """Images of class c: a bar in noise, at a different place for each class."""
    draw = torch.Generator().manual_seed(seed)
    x = 0.2 * torch.rand(n, *SHAPE, generator=draw)
    y = torch.arange(n) % classes
    for c in range(classes):
        x[y == c, :, 2 + 24 * c // classes : 5 + 24 * c // classes, 4:24] += 0.7
    return Split(x, y, torch.arange(n))


def hybrid(**fields: Any) -> HybridQCNN:
    """Spec with the shipped settings, except for SMALL and `fields`."""
    made = spec("model/hybrid_qcnn", **{**SMALL, **fields})
    assert isinstance(made, HybridQCNN)
    return made


def qpu(**fields: Any) -> Any:
    """An emulated processor."""
    return spec("backend/mock", "circuit", **fields).open(0, CPU)


def learner(circuit: CircuitDevice | None = None, classes: int = 2, seed: int = 0, **fields: Any) -> HybridQCNNLearner:
    devices = {"circuit": circuit or StatevectorDevice(CPU)}
    made = hybrid(**fields).build(Task("image", SHAPE, classes), spawn(seed), devices, CPU)
    assert isinstance(made, HybridQCNNLearner)
    return made


def train(made: HybridQCNNLearner, data: Split, size: int, epochs: int = 1, begin: int = 0, stop: int = 10**9) -> None:
    """Run updates `begin` to `stop`; the last batch of an epoch may be smaller."""
    per = -(-len(data) // size)
    for k in range(begin, min(stop, epochs * per)):
        chosen = slice(k % per * size, min(len(data), (k % per + 1) * size))
        made.learn(data.batch(chosen), Step(k, epochs * per, k // per, per))
