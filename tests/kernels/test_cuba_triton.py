"""The kernels for GPUs compute what the reference does: in Triton's interpreter, and on a GPU where there is one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def test_the_interpreted_kernels_agree_with_the_reference() -> None:
    pytest.importorskip("triton")
    words = [sys.executable, "-m", "tests.kernels.cuba_triton_check"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.stdout.strip() == "agree", done.stderr


def test_an_engine_on_these_kernels_agrees_with_the_one_on_torch() -> None:
    """What a GPU runs, in the interpreter: the same spikes and gradients."""
    pytest.importorskip("triton")
    words = [sys.executable, "-m", "tests.kernels.cuba_triton_engine_check"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.stdout.strip() == "agree", done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_learns_what_the_cpu_does() -> None:
    from neurobench.models.learner import Seeds, Step, Task
    from tests.specs import spec

    split = spec("dataset/nmnist", validation=0).load(0).train.head(32)
    losses, trains = [], []
    for name in ("cpu", "cuda"):
        device = torch.device(name)
        devices = {"core": spec("backend/sim", "core").open(0, device)}
        model = spec("model/slayer_snn", hidden=(64, 64))
        one = model.build(Task("events", (2, 34, 34), 10), Seeds(0, 1, 2, 3), devices, device)
        trains.append(one.engine.run(one.arriving(split.batch(slice(None)).x), one.quantized).y.cpu())
        losses.append([one.learn(split.batch(slice(None)), Step(k, 3, 0)).loss for k in range(3)])
    assert trains[0].sum() > 0
    assert (trains[0] == trains[1]).all()
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-6)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
