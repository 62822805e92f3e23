"""Tests of the answer of a run: at most ten lines of 80 columns for any model, with the most wanted figures; and on
the screen before figures are drawn."""

from pathlib import Path
from typing import Any

import pytest
import torch

from neurobench.cli.main import main
from neurobench.data.dataset import Split, Splits
from neurobench.experiment.baselines import baselines
from neurobench.report.answer import answer, quantity
from neurobench.report.grouped import lines_by_group
from tests.cli.conftest import command, environment
from tests.storage.sound import sound_result
from tests.terminal import on_a_terminal

FOLDER = "outputs/eprop_rsnn-nmnist_emulated-mock_anchored/20261127-161541-16beb7"
DATA = {
    "n_test": 10_000, "evaluated_on": "emulated recordings of the first 9000 of the official MNIST test images",
    "sha256": "0" * 64, "class_counts": {"train": [10, 90], "validation": [1, 1], "test": [4, 6]},
}  # fmt: skip
# Costs of a run of each tutorial's model on its emulated chip.
COSTS: dict[str, dict[str, float]] = {
    "sampler": {"calls": 550, "reads": 55_000, "programmings": 550, "device_seconds": 1234.5, "device_joules": 3.1e7},
    "mac": {"calls": 6, "vectors": 1800, "sends": 21_600},
    "core": {},
    "learning_core": {},
    "circuit": {"calls": 35, "circuits": 140_000, "shots": 143_360_000, "device_seconds": 45.6},
}


def result(device: str, **more: Any) -> dict[str, Any]:
    return sound_result(
        0.9628,
        **{
            "data": DATA, "intervals": {"test_accuracy": [0.9589, 0.9664]}, "epochs": 10, "scale": "smoke",
            "metrics": {"test_accuracy": 0.9628, "energy_joules": 4.60381e-05},
            "baselines": {"majority_class": 0.1135, "logistic_regression": 0.9197},
            "seconds": {"train": 1.6, "finalize": 9.9, "test": 0.3}, "samples_per_s": {"train": 34_100.5},
            "device_costs": {device: COSTS[device]} if COSTS[device] else {}, "peak_rss_mb": 1,
            "warnings": ["the training diverged: its loss ended at 1.2e+09. Try a smaller learning rate."],
        } | more,
    )  # fmt: skip


@pytest.mark.parametrize("device", COSTS)
def test_the_answer_of_a_run_on_any_device_is_at_most_ten_lines_of_eighty_columns(device: str) -> None:
    lines = answer(result(device), FOLDER, "neurobench show latest")
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 90  # width of the folder's path, which must not be broken
    assert all(len(line) <= 80 for line in lines if FOLDER not in line)
    told = "\n".join(lines)
    for words in ("96.28 %", "95.89 to 96.64 %", "majority class 11.35 %", "logistic regression 91.97 %", "1.6 s"):
        assert words in told
    assert "never a result" in told
    assert lines[-1] == "next:          neurobench show latest"


def test_device_costs_are_shown_with_units_and_energy_as_an_estimate() -> None:
    told = "\n".join(answer(result("sampler"), FOLDER, "neurobench show latest"))
    assert "55,000 reads" in told
    assert "20.6 min modelled" in told
    told_by_it = result("sampler", machines={"sampler": {"device_seconds": "measured"}})
    assert "20.6 min measured" in "\n".join(answer(told_by_it, FOLDER, "neurobench show latest"))
    assert "31 MJ in total, 46 uJ per prediction: an estimate" in told
    assert "143,360,000 shots" in "\n".join(answer(result("circuit"), FOLDER, "x"))


def test_a_result_without_stored_baselines_still_shows_the_commonest_class() -> None:
    old = {key: value for key, value in result("mac").items() if key != "baselines"}
    assert "majority class 60.00 %" in "\n".join(answer(old, FOLDER, "x"))


@pytest.mark.parametrize(
    ("joules", "text"),
    [(4.60381e-05, "46 uJ"), (2.0, "2 J"), (0.25, "250 mJ"), (0.0, "0 pJ"), (0.0009996, "1 mJ"), (999.4e-6, "999 uJ")],
)
def test_joules_are_shown_with_a_suitable_si_prefix(joules: float, text: str) -> None:
    assert quantity(joules, "J") == text


def test_baselines_are_computed_on_the_test_set() -> None:
    generator = torch.Generator().manual_seed(0)

    def split(n: int, first: int) -> Split:
        x = torch.rand(n, 3, generator=generator)
        return Split(x, (x[:, 0] > 0.3).long(), torch.arange(first, first + n))

    train, test = split(2000, 0), split(500, 2000)
    made = baselines(Splits(train, split(0, 0), test, "generated", "0" * 64, "generated points"))
    assert made["majority_class"] == float((test.y == 1).double().mean())  # 70 % of both sets
    assert made["logistic_regression"] > 0.97  # one straight line separates them


def test_figures_whose_names_differ_only_in_a_number_share_one_line() -> None:
    groups = lines_by_group({"test_accuracy": 0.5, "layer1_rate": 0.1, "layer2_rate": 0.2, "effective_acs": 902_065.0})
    assert [line.value for line in groups["Accuracy and loss"]] == ["50.00 %"]
    assert [(line.name, line.text) for line in groups["Layer by layer"]] == [("layerN rate", "1: 0.1, 2: 0.2")]
    assert groups["Size and operations"][0].value == "902,065"


def test_on_a_terminal_the_answer_appears_before_figures_are_drawn(tmp_path: Path) -> None:
    plain = {key: value for key, value in environment().items() if key != "COLUMNS"}
    words = (
        "model=toy",
        "dataset=mnist",
        "scale=smoke",
    )  # takes several ticks of the spinner to read; Yin-Yang may take only one
    text = on_a_terminal(command("run", *words), plain, tmp_path)
    for phase in ("importing", "reading data", "drawing figures"):
        assert phase in text
    assert text.index("test accuracy  ") < text.index("next: ") < text.index("drawing figures")
    assert not list(tmp_path.glob("outputs/*/*/figures/.*"))


def test_every_figure_is_shown_only_by_a_verbose_run_and_by_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["run", "model=toy", "scale=smoke"]) == 0
    brief = capsys.readouterr().out
    assert "test loss" not in brief
    assert len(brief.splitlines()) <= 2 + 2 + 10  # settings and folder, a line per epoch, the answer
    assert main(["run", "model=toy", "scale=smoke", "-v"]) == 0
    assert main(["show", "latest"]) == 0
    both = capsys.readouterr().out
    assert both.count("test loss") == 2
