"""Promises of measured joules: the counters' values for each phase, or a reason if there are no counters."""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from neurobench.cli.main import main
from neurobench.config.errors import BAD_USAGE, UserError
from neurobench.experiment import evaluate, host_energy
from neurobench.experiment.host_energy import RESUMED, HostEnergy
from neurobench.experiment.reload import load_learner, stored_plan
from neurobench.storage.folder import RunFolder


class Monitor:
    """Stand-in for Zeus's monitor: the processor takes 3 J, memory 0.5 J and GPU 2 J whatever is done."""

    cpu_indices = (0,)
    gpu_indices = (0,)
    open: ClassVar[list[str]] = []

    def begin_window(self, name: str) -> None:
        self.open.append(name)

    def end_window(self, name: str) -> SimpleNamespace:
        assert self.open.pop() == name
        return SimpleNamespace(gpu_energy={0: 2.0}, cpu_energy={0: 3.0}, dram_energy={0: 0.5})


class Blind(Monitor):
    cpu_indices = ()
    gpu_indices = ()


@pytest.fixture
def zeus(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    module = SimpleNamespace(ZeusMonitor=Monitor)
    monkeypatch.setitem(sys.modules, "zeus", SimpleNamespace(monitor=module, __spec__=ModuleSpec("zeus", None)))
    monkeypatch.setitem(sys.modules, "zeus.monitor", module)
    return module


def test_joules_of_a_phase_are_the_sum_over_all_counters(zeus: SimpleNamespace) -> None:
    host = HostEnergy(enabled=True)
    with host.measured("train"):
        pass
    assert host.joules == {"host_train_joules": 5.5}
    host.forget("train", "resumed")
    host.forget("test", "was not measured")
    assert (host.joules, host.undefined) == ({}, {"host_train_joules": "resumed"})


def test_an_exception_ends_the_measurement_window(zeus: SimpleNamespace) -> None:
    with pytest.raises(ZeroDivisionError), HostEnergy(enabled=True).measured("train"):
        raise ZeroDivisionError
    assert Monitor.open == []


def test_without_readable_counters_joules_are_undefined_with_a_reason(zeus: SimpleNamespace) -> None:
    zeus.ZeusMonitor = Blind
    host = HostEnergy(enabled=True)
    with host.measured("test"):
        pass
    assert host.joules == {}
    assert "no readable energy counter" in host.undefined["host_test_joules"]


def test_host_energy_without_its_extra_is_refused_and_needs_no_extra_if_disabled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "zeus.monitor", None)
    with pytest.raises(UserError, match=r"host_energy=true.*energy"):
        HostEnergy(enabled=True)
    host = HostEnergy(enabled=False)
    with host.measured("train"):
        pass
    assert (host.joules, host.undefined) == ({}, {})


def test_validate_and_run_refuse_host_energy_without_its_extra_before_a_folder_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host_energy, "is_installed", lambda module: False)
    for verb in ("validate", "run"):
        assert main([verb, "model=pixels_lr", "host_energy=true", f"outputs={tmp_path}/outputs"]) == BAD_USAGE
        assert "host_energy=true needs zeus, which is not installed" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_measured_run_can_be_loaded_but_not_repeated_without_the_extra(
    zeus: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main(["run", "model=pixels_lr", "scale=smoke", f"outputs={tmp_path}", "host_energy=true"]) == 0
    (result,) = tmp_path.glob("*/*/result.json")
    folder = RunFolder(result.parent)
    monkeypatch.setattr(host_energy, "is_installed", lambda module: False)
    assert load_learner(folder).plan.config_hash == folder.result()["config_hash"]  # type: ignore[index]
    with pytest.raises(UserError, match="needs zeus"):
        stored_plan(folder)


def test_a_repeated_run_with_other_measured_joules_is_the_same(
    zeus: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host_energy, "is_installed", lambda module: True)
    assert main(["run", "model=pixels_lr", "scale=smoke", f"outputs={tmp_path}", "host_energy=true"]) == 0

    class Warmer(Monitor):
        def end_window(self, name: str) -> SimpleNamespace:
            return SimpleNamespace(**{**vars(super().end_window(name)), "cpu_energy": {0: 4.0}})

    zeus.ZeusMonitor = Warmer
    assert main(["rerun", "latest", "--outputs", str(tmp_path)]) == 0
    assert "the same: all " in capsys.readouterr().out


def test_a_run_records_joules_of_each_phase_under_the_same_config_hash(zeus: SimpleNamespace, tmp_path: Path) -> None:
    words = ["run", "model=pixels_lr", "scale=smoke", f"outputs={tmp_path}", "figures=png"]
    assert main([*words, "host_energy=true"]) == 0
    assert main(words) == 0
    results = [json.loads(file.read_text()) for file in sorted(tmp_path.glob("*/*/result.json"))]
    told = [{k: v for k, v in each["metrics"].items() if k.startswith("host_")} for each in results]
    assert sorted(told, key=len) == [{}, {f"host_{phase}_joules": 5.5 for phase in ("train", "finalize", "test")}]
    assert len({each["config_hash"] for each in results}) == 1


def test_joules_of_training_are_undefined_if_an_earlier_session_trained(
    zeus: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Stopped in the test phase: the session that resumes trains no epoch, and would report its 5.5 J as all of it."""
    words = ["run", "model=pixels_lr", "scale=smoke", f"outputs={tmp_path}", "figures=png", "host_energy=true"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "evaluate", stop)
        assert main(words) == 130
    assert main([*words, "--resume"]) == 0
    (file,) = tmp_path.glob("*/*/result.json")
    result = json.loads(file.read_text())
    assert "host_train_joules" not in result["metrics"]
    assert result["undefined"]["host_train_joules"] == RESUMED
    assert result["metrics"]["host_test_joules"] == 5.5
