"""Profile of a SLAYER step on a GPU: python tests/bench/profile_slayer.py [batch, 32]

First the time of each part, synchronised after each; then torch's profiler: kernels by GPU time, operators by CPU time,
and the number of launches per step.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from neurobench.experiment.plan import spawn
from neurobench.models.learner import Step, Task
from neurobench.models.slayer import spikes
from tests.specs import spec

ROUNDS, WARM, PROFILED = 30, 5, 5


def milliseconds(work: Callable[[], Any]) -> tuple[float, Any]:
    torch.cuda.synchronize()
    begin = time.perf_counter()
    result = work()
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begin), result


def parts(one: Any, batch: Any, k: int) -> dict[str, float]:
    """Time of each part of `SlayerLearner.learn` in milliseconds."""
    spent = {}
    motion = spikes.motion(len(batch.x), k, one.spec.shift, one.spec.angle, one.task.shape)
    spent["events to the GPU, binned"], x = milliseconds(lambda: one.arriving(batch.x, motion))
    spent["dropout masks"], dropout = milliseconds(lambda: one._dropout(len(batch.y), k))
    spent["forward"], act = milliseconds(lambda: one.engine.run(x, one.quantized, dropout, learns=True))
    label, y = batch.y.to(one.device), act.y.detach().requires_grad_()
    spent["loss and its gradient"], (g,) = milliseconds(lambda: torch.autograd.grad(one._loss(y, label), y))
    spent["backward"], gradients = milliseconds(lambda: one.engine.gradients(g.contiguous(), one.surrogate))
    spent["update, and weights onto the grid"], _ = milliseconds(lambda: one._update(gradients, Step(k, 1000, 0)))
    spent["predict"], _ = milliseconds(lambda: one.predict(batch.x))
    spent["learn, all of it"], _ = milliseconds(lambda: one.learn(batch, Step(k, 1000, 0)))
    return spent


def profiled(work: Callable[[], object], title: str) -> None:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as measured:
        for _ in range(PROFILED):
            work()
        torch.cuda.synchronize()
    averages = measured.key_averages()
    kernels = (each.self_device_time_total for each in averages if each.device_type == DeviceType.CUDA)
    on_gpu = sum(kernels) / PROFILED / 1000
    launches = sum(each.count for each in averages if "LaunchKernel" in each.key) / PROFILED
    waits = sum(each.count for each in averages if each.key in ("cudaStreamSynchronize", "cudaDeviceSynchronize"))
    counts = f"{launches:.0f} launches, {waits / PROFILED:.0f} waits"
    print(f"\n{title}: {on_gpu:.2f} ms of kernels and copies, {counts}, each time")
    for order in ("self_cuda_time_total", "self_cpu_time_total"):
        print(averages.table(sort_by=order, row_limit=28, max_name_column_width=60), flush=True)


def main(size: int) -> None:
    if not torch.cuda.is_available():
        sys.exit("profile_slayer: torch finds no CUDA device here")
    device, split = torch.device("cuda"), spec("dataset/nmnist", validation=0).load(0).train
    devices = {"core": spec("backend/sim", "core").open(0, device)}
    one: Any = spec("model/slayer_snn").build(Task("events", (2, 34, 34), 10), spawn(0), devices, device)
    batch = split.batch(torch.arange(size))
    measured = [parts(one, batch, k) for k in range(WARM + ROUNDS)][WARM:]
    print(f"batches of {size}, medians")
    for name in measured[0]:
        print(f"{name:35s} {statistics.median(each[name] for each in measured):8.3f} ms")
    profiled(lambda: one.learn(batch, Step(1, 1000, 0)), "one training step")
    profiled(lambda: one.predict(batch.x), "one prediction")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 32)
