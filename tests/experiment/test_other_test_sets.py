"""Further test sets of a data set, such as real recordings beside emulated ones: each adds its accuracy, and
nothing else of the run is affected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import neurobench as nb
from neurobench.data.dataset import Split, Splits
from neurobench.experiment import execute
from neurobench.experiment.plan import Plan
from neurobench.metrics.statistics import wilson_interval


def test_a_further_test_set_adds_its_accuracy_and_changes_no_other_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are 40 recorded samples, which the model predicts as in the test set; 10 are labelled differently."""
    words = ("model=toy", "scale=smoke", f"outputs={tmp_path}")
    alone = nb.run(*words, progress=False)
    with np.load(alone.path / "predictions.npz") as file:
        predicted = torch.from_numpy(file["predicted"][:40]).long()
    labels = torch.where(torch.arange(40) < 10, (predicted + 1) % 3, predicted)
    original = execute.load_splits

    def with_recorded(plan: Plan) -> Splits:
        splits = original(plan)
        return replace(splits, others={"recorded": Split(splits.test.x[:40], labels, torch.arange(40))})

    monkeypatch.setattr(execute, "load_splits", with_recorded)
    run = nb.run(*words, progress=False)
    assert run.metrics["recorded_accuracy"] == 0.75
    assert run.result["intervals"]["recorded_accuracy"] == pytest.approx(wilson_interval(30, 40))
    assert run.result["data"]["n_recorded"] == 40
    others = {name: value for name, value in run.metrics.items() if name != "recorded_accuracy"}
    assert others == alone.metrics, "above all test_accuracy is that of the test set"
    assert "recorded_accuracy" not in alone.metrics


def test_limiting_the_test_set_also_limits_further_test_sets() -> None:
    split = Split(torch.zeros(9, 2), torch.zeros(9).long(), torch.arange(9))
    whole = Splits(split, split, split, "", "", "all", others={"recorded": split})
    limited = whole.limited(train=5, test=4)
    sizes = [len(each) for each in (limited.train, limited.validation, limited.test, limited.others["recorded"])]
    assert sizes == [5, 5, 4, 4]
    assert limited.evaluated_on == "the first 4 samples of all"
    assert whole.limited(train=None, test=9).evaluated_on == "all"
