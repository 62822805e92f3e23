"""A run that is stopped after it was finalized and resumed ends like an undisturbed one: a finalized learner is not
finalized again, and the state that was best by validation is not lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from neurobench.cli.main import main
from neurobench.experiment import evaluate

TINY = ["scale=smoke", "scale.train=40", "scale.test=20", "dataset.validation=20", "threads=1"]

EXACT = ["dataset=yin_yang", "model.hidden=8", "model.engine=exact"]
EXACT += ["model.optimizer=gradient_descent", "model.lr=5e-3"]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurobench.experiment.execute._Run._draw", lambda *_: None)


def run(outputs: Path, words: list[str], *options: str) -> int:
    return main(["run", *words, *TINY, f"outputs={outputs}", *options])


def folder(outputs: Path) -> Path:
    (file,) = outputs.glob("*/*/run.json")
    return file.parent


def metrics(outputs: Path) -> dict[str, Any]:
    return json.loads((folder(outputs) / "result.json").read_text())["metrics"]


def stopped_at_the_test_and_resumed(outputs: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for _ in range(2):  # a resumed run may be stopped again
        with monkeypatch.context() as patched:
            patched.setattr(evaluate, "evaluate", stop)
            assert run(outputs, words, "--resume") == 130
    assert run(outputs, words, "--resume") == 0


@pytest.mark.parametrize(
    "words",
    [
        ["model=qrbm", "model.n_hidden=8", "model.features=probability", "model.fine_tune=2"],
        ["model=eprop_rsnn", *EXACT],
    ],
    ids=["fine-tuning", "pending gradients"],
)
def test_a_run_stopped_in_its_test_and_resumed_has_the_metrics_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    assert run(tmp_path / "whole", words) == 0
    stopped_at_the_test_and_resumed(tmp_path / "stopped", words, monkeypatch)
    assert metrics(tmp_path / "stopped") == metrics(tmp_path / "whole")
    assert not (folder(tmp_path / "stopped") / "trained.pt").exists()


def test_the_best_network_is_written_by_a_run_that_is_stopped_before_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    words = ["model=slayer_snn", "model.hidden=[4]", "dataset=nmnist"]
    with monkeypatch.context() as patched:
        patched.setattr("neurobench.experiment.execute.write_exports", stop)
        assert run(tmp_path, words) == 130
    assert run(tmp_path, words, "--resume") == 0
    assert (folder(tmp_path) / "network_best.net").exists()
