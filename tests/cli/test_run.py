"""Tests of `neurobench run`, with real processes: killed runs can be resumed, repeated runs are identical."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from neurobench.metrics.catalog import printed
from neurobench.storage.store import default_outputs
from tests.cli.conftest import Neurobench, command, environment
from tests.terminal import on_a_terminal

SLOW = ("run", "model=toy", "training.epochs=4", "training.checkpoint_every=0", "model.pause=0.004")


def runs(tmp_path: Path, name: str = "toy-yin_yang-sim") -> list[Path]:
    return sorted((tmp_path / "outputs" / name).glob("*"))


def result(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


def status(folder: Path) -> str:
    return json.loads((folder / "run.json").read_text())["status"]


def start_slow(tmp_path: Path) -> tuple[subprocess.Popen, Path]:
    """Start a run; return it and its folder once it is past its first epoch, within a later one."""
    child = subprocess.Popen(
        command(*SLOW), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 240  # generous, for a machine under load
    while time.monotonic() < deadline:
        lines = [path for path in (tmp_path / "outputs").glob("*/*/metrics.jsonl") if path.read_text()]
        if lines:
            time.sleep(0.1)
            return child, lines[0].parent
        time.sleep(0.01)
    child.kill()
    raise AssertionError("no epoch ended in four minutes")


def test_a_finished_run_leaves_every_file_and_nothing_else(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "model=toy")
    assert done.returncode == 0, done.stderr
    (folder,) = runs(tmp_path)
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        "checkpoint.pt", "config.yaml", "figures", "metrics.jsonl", "predictions.npz", "result.json", "run.json",
        "run.log",
    }  # fmt: skip
    assert {path.name for path in (folder / "figures").iterdir()} == {"confusion.png", "learning_curve.png"}
    told = result(folder)
    assert told["data"]["n_train"] == 5000
    assert told["scale"] == "paper"
    with np.load(folder / "predictions.npz") as file:
        right = file["predicted"] == file["target"]
    assert told["metrics"]["test_accuracy"] == right.mean()
    assert right.mean() > told["baselines"]["majority_class"]
    theirs = binomtest(int(right.sum()), len(right)).proportion_ci(0.95, method="wilson")
    assert told["intervals"]["test_accuracy"] == pytest.approx([theirs.low, theirs.high])
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["threads"] == 1
    assert record["seeds"]["root"] == 0
    assert record["data"]["sha256"] == told["data"]["sha256"]
    assert record["versions"]["torch"]
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert printed("test_accuracy", told["metrics"]["test_accuracy"]) in done.stdout


def test_the_same_seed_gives_identical_metrics_and_another_seed_different_ones(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    for seed in (3, 3, 4):
        assert neurobench("run", "model=toy", f"seed={seed}", "name=x").returncode == 0
    first, second, other = (json.dumps(result(folder)["metrics"]) for folder in runs(tmp_path, "x"))
    assert first == second != other


def test_kill_9_and_resume_gives_the_metrics_of_an_undisturbed_run(neurobench: Neurobench, tmp_path: Path) -> None:
    child, folder = start_slow(tmp_path)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (folder / "result.json").exists()
    assert "killed" in neurobench("show", "latest").stdout
    resumed = neurobench(*SLOW, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed after" in resumed.stdout
    assert runs(tmp_path) == [folder]
    assert neurobench(*SLOW, "name=undisturbed").returncode == 0
    (undisturbed,) = runs(tmp_path, "undisturbed")
    assert json.dumps(result(folder)["metrics"]) == json.dumps(result(undisturbed)["metrics"])


def test_a_run_that_ctrl_c_stopped_can_be_resumed(neurobench: Neurobench, tmp_path: Path) -> None:
    child, folder = start_slow(tmp_path)
    child.send_signal(signal.SIGINT)
    told = child.communicate(timeout=240)[0].decode()
    assert child.returncode == 130
    assert "--resume" in told
    assert "Traceback" not in told
    assert status(folder) == "interrupted"
    assert neurobench(*SLOW, "--resume").returncode == 0
    assert status(folder) == "finished"
    again = neurobench(*SLOW, "--resume")
    assert "already finished" in again.stdout
    assert runs(tmp_path) == [folder]


def test_resume_does_not_continue_a_run_of_another_setting(neurobench: Neurobench, tmp_path: Path) -> None:
    child, folder = start_slow(tmp_path)
    child.kill()
    child.wait()
    assert neurobench("run", "model=toy", "--resume").returncode == 0
    assert len(runs(tmp_path)) == 2
    assert not (folder / "result.json").exists()


ONE = "outputs/toy-yin_yang-sim contains no run of this configuration; a new one begins"
SEVERAL = "outputs contains no run of any of these 2 configurations; new ones begin"


@pytest.mark.parametrize(
    ("verb", "resume", "seeds", "sentence"),
    [
        ("run", "--resume", "seed=1", ONE),
        ("run", "resume=true", "seed=1", ONE),
        ("run -m", "resume=true", "seed=1,2", SEVERAL),
        ("sweep", "--resume", "seed=1,2", SEVERAL),
    ],
)
def test_resume_with_nothing_to_resume_says_so_and_starts_new_runs(
    neurobench: Neurobench, verb: str, resume: str, seeds: str, sentence: str
) -> None:
    words = (*verb.split(), "model=toy", "scale=smoke", seeds, "threads=1")
    first = neurobench(*words, resume)
    assert first.returncode == 0, first.stderr
    assert f"note: nothing to resume: {sentence}\n" in first.stderr
    again = neurobench(*words, resume)
    assert again.returncode == 0, again.stderr
    assert "nothing to resume" not in again.stderr
    for unheard in (["name=x"], ["name=y", resume, "--quiet"]):
        done = neurobench(*words, *unheard)
        assert done.returncode == 0, done.stderr
        assert "nothing to resume" not in done.stderr


def test_a_sweep_with_failing_runs_finishes_the_others_and_reports_the_failures(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    done = neurobench("run", "-m", "model=toy", "seed=0,1", "model.explode_at=null,3")
    assert done.returncode == 1
    assert "2 of 4 runs finished" in done.stdout
    assert "failed: model=toy seed=0 model.explode_at=3" in done.stdout
    assert "diverged at update 3" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    finished = [folder for folder in runs(tmp_path) if (folder / "result.json").exists()]
    assert sorted(result(folder)["seed"] for folder in finished) == [0, 1]
    assert sorted(status(folder) for folder in runs(tmp_path)) == ["failed", "failed", "finished", "finished"]


def test_a_sweep_refuses_impossible_configurations_and_runs_the_rest(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "-m", "model=toy", "model.lr=0.1,-1")
    assert done.returncode == 1
    assert "refused: model=toy model.lr=-1" in done.stdout
    assert len(runs(tmp_path)) == 1
    assert neurobench("run", "-m", "model=toy", "model.lr=0,-1").returncode == 2


def test_a_sweep_without_failures_exits_with_0(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "-m", "model=toy", "seed=range(3)")
    assert done.returncode == 0, done.stderr
    assert "3 of 3 runs finished" in done.stdout


def test_a_diverged_run_is_recorded_as_failed_with_its_reason(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "model=toy", "model.explode_at=7")
    assert done.returncode == 1
    assert "diverged at update 7" in done.stderr
    assert "Traceback" not in done.stderr
    (folder,) = runs(tmp_path)
    assert status(folder) == "failed"
    assert not (folder / "result.json").exists()
    assert "Divergence" in (folder / "run.log").read_text()


def test_a_run_at_a_smaller_scale_is_marked_as_never_a_result(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "model=toy", "scale=smoke")
    assert "never a result" in done.stdout
    (folder,) = runs(tmp_path)
    assert result(folder)["data"]["n_train"] == 200
    assert result(folder)["data"]["evaluated_on"].startswith("the first 200 samples of")


def test_a_batch_larger_than_the_training_set_is_the_whole_training_set(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "model=toy", "training.batch_size=5001", "name=larger")
    assert done.returncode == 0
    words = " ".join((done.stdout + done.stderr).split())
    assert "training.batch_size=5001 is more than the 5000 training samples: an epoch is one update" in words
    neurobench("run", "model=toy", "training.batch_size=5000", "name=whole")
    larger, whole = (result(folder)["metrics"] for folder in sorted((tmp_path / "outputs").glob("*/*/")))
    assert larger == whole


def test_missing_cuda_is_refused_before_a_run_folder_is_made(neurobench: Neurobench, tmp_path: Path) -> None:
    done = neurobench("run", "model=toy", "device=cuda")
    if done.returncode == 0:
        return  # there is a GPU: nothing to refuse
    assert done.returncode == 2
    assert "device=cuda: torch finds no CUDA device here. Use device=cpu or device=auto." in done.stderr
    assert not runs(tmp_path)


def test_an_outputs_folder_that_cannot_be_made_is_refused(neurobench: Neurobench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = neurobench("run", "model=toy", "outputs=file")
    assert done.returncode == 2
    assert "cannot create the run folder" in done.stderr


def test_on_a_terminal_a_live_bar_shows_loss_accuracy_speed_and_time_left(tmp_path: Path) -> None:
    seen = on_a_terminal(command(*SLOW), environment(), tmp_path)
    for word in ("epoch 2/4", "loss", "accuracy", "samples/s", "left"):
        assert word in seen


def test_the_option_cfg_prints_the_composed_configuration(neurobench: Neurobench) -> None:
    done = neurobench("run", "model=toy", "--cfg", "job", "training.epochs=9")
    assert done.returncode == 0
    assert "epochs: 9" in done.stdout
    assert "_target_: neurobench_toy.toy.Toy" in done.stdout


def test_a_plugin_is_listed_with_the_data_sets_and_backends_that_it_runs_with(neurobench: Neurobench) -> None:
    told = json.loads(neurobench("list", "--json").stdout)
    assert "toy" in told["models"]
    cells = {(cell["model"], cell["dataset"], cell["backend"]): cell for cell in told["matrix"]}
    assert cells["toy", "yin_yang", "sim"]["runs"]
    assert cells["toy", "nmnist", "sim"]["encoders"] == ["Counts", "Flat"]
    refused = cells["hxtorch_mlp", "yin_yang", "sim_neal"]
    assert not refused["runs"]
    assert refused["why_not"].startswith("model=hxtorch_mlp needs a 'mac'; backend=sim_neal offers sampler.")
    assert len(cells) == len(told["models"]) * len(told["datasets"]) * len(told["backends"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_interrupt_a_run_with_a_message_on_how_to_resume(tmp_path: Path, number: int) -> None:
    child, folder = start_slow(tmp_path)
    child.send_signal(number)
    told, _ = child.communicate(timeout=240)
    assert child.returncode == 130
    assert b"with the same command and --resume" in told
    assert b"Traceback" not in told
    assert status(folder) == "interrupted"


def test_an_empty_neurobench_outputs_variable_counts_as_unset(
    neurobench: Neurobench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", "")
    assert neurobench("run", "model=toy", "scale=smoke").returncode == 0
    assert len(list(tmp_path.glob("outputs/toy*/2*/result.json"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert default_outputs() == Path("outputs")


def test_folder_names_may_have_any_characters_and_messages_escape_control_characters(
    neurobench: Neurobench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROBENCH_OUTPUTS", "runs, new (2)")
    done = neurobench("run", "-m", "model=toy", "scale=smoke", "seed=0")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "runs, new (2)").glob("toy*/2*/result.json"))) == 1
    refused = neurobench("validate", "name=\udcff")
    assert refused.returncode == 2
    assert r"name='\udcff' is not a plain folder name" in refused.stderr
    forged = neurobench("validate", "model=\x1b[31mqrbm")
    assert forged.returncode == 2
    assert "\x1b" not in forged.stderr
