"""Promises of the metrics by which settings may be chosen: of held-out samples, of the tested epoch, or none."""

import json
from pathlib import Path
from typing import Any

import pytest

from neurobench.config.errors import UserError
from neurobench.storage.atomic import write_json
from neurobench.storage.folder import RunFolder
from neurobench.storage.held_out import held_out_figures, judge, ranking_figure
from tests.storage.sound import sound_result

ROWS = [{"epoch": k, "train_loss": 9.0, "validation_loss": 1 / k, "validation_accuracy": k / 10} for k in (1, 2, 3)]


def run(path: Path, rows: list[dict[str, float]] = ROWS, config: str = "", **result: Any) -> RunFolder:
    write_json(path / "run.json", {"status": "finished"})
    write_json(path / "result.json", {**sound_result(0.9), **result})
    (path / "config.yaml").write_text(config)
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunFolder(path)


def figures(folder: RunFolder) -> dict[str, float]:
    result = folder.result()
    assert result is not None
    return held_out_figures(folder, result)


@pytest.mark.parametrize(
    ("best_epoch", "epoch"), [(None, 3), (1, 1), (2, 2)], ids=["the last", "the best", "the second"]
)
def test_held_out_metrics_are_those_of_the_epoch_whose_state_was_tested(
    tmp_path: Path, best_epoch: int | None, epoch: int
) -> None:
    folder = run(tmp_path, best_epoch=best_epoch)
    assert figures(folder) == {"validation_loss": 1 / epoch, "validation_accuracy": epoch / 10}


def test_a_run_that_lacks_the_row_of_the_tested_epoch_is_not_judged_by_another_epoch(tmp_path: Path) -> None:
    """After a copy that was stopped, metrics.jsonl ends with a whole line of an earlier epoch."""
    assert figures(run(tmp_path, epochs=3)) == {"validation_loss": 1 / 3, "validation_accuracy": 0.3}
    assert figures(run(tmp_path, rows=ROWS[:2], epochs=3)) == {}
    assert figures(run(tmp_path, rows=ROWS[1:], epochs=3, best_epoch=2)) == {
        "validation_loss": 1 / 2, "validation_accuracy": 0.2,
    }  # fmt: skip


def test_held_out_metrics_of_the_result_replace_those_of_an_epoch_and_exclude_test_metrics(tmp_path: Path) -> None:
    metrics = {"test_accuracy": 0.9, "exact_validation_accuracy": 0.8, "validation_accuracy": 0.7}
    told = figures(run(tmp_path, rows=ROWS[:1], metrics=metrics))
    assert told == {"validation_loss": 1.0, "validation_accuracy": 0.7, "exact_validation_accuracy": 0.8}


def test_a_readout_that_is_fitted_at_the_end_is_judged_and_not_the_epochs_before_it(tmp_path: Path) -> None:
    """A sweep over logistic regression and a network marked the network as best by the loss of unfitted weights."""
    row = {**ROWS[0], "validation_reconstruction_mse": 0.03}
    fitted = figures(run(tmp_path, rows=[row], metrics={"test_accuracy": 0.9, "readout_validation_accuracy": 0.8}))
    assert fitted == {
        "readout_validation_accuracy": 0.8, "validation_accuracy": 0.8, "validation_reconstruction_mse": 0.03,
    }  # fmt: skip
    assert ranking_figure([fitted, ROWS[1]]) == "validation_accuracy"


def test_there_are_no_held_out_metrics_without_validation_samples_or_if_they_are_tested(tmp_path: Path) -> None:
    data = sound_result(0.9)["data"]
    for name, result, config in (
        ("none", {"data": {**data, "n_validation": 0}}, ""),
        ("tested", {"data": {**data, "validation_is_tested": True}}, ""),
        ("earlier", {}, "dataset:\n  test_as_validation: true\n"),
    ):
        (tmp_path / name).mkdir()
        assert figures(run(tmp_path / name, config=config, **result)) == {}, name
    (tmp_path / "said").mkdir()
    plain = run(tmp_path / "said", config="test_as_validation: true", data={**data, "validation_is_tested": False})
    assert figures(plain), "what the result says counts before the configuration's text"
    (tmp_path / "one").mkdir()
    assert figures(run(tmp_path / "one", data={**data, "n_validation": 1}))


def test_without_rows_of_epochs_held_out_metrics_come_from_the_result_alone(tmp_path: Path) -> None:
    for name, rows, best_epoch in (("no epoch", [], None), ("none", [], 2), ("fewer than the best", ROWS[:1], 2)):
        (tmp_path / name).mkdir()
        assert figures(run(tmp_path / name, rows=rows, best_epoch=best_epoch)) == {}
    (tmp_path / "damaged").mkdir()
    folder = run(tmp_path / "damaged", metrics={"test_accuracy": 0.9, "validation_accuracy": 0.5})
    (folder.path / "metrics.jsonl").write_text("{")
    assert figures(folder) == {"validation_accuracy": 0.5}
    (tmp_path / "no configuration").mkdir()
    bare = run(tmp_path / "no configuration")
    (bare.path / "config.yaml").unlink()
    assert figures(bare)


def test_the_ranking_metric_is_the_first_that_all_runs_have() -> None:
    readout, loss = {"readout_validation_accuracy": 0.5, "validation_loss": 1.0}, {"validation_loss": 2.0}
    assert ranking_figure([readout, readout]) == "readout_validation_accuracy"
    assert ranking_figure([readout, loss]) == "validation_loss"
    assert ranking_figure([readout, {}]) is None
    assert ranking_figure([readout, loss], ["readout_validation_accuracy"]) is None


def test_judge_returns_a_held_out_metric_and_refuses_a_test_metric(tmp_path: Path) -> None:
    folder = run(tmp_path)
    assert judge(folder, "validation_loss") == 1 / 3
    with pytest.raises(UserError, match="figure=test_accuracy is not a figure of this run; it has validation_loss, v"):
        judge(folder, "test_accuracy")
