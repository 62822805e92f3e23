"""A small Yin-Yang task for the learner."""

from typing import Any

import pytest
import torch

from neurobench.data.dataset import Split
from neurobench.data.yin_yang import YinYangStream
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.experiment.plan import spawn
from neurobench.models.hxtorch.learner import HXTorchMLPLearner
from neurobench.models.learner import Step, Task, TrainingRecord
from tests.specs import spec, values

CPU = torch.device("cpu")
YIN_YANG = Task("vector", (4,), 3)
TUTORIAL = values("model/hxtorch_mlp")["phases"]


def yin_yang(n: int, seed: int = 42) -> Split:
    x, y = YinYangStream(seed).draw(n)
    return Split(torch.from_numpy(x), torch.from_numpy(y), torch.arange(n))


def phases(**steps: int) -> dict[str, dict[str, Any]]:
    """The tutorial's phases with other numbers of steps; phases not named have none."""
    return {name: {**fields, "steps": steps.get(name, 0)} for name, fields in TUTORIAL.items()}


def linear(**changes: Any) -> AnalogMac:
    mac: AnalogMac = spec("backend/sim", "mac", **changes).open(0, CPU)
    return mac


def chip(**changes: Any) -> AnalogMac:
    mac: AnalogMac = spec("backend/mock", "mac", **changes).open(0, CPU)
    return mac


def learner(mac: AnalogMac | None = None, seed: int = 0, task: Task = YIN_YANG, **changes: Any) -> HXTorchMLPLearner:
    made = spec("model/hxtorch_mlp", **changes).build(task, spawn(seed), {"mac": mac or linear()}, CPU)
    assert isinstance(made, HXTorchMLPLearner)
    return made


def train(made: HXTorchMLPLearner, data: Split, n: int, begin: int = 0, stop: int | None = None) -> TrainingRecord:
    """Run updates begin to stop of n, recorded as by the training loop."""
    size = len(data) // n
    record = TrainingRecord(updates={"loss": [], "accuracy": []})
    for k in range(begin, n if stop is None else stop):
        at = Step(k, n, 0)
        sums = made.learn(data.batch(slice(k * size, (k + 1) * size)), at)
        assert sums.loss is not None
        assert sums.correct is not None
        record.updates["loss"].append(sums.loss / size)
        record.updates["accuracy"].append(sums.correct / size)
        record.snapshots |= {label: made.snapshot(label) for label in made.spec.snapshots(at)}
    return record


@pytest.fixture(scope="session")
def data() -> Split:
    return yin_yang(217 * 350)
