"""Training speed of the hxtorch perceptron compared with the tutorial's loop: python tests/bench/bench_hxtorch.py

Target: the 201 steps, data included, at least 8 times as fast as the tutorial-style loop. That loop draws its samples
one by one through a DataLoader, prepends the 256 points of the plot's grid to each batch, computes each operation as a
torch.autograd.Function on the same linear model, and uses torch's Adam and StepLR; it does not draw the plot. Runs
alternate, one thread, medians. If aihwkit is installed, its analog layers are timed too.
"""

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.data.dataset import Batch
from neurobench.data.yin_yang import YinYangStream
from neurobench.experiment.plan import spawn
from neurobench.models.hxtorch.network import initial_layer
from neurobench.models.learner import Step, Task
from tests.bench.machine import print_machine
from tests.specs import spec, values

CPU = torch.device("cpu")
STEPS, BATCH, REPEATS = 201, 350, 5
GAIN, NOISE = 0.0034, 2.0
r, R = 0.1, 0.5


MAC = spec("backend/sim", "mac", gain=GAIN, noise_std=NOISE)
MODEL = spec("model/hxtorch_mlp", phases={"host": values("model/hxtorch_mlp")["phases"]["host"]})


def ours() -> None:
    """Train this package's perceptron: draw all samples, then learn from them in batches."""
    samples, labels = (torch.from_numpy(part) for part in YinYangStream(42).draw(STEPS * BATCH))
    learner: Any = MODEL.build(Task("vector", (4,), 3), spawn(0), {"mac": MAC.open(0, CPU)}, CPU)
    for k in range(STEPS):
        chosen = slice(k * BATCH, (k + 1) * BATCH)
        learner.learn(Batch(samples[chosen], labels[chosen]), Step(k, STEPS, 0))


class Published(torch.utils.data.Dataset):
    """Data set of the tutorial, which draws a new sample on every access."""

    def __init__(self) -> None:
        self.random = np.random.RandomState(42)

    def __len__(self) -> int:
        return BATCH

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        goal = self.random.randint(3)
        while True:
            x, y = self.random.rand(2) * 2.0 * R
            if np.sqrt((x - R) ** 2 + (y - R) ** 2) > R:
                continue
            right = np.sqrt((x - 1.5 * R) ** 2 + (y - R) ** 2)
            left = np.sqrt((x - 0.5 * R) ** 2 + (y - R) ** 2)
            one = right <= r or r < left <= 0.5 * R or (y > R and right > 0.5 * R)
            if (2 if right < r or left < r else int(one)) == goal:
                return torch.tensor([x, y, 1 - x, 1 - y], dtype=torch.float), goal


class Mac(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, sends: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.scale = GAIN * sends
        v = ctx.scale * (x.round() @ w.round())
        return (v + NOISE * torch.randn_like(v)).floor().clamp(-128, 127)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        x, w = ctx.saved_tensors
        return ctx.scale * g @ w.t(), ctx.scale * x.t() @ g, None


class ReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x.floor().clamp(0, 127) / 2).floor().clamp(0, 31)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g * (ctx.saved_tensors[0] > 0) / 2


class Add(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        return (a.floor().clamp(-128, 127) + b.floor().clamp(-128, 127)).clamp(-128, 127)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g, g.sum(0)


class Linear(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int, avg: int = 1):
        super().__init__()
        draw = torch.Generator().manual_seed(inputs)
        layer = initial_layer(inputs, outputs, GAIN, draw, num_sends=None, bias=True, avg=avg)
        assert layer.bias is not None
        self.weight, self.bias = torch.nn.Parameter(layer.weight), torch.nn.Parameter(layer.bias)
        self.sends, self.avg = layer.num_sends, avg

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.weight.clamp_(-63, 63)
        y = Mac.apply(x, self.weight.t().repeat_interleave(self.avg, dim=1), self.sends)
        return Add.apply(y.reshape(len(y), -1, self.avg).mean(2), self.bias)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Linear(4, 128), Linear(128, 3, avg=5)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(ReLU.apply(self.first(31 * x)))


def tutorial_style(model: torch.nn.Module, draw_grid: bool = True) -> None:
    """Train like the tutorial's test_train_epoch and train, without the plot."""
    loader = torch.utils.data.DataLoader(Published(), batch_size=BATCH)
    scheduler = torch.optim.lr_scheduler.StepLR(torch.optim.Adam(model.parameters(), lr=1), step_size=1, gamma=0.99)
    for _ in range(STEPS):
        data, target = next(iter(loader))
        if draw_grid:
            axis = torch.linspace(0, 1, 16)
            x, y = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
            data = torch.cat([torch.tensor(list(zip(x, y, 1 - x, 1 - y, strict=True))), data])
        scheduler.optimizer.zero_grad()
        output = model(data)
        torch.nn.functional.cross_entropy(output[len(data) - BATCH :], target).backward()
        scheduler.optimizer.step()
        scheduler.step()


def aihwkit_model() -> torch.nn.Module:
    """Network of the same shape on aihwkit's inference tiles, with 5-bit inputs, 8-bit outputs and aihwkit's noise."""
    from aihwkit.nn import AnalogLinear
    from aihwkit.simulator.configs import TorchInferenceRPUConfig

    config = TorchInferenceRPUConfig()
    config.forward.inp_res, config.forward.out_res, config.forward.out_noise = 1 / 31, 1 / 127, 0.02
    layers = AnalogLinear(4, 128, rpu_config=config), torch.nn.ReLU(), AnalogLinear(128, 3, rpu_config=config)
    return torch.nn.Sequential(*layers)


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    print_machine()
    torch.set_num_threads(1)
    contenders: dict[str, Callable[[], object]] = {
        "ours": ours,
        "tutorial-style loop": lambda: tutorial_style(Model()),
        "tutorial-style loop, no grid": lambda: tutorial_style(Model(), draw_grid=False),
    }
    if importlib.util.find_spec("aihwkit"):
        contenders["aihwkit layers, no grid"] = lambda: tutorial_style(aihwkit_model(), draw_grid=False)
    for work in contenders.values():
        work()  # warm-up: imports and tables
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(REPEATS):
        for name, work in contenders.items():
            times[name].append(seconds(work))
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        print(f"{STEPS} steps, {name:30s} {value:6.2f} s  ({value / median['ours']:5.1f}x ours)")
