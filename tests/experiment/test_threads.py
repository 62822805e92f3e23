"""`threads=auto` uses several threads if that changes no bit of a run's results."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
import torch

import neurobench as nb
from neurobench.experiment import execute, threads
from neurobench.experiment.request import plan_of
from neurobench.experiment.threads import MOST, Threads, threads_of
from neurobench.storage import provenance

SMALL = ("scale=smoke", "scale.train=100", "scale.test=50", "training.batch_size=50", "figures=png")
RUNS = {
    "contrastive divergence": ("model=qrbm", "model.n_hidden=40"),
    "chains": ("model=qrbm", "model.n_hidden=40", "model.negative=pcd", "model.pixels=grey"),
    "emulated annealer": ("model=qrbm", "backend=mock", "model.n_hidden=8", "model.downsample=4"),
    "emulated QPU": ("model=qrbm", "backend=mock_qpu", "model.n_hidden=8", "model.downsample=4"),
    "moved copies": ("model=qrbm", "model.n_hidden=40", "model.jitter=1", "model.readout_copies=2"),
    "fine-tuned": ("model=qrbm", "model.n_hidden=40", "model.features=probability", "model.fine_tune=1"),
    "random features": ("model=random_features", "model.n_hidden=40"),
    "pixels": ("model=pixels_lr",),
    "spiking": ("model=slayer_snn", "model.hidden=[40]"),
    "convolutional": ("model=slayer_snn", "model.convolutions=[4c5s2p2]", "model.hidden=[]", "backend=mock"),
    "e-prop": ("model=eprop_rsnn",),
    "e-prop, moved recordings": ("model=eprop_rsnn", "model.neuron=iaf_adapt", "model.shift=2"),
    "e-prop of 2020": ("model=eprop_rsnn", "model.neuron=iaf_bsshslm_2020", "model.lr_out=1"),
}


@pytest.fixture
def widened() -> Iterator[None]:
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)
    torch.set_num_threads(1)


@pytest.mark.usefixtures("widened")
@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_runs_with_one_and_with_two_threads_give_the_same_bits(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("one core: there are no two threads to compare with one")
    monkeypatch.setattr(execute, "rendered_files", lambda *_: ())  # half of the time, and no result
    states: list[Any] = []
    for limit in ("1", "2"):
        monkeypatch.setattr(threads, "_LIMIT", limit)
        run = nb.run(*words, *SMALL, f"outputs={tmp_path / limit}", progress=False)
        assert json.loads((run.path / "run.json").read_text())["threads"] == int(limit)
        assert numba.get_num_threads() == int(limit)
        assert torch.get_num_threads() == 1
        states.append((torch.load(run.path / "checkpoint.pt", weights_only=True)["learner"], run.metrics))
    torch.testing.assert_close(*states, rtol=0, atol=0)


def test_auto_threads_depend_on_the_model_the_cores_and_the_limit_of_the_parent_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    qrbm, hxtorch = (plan_of([f"model={model}"], None)[0] for model in ("qrbm", "hxtorch_mlp"))
    online, _ = plan_of(["experiment=nest_eprop_nmnist_online"], None)
    monkeypatch.setattr(threads, "cores", lambda: 64)
    found = {}
    for limit in ("", "1", "3", "16", "2,1", "0", "many"):
        monkeypatch.setattr(threads, "_LIMIT", limit.partition(",")[0])
        found[limit] = threads_of(qrbm).kernels
        assert threads_of(qrbm).libraries == 1
        assert threads_of(hxtorch) == threads_of(online) == (1, 1)
    assert found == {"": MOST, "1": 1, "3": 3, "16": MOST, "2,1": 2, "0": MOST, "many": MOST}
    monkeypatch.setattr(threads, "cores", lambda: 2)
    assert threads_of(qrbm) == (1, 2)


def test_a_given_number_of_threads_is_used_unchanged() -> None:
    for model in ("qrbm", "hxtorch_mlp"):
        assert threads_of(plan_of([f"model={model}", "threads=7"], None)[0]) == Threads(7, 7)


@pytest.mark.parametrize(("text", "expected"), [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("", 8)])
def test_the_number_of_cores_follows_the_cpu_quota_of_a_container(
    text: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(provenance.Path, "read_text", lambda _: text)
    assert provenance.cores() == expected
