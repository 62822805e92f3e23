"""A small Yin-Yang task for the learner."""

from typing import Any

import pytest
import torch

from neurobench.data.dataset import Split
from neurobench.data.yin_yang_stream import YinYangStream
from neurobench.devices.mac.analog import LinearMac
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.experiment.seeds import spawn
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.hxtorch.spec import TUTORIAL, HXTorchMLP
from neurobench.models.learner import Step, Task

CPU = torch.device("cpu")
YIN_YANG = Task("vector", (4,), 3)


def yin_yang(n: int, seed: int = 42) -> Split:
    x, y = YinYangStream(seed).draw(n)
    return Split(torch.from_numpy(x), torch.from_numpy(y), torch.arange(n))


def phases(**steps: int) -> dict[str, dict[str, Any]]:
    """The tutorial's phases with other numbers of steps; those not named have none."""
    return {name: {**fields, "steps": steps.get(name, 0)} for name, fields in TUTORIAL.items()}


def learner(mac: AnalogMac | None = None, seed: int = 0, task: Task = YIN_YANG, **fields: Any) -> HXTorchMLPLearner:
    made = HXTorchMLP(mac=LinearMac().open(0, CPU) if mac is None else mac, **fields).build(task, spawn(seed), CPU)
    assert isinstance(made, HXTorchMLPLearner)
    return made


def train(made: HXTorchMLPLearner, data: Split, n: int, begin: int = 0, stop: int | None = None) -> None:
    """Updates begin to stop of n."""
    size = len(data) // n
    for k in range(begin, n if stop is None else stop):
        made.learn(data.batch(slice(k * size, (k + 1) * size)), Step(k, n, 0))


@pytest.fixture(scope="session")
def data() -> Split:
    return yin_yang(217 * 350)
