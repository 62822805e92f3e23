"""Speed of training and prediction on CPU and GPU for each model: python tests/bench/bench_devices.py [threads, all]

Each model as shipped: updates and predictions with its batch size and with eight times that. CPU and GPU alternate in
one process on the same batches; medians of the seconds from passing the samples to the loss, or the scores, being back
in memory. With the same seeds both learn the same: the figures of the last update are printed side by side. Without a
CUDA device there is only the CPU's column.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # before torch is imported, as in a run
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from neurobench.data.dataset import Batch
from neurobench.experiment.build import build_learner, load_splits
from neurobench.experiment.request import plan_of
from neurobench.experiment.threads import Threads, pin_threads
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Step, TrainingRecord
from tests.bench.gpu_records import note

CASES = {
    "mlp": ["model=mlp"],
    "cnn": ["model=cnn"],
    "qrbm": ["model=qrbm"],
    "hxtorch_mlp": ["experiment=hxtorch_mnist"],
    "hybrid_qcnn": ["experiment=qutrunk_ten_digits"],
    "slayer_snn": ["experiment=lava_nmnist_best"],
    "eprop_rsnn": ["experiment=nest_eprop_nmnist_best"],
}
UPDATES, WARM, LARGE, FITTED = 8, 2, 8, 2000  # FITTED: samples for fits after training


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begin


def measure(name: str, times: int, devices: list[str]) -> None:
    plan, _ = plan_of([*CASES[name], "scale=quick"])
    splits, size = load_splits(plan), plan.training.batch_size * times
    split = splits.train
    rounds = 1 + UPDATES * size // len(split)
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0)).repeat(rounds)
    batches = [split.batch(rows) for rows in order.split(size)[:UPDATES]]
    learners = {device: build_learner(plan, torch.device(device), Ledger()) for device in devices}
    spent: dict[tuple[str, str], list[float]] = {}
    losses: dict[str, Mapping[str, float]] = {}

    def clocked(device: str, what: str, work: Callable[[], object]) -> None:
        spent.setdefault((device, what), []).append(seconds(work))

    def update(device: str, batch: Batch, step: Step) -> None:
        losses[device] = learners[device].learn(batch, step).named()

    for k, batch in enumerate(batches):
        step = Step(k, UPDATES, 0, UPDATES)
        for device in devices:
            clocked(device, "train", partial(update, device, batch, step))
    record = TrainingRecord()
    for device, learner in learners.items():
        clocked(device, "finalize", partial(learner.finalize, split.head(FITTED), splits.validation, record))
    for batch in batches:
        for device, learner in learners.items():
            clocked(device, "predict", lambda learner=learner, x=batch.x: learner.predict(x).cpu())
    for what in ("train", "predict"):
        rates = {device: size / statistics.median(spent[device, what][WARM:]) for device in devices}
        tell(f"{name:12s} {what:8s} batch {size:5d}", {device: f"{rate:10.0f}/s" for device, rate in rates.items()})
        for device, rate in rates.items():
            note("model", name=name, work=what, batch=size, device=device, rate=rate)
        if len(rates) == 2:
            print(f"{'':12s} GPU/CPU {rates['cuda'] / rates['cpu']:.2f}")
    ends = {device: spent[device, "finalize"][0] for device in devices}
    if max(ends.values()) > 0.1:
        tell(f"{name:12s} after training      ", {device: f"{each:10.2f} s" for device, each in ends.items()})
    for figure in losses["cpu"] if len(losses) == 2 else ():
        cpu, gpu = losses["cpu"][figure], losses["cuda"][figure]
        print(f"{name:12s} {figure} of the last update: cpu {cpu:.6g}, cuda {gpu:.6g}", flush=True)


def tell(head: str, figures: Mapping[str, str]) -> None:
    print(head, *(f"{device} {figure}" for device, figure in figures.items()), sep="  ", flush=True)


def main(threads: int) -> None:
    pin_threads(Threads(threads, threads))
    found = torch.cuda.is_available()
    print(f"{threads} threads" + (f", {torch.cuda.get_device_name()}" if found else ", no CUDA device: the CPU alone"))
    for name in sys.argv[2:] or CASES:
        for times in (1, LARGE):
            measure(name, times, ["cpu", "cuda"] if found else ["cpu"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else os.cpu_count() or 1)
