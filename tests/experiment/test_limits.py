"""Lack of memory, an unknown monitor and divergence are reported, the first two before anything is computed."""

from pathlib import Path
from typing import Any

import pytest

import neurobench as nb
from neurobench.config.compose import composer
from neurobench.config.errors import ConfigError, UserError
from neurobench.experiment import memory
from neurobench.experiment.estimate import estimate
from neurobench.experiment.plan import parse
from neurobench.experiment.result import divergence


def plan(*words: str) -> Any:
    with composer() as compose:
        return parse(compose(words))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("model=qrbm", "model.n_hidden=100000000"), r"layers of 784 x 100,000,000 units takes 1,168\.3 GiB"),
        (("model=qrbm", "model.chains=2000000000"), r"model\.chains takes 8,076\.4 GiB"),
        (("model=mlp", "dataset=yin_yang", "dataset.train=2000000000"), r"dataset\.train takes 119\.2 GiB"),
        (("model=mlp", "training.monitor=val_loss"), "not a figure of an epoch; there is train_loss, train_accuracy"),
    ],
)
def test_too_much_memory_is_refused_with_its_size_and_an_unknown_monitor_with_known_ones(
    words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 24 * 2**30)
    with pytest.raises(ConfigError, match=sentence):
        plan(*words)


def test_convolutions_need_memory_for_their_synapses_and_not_for_all_pairs_of_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """16 bytes for each of 342 million pairs would be 5 GiB."""
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**30)
    plan("model=slayer_snn", "model.convolutions=[16c3p1,16c3p1]", "model.hidden=[]")


def test_memory_for_features_of_all_copies_is_checked_before_anything_is_learned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """2 x 4 bytes for each of 600 features of 101 copies of 400 images: 185 MiB."""
    words = ("model=qrbm", "scale=smoke", "scale.train=500", "model.jitter=1", "model.readout_copies=100")
    monkeypatch.setattr(memory, "machine_memory", lambda: 150 * 2**20)
    for verb in (lambda: nb.run(*words, outputs=str(tmp_path), progress=False), lambda: estimate(plan(*words))):
        with pytest.raises(UserError, match=r"model\.readout_copies takes 0\.2 GiB: this machine has 0\.1 GiB"):
            verb()
    (run,) = tmp_path.glob("*/2*")
    assert not (run / "metrics.jsonl").exists()


def test_a_run_of_a_larger_machine_can_be_read_on_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for training: the network alone takes a quarter, and its data need not be read."""
    with composer() as compose:
        config = compose(["model=qrbm"])
    monkeypatch.setattr(memory, "machine_memory", lambda: 1)
    with pytest.raises(ConfigError, match="this machine has 0"):
        parse(config)
    assert parse(config, to_run=False)


def test_the_memory_limit_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**27 < memory.machine_memory() < 2**50
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**45)
    assert plan("model=qrbm", "model.n_hidden=100000000")


@pytest.mark.parametrize(
    ("mine", "file"),
    [
        ("0::/\n", "memory.max"),
        ("0::/slurm/job_7/step_0\n", "slurm/job_7/memory.max"),
        ("5:cpu:/\n4:cpuset,memory:/slurm/job_7\n0::/\n", "memory/slurm/job_7/memory.limit_in_bytes"),
        ("4:memory:/elsewhere\n", "memory/memory.limit_in_bytes"),
    ],
    ids=["container", "version 2", "version 1", "namespace"],
)
def test_the_memory_limit_of_a_control_group_or_of_one_above_it_is_respected(
    mine: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cgroup"
    for path, text in ((root / "memory.max", "max\n"), (root / file, "1000000\n")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "mine").write_text(mine)
    monkeypatch.setattr(memory, "CONTROL_GROUPS", root)
    monkeypatch.setattr(memory, "OF_THIS_PROCESS", tmp_path / "mine")
    assert memory.machine_memory() == 1_000_000


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        ([2.3, 1.0], False),
        ([], False),
        ([2.3, 1e10], True),
        ([1e5, 9e5], False),
        ([3.0, 400.0], False),
        ([7e8], True),
        ([9e7, 2e6], False),
    ],
)
def test_a_finished_run_with_an_exploded_training_loss_is_reported_as_diverged(
    losses: list[float], diverged: bool
) -> None:
    assert bool(divergence([{"train_loss": loss} for loss in losses])) == diverged
    assert divergence([{"train_reconstruction_mse": 1e12}]) == []
