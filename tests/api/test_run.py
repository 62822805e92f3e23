"""Promises of `neurobench.run` and `load`: runs, checks and records equal those of the command line."""

import copy
import json
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

import neurobench as nb
from neurobench.cli.main import main
from neurobench.experiment.progress import meter_for
from neurobench.metrics.catalog import printed
from neurobench.report.grouped import number


def test_run_gives_the_same_configuration_and_metrics_as_the_command_line(
    toy: nb.Run, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert main(["run", "model=toy", "scale=smoke", "seed=1", "name=typed"]) == 0
    capfd.readouterr()
    assert main(["compare", toy.name, "typed", "--json"]) == 0
    differing = json.loads(capfd.readouterr().out)
    assert (differing["config"], differing["metrics"]) == ([], [])
    assert toy.folder.record()["command"] == "neurobench run model=toy scale=smoke seed=1"
    assert toy.summary["overrides"] == ["model=toy", "scale=smoke", "seed=1"]


def test_a_run_has_the_contents_of_its_files_and_predicts_with_its_test_accuracy(toy: nb.Run) -> None:
    result = json.loads((toy.path / "result.json").read_text())
    assert toy.metrics == result["metrics"]
    assert toy.config["model"]["name"] == "toy"
    assert [row["epoch"] for row in toy.history] == [*range(1, len(toy.history) + 1)]
    assert set(toy.figures) == {path.stem for path in (toy.path / "figures").iterdir()}
    test = toy.data().test
    assert np.mean(toy.predict(test.x) == test.y.numpy()) == result["metrics"]["test_accuracy"]
    np.testing.assert_allclose(toy.scores(test.x.numpy()), toy.learner.predict(test.x).numpy())


def test_a_run_can_be_used_from_another_current_folder_and_copied_after_it_was_loaded(
    toy: nb.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = toy.data().test.x
    expected = toy.predict(x)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    again = pickle.loads(pickle.dumps(toy))
    for each in (toy, again, copy.deepcopy(toy)):
        assert each.metrics == toy.metrics
        assert [*each.figures]
        np.testing.assert_array_equal(each.predict(x), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_scores_are_float32_and_predictions_follow_those_of_the_model(toy: nb.Run, dtype: torch.dtype) -> None:
    close = torch.tensor([[1.0, 1.0 + 2.0**-40, 0.0]], dtype=dtype)
    vars(toy)["_loaded"] = SimpleNamespace(learner=SimpleNamespace(predict=lambda x: close), plan=toy.plan)
    assert toy.scores(np.zeros((1, 4))).dtype == np.float32
    assert toy.predict(np.zeros((1, 4))) == [close.argmax()]


def test_samples_are_read_from_arrays_that_are_flipped_or_cannot_be_written(toy: nb.Run) -> None:
    x = toy.data().test.x.numpy()
    locked = x.copy()
    locked.flags.writeable = False
    with warnings.catch_warnings(action="error"):
        np.testing.assert_array_equal(toy.predict(x[::-1]), toy.predict(x)[::-1])
        np.testing.assert_array_equal(toy.predict(locked), toy.predict(x))


def test_what_a_notebook_has_set_in_torch_does_not_change_a_run(toy: nb.Run) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            again = nb.run("model=toy", "scale=smoke", seed=1, progress=False)
            assert again.metrics == toy.metrics
            assert again.data().train.x.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_runs_in_several_threads_are_those_of_their_own_keys(toy: nb.Run) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = [*pool.map(lambda seed: nb.run("model=toy", "scale=smoke", seed=seed, progress=False), (1, 2))]
    assert made[0].metrics == toy.metrics
    for seed, run in zip((1, 2), made, strict=True):
        assert run.folder.record()["command"] == f"neurobench run model=toy scale=smoke seed={seed}"


def test_resume_says_if_there_is_nothing_to_resume(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for begin in (
        lambda: nb.run("model=toy", scale="smoke", resume=True),
        lambda: nb.sweep("model=toy", scale="smoke", seed=[2], resume=True, workers=1),
    ):
        begin()
        assert "outputs/toy-yin_yang-sim contains no run of this configuration" in capfd.readouterr().err
        begin()
        assert "nothing to resume" not in capfd.readouterr().err


def test_predict_takes_samples_in_the_layout_of_the_data_set_or_of_the_model(here: Path) -> None:
    run = nb.run("model=pixels_lr", "dataset=nmnist", scale="smoke", progress=False)
    recordings = nb.datasets.load("nmnist").test.head(20)
    np.testing.assert_array_equal(run.predict(recordings.x), run.predict(run.data().test.head(20).x))
    with pytest.raises(nb.UserError, match=r"takes samples of events \(2, 34, 34\) or image .* these are vector"):
        run.predict(np.zeros((3, 4)))


def test_all_faults_are_raised_at_once_before_a_run_folder_is_made(here: Path) -> None:
    with pytest.raises(nb.ConfigError) as raised:
        nb.run("model=qrmb", "training.epochs=0", seed=-1)
    assert len(raised.value.faults) == 3
    assert "Did you mean qrbm?" in str(raised.value)
    for words, keys, sentence in (
        (["seed=0,1"], {}, "seed=0,1 gives seed several values"),
        ([3], {}, "3 is not an override"),
        ([], {"seed": object()}, "is a object: a key takes numbers"),
        ([], {"config_dir": "nowhere"}, "config_dir='nowhere': there is no such folder"),
    ):
        with pytest.raises(nb.UserError, match=sentence):
            nb.run(*words, **keys)
    assert not list(here.glob("outputs/*"))


def test_a_failed_run_raises_its_error_and_is_not_loaded_as_the_latest(toy: nb.Run) -> None:
    with pytest.raises(nb.UserError, match="the run failed: "):
        nb.run("model=toy", {"model.explode_at": 3}, progress=False)
    assert nb.load().path.name == toy.path.name
    (failed,) = nb.runs(status="failed")
    with pytest.raises(nb.UserError, match="is 'failed' and has no result"):
        _ = failed.metrics
    assert "failed" in repr(failed)
    assert "failed" in failed._repr_html_()
    assert "toy on " in failed._repr_html_(), "a run that did not finish says which it was"


def test_a_run_is_found_by_path_id_and_name(toy: nb.Run) -> None:
    for reference in (toy.path, toy.name, toy.path.name[:12], toy.path.parent.name, "latest"):
        assert nb.load(reference).path.name == toy.path.name
    with pytest.raises(nb.UserError, match="there is no run 'nothing'"):
        nb.load("nothing")


def test_a_notebook_shows_a_run_with_its_figures_and_its_metrics_by_kind(toy: nb.Run) -> None:
    shown = toy._repr_html_()
    result = toy.result
    for word in ("toy on ", f"seed {result['seed']}", f"{result['epochs']} epoch", "<b>Accuracy and loss</b>"):
        assert word in shown, word
    assert shown.index("<img") < shown.index("<details"), "figures are seen, numbers are a click away"
    assert number("dense_operations", 435302400.0) == "435,302,400"
    assert number("test_accuracy", 0.5) == "50.00 %"


def test_texts_from_the_files_of_a_run_are_escaped_in_a_notebook(toy: nb.Run) -> None:
    assert "data:image/png;base64," in toy._repr_html_()
    assert printed("test_accuracy", toy.metrics["test_accuracy"]) in toy._repr_html_()
    path = toy.path / "result.json"
    changed = json.loads(path.read_text())
    changed["data"]["evaluated_on"] = changed["scale"] = "<script>alert(1)</script>"
    changed["metrics"]["<img src=x onerror=alert(1)>"] = 1.0
    changed["undefined"] = {"<b>": "<i>"}
    path.write_text(json.dumps(changed))
    named = toy.path / "figures" / "confusion.png"
    named.rename(named.with_name("<svg onload=alert(1)>.png"))
    for shown in (toy._repr_html_(), nb.runs()._repr_html_()):
        assert not any(word in shown for word in ("<script", "<img src=x", "<b>:", "<i>", "<svg"))


def test_progress_in_a_notebook_is_one_line_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    display = ModuleType("IPython.display")
    display.HTML = str  # type: ignore[attr-defined]

    def make(text: str, display_id: bool) -> Any:
        return SimpleNamespace(update=shown.append)

    display.display = make  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    meter = meter_for(Console(force_jupyter=True))
    meter.begin(2, 10, 0, 0)
    meter.batch(5, {"loss": 10.0}, 0.5)
    assert shown == ['<pre><progress value="0.0500" max="1"></progress> epoch 1/2  loss 2  10 samples/s</pre>']
    meter.batch(10, {"loss": 10.0}, 1.0)
    assert len(shown) == 1, "not faster than anybody can read"
    meter.epoch({"epoch": 1, "train_loss": 1.0, "seconds": 1.0, "samples_per_s": 10.0})
    assert "epoch 1/2  train loss 1  10 samples/s" in shown[-1]
