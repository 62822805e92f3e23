"""A run that is stopped after it was finalized and resumed ends like an undisturbed one: a finalized learner is not
finalized again, and the state that was best by validation is not lost."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from neurobench.cli.main import main
from neurobench.experiment import evaluate
from neurobench.experiment.execute import _Run
from neurobench.kernels.softmax import cross_entropy

DRAW = _Run._draw
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


@pytest.fixture
def alarm() -> Iterator[None]:
    """SIGALRM acts like Ctrl-C."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.signal(signal.SIGALRM, before)


def stopped_in_a_kernel(*_: object) -> NoReturn:
    x, y = np.ones((2000, 512), np.float32), np.zeros(2000, np.int64)
    cross_entropy(x, y, np.zeros((10, 512), np.float32), np.zeros(10, np.float32))  # compiled before the alarm
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    while True:
        cross_entropy(x, y, np.zeros((10, 512), np.float32), np.zeros(10, np.float32))


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("place", ["evaluate.evaluate", "drawing.figures_of"])
def test_ctrl_c_while_a_parallel_kernel_runs_interrupts_the_run_and_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """Numba reports it as a SystemError."""
    with monkeypatch.context() as patched:
        patched.setattr(_Run, "_draw", DRAW)
        patched.setattr(f"neurobench.experiment.{place}", stopped_in_a_kernel)
        assert run(tmp_path, ["model=qrbm", "model.n_hidden=8"]) == 130
    assert "Nothing is lost" in capsys.readouterr().err
    assert json.loads((folder(tmp_path) / "run.json").read_text())["status"] == "interrupted"
    assert run(tmp_path, ["model=qrbm", "model.n_hidden=8"], "--resume") == 0


@pytest.mark.usefixtures("alarm")
def test_ctrl_c_while_a_parallel_kernel_runs_stops_any_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("neurobench.cli.listing.list_command", stopped_in_a_kernel)
    assert main(["list"]) == 130
    assert capsys.readouterr().err == "neurobench list: stopped\n"
