"""Whole runs: starting from another run's checkpoint, reloading, and each run as one chip of a table."""

from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from neurobench.config.compose import composer
from neurobench.experiment.endings import RunFailed
from neurobench.experiment.execute import execute
from neurobench.experiment.plan import Plan, faults_of, parse
from neurobench.experiment.reload import load_learner
from neurobench.figures.style import files_of
from neurobench.report import chips
from neurobench.storage.folder import RunFolder

SMALL = ["model=hxtorch_mlp", "dataset.train=1400", "dataset.validation=50", "dataset.test=200", "device=cpu"]


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", str(tmp_path))
    monkeypatch.setattr("neurobench.models.hxtorch.spec.HXTorchMLP.figures", None)
    return tmp_path


def planned(*words: str) -> Plan:
    with composer() as compose:
        return parse(compose(words))


def run(*words: str) -> RunFolder:
    return execute(planned(*SMALL, *words), Console(quiet=True))


def result(folder: RunFolder) -> dict[str, Any]:
    finished = folder.result()
    assert finished is not None
    return finished


def test_a_run_starts_from_another_runs_checkpoint_and_names_settings_that_differ() -> None:
    source = run("name=source", "model.phases.loop.steps=0")
    assert "loop_accuracy" not in result(source)["metrics"]
    looped = run("name=looped", "backend=mock", "model.init_from=source")
    first, second = (load_learner(folder) for folder in (source, looped))
    before, after = (loaded.learner.state_dict() for loaded in (first, second))
    assert after["source"] == str(source.path)
    assert torch.equal(after["initial_weights"]["w1"], before["weights"]["w1"])
    assert [label for label in second.record.snapshots if label.startswith("end/")] == ["end/loop"]
    assert torch.equal(second.record.snapshots["end/loop"]["weights"]["w1"], after["weights"]["w1"])
    assert not torch.equal(after["weights"]["w1"], before["weights"]["w1"])
    metrics = result(looped)["metrics"]
    assert {"host_accuracy", "transfer_accuracy", "loop_accuracy", "calibrated_gain_error"} <= set(metrics)
    with pytest.raises(RunFailed, match="avg=5 in the checkpoint, 2 here"):
        run("name=other", "backend=mock", "model.init_from=source", "model.avg=2")


def test_init_from_a_name_takes_its_newest_finished_run_even_if_the_new_run_shares_the_name() -> None:
    first = run("name=same", "model.phases.loop.steps=0")
    for reference in ("same", "latest"):
        last = run("name=same", "backend=mock", f"model.init_from={reference}")
        checkpoint = last.load_checkpoint()
        assert checkpoint is not None
        assert checkpoint["learner"]["source"] == str(first.path)
        first = last


def test_each_seed_is_a_different_chip_and_all_seeds_are_one_setting() -> None:
    plans = [planned("experiment=hxtorch_yin_yang", f"seed={seed}") for seed in (0, 1)]
    assert [plan.config["backend"]["mac"]["chip_seed"] for plan in plans] == [0, 1]
    assert len({plan.config_hash for plan in plans}) == 2
    assert len({plan.setting_hash for plan in plans}) == 1


def test_the_bar_chart_over_chips_uses_the_newest_run_of_each_chip(outputs: Path) -> None:
    for seed in (0, 1, 1):
        run("name=several", "backend=mock", f"seed={seed}", f"backend.mac.chip_seed={seed + 5}")
    newest = chips.newest_of_each_chip(outputs, "several")
    assert [chip for chip, *_ in newest] == ["5", "6"]
    chips.main(["several"])
    assert (outputs / "several/chips.png").read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(Exception, match="no finished run of nothing below .*experiment=nothing"):
        chips.main(["nothing"])


@pytest.mark.parametrize("name", ["hxtorch_yin_yang", "hxtorch_yin_yang_half_lsb", "hxtorch_mnist"])
def test_an_experiment_has_as_many_updates_as_its_phases_have_steps(name: str) -> None:
    """Thus no phase is stretched."""
    plan = planned(f"experiment={name}")
    samples = 55_000 if name == "hxtorch_mnist" else plan.config["dataset"]["train"]
    steps = sum(phase["steps"] for phase in plan.config["model"]["phases"].values())
    assert steps == samples // plan.training.batch_size * plan.training.epochs
    assert samples % plan.training.batch_size == 0


def test_a_gif_figure_is_saved_unchanged(outputs: Path) -> None:
    folder = RunFolder.create(outputs, "gif", "ab" * 6, "")
    folder.save_figure("moving", files_of(b"GIF89a...", "png"))
    assert (folder.path / "figures/moving.gif").read_bytes() == b"GIF89a..."


def test_faults_of_phases_device_and_data_are_reported_together() -> None:
    words = ["model.phases.host.lr=-1", "model.num_sends=[1.5,3]", "backend.mac.gain=0", "dataset.r_small=0.3"]
    with composer() as compose:
        faults = "\n".join(faults_of(compose([*SMALL, *words])))
    for sentence in (
        "model.phases.host.lr=-1 is not in (0, 1000]",
        "model.num_sends=[1.5, 3] is not a list",
        "backend.mac.gain=0 is not in (0, 1]",
        "dataset.r_small=0.3 is not below half of r_big=0.5",
    ):
        assert sentence in faults
