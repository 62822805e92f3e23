"""Tests of the effect of a chip as a distribution: quantiles, best and worst, files."""

import csv
from pathlib import Path

import numpy as np

from neurobench.report.spread import Draw, markdown, spread, violins, write

TITLES = {"accuracy": "accuracy", "exact_nll": "-log P(class)"}
DRAWS = [
    Draw(chip, f"of {chip}", f"layout {k}", {"accuracy": base - k / 1000, "exact_nll": k / 10})
    for chip, base in (("fez", 0.9), ("boston", 0.95))
    for k in range(101)
]
IDEAL = Draw("none", "ideal", "-", {"accuracy": 0.97, "exact_nll": 0.1})


def test_quantiles_are_those_of_the_draws_and_the_worst_value_depends_on_the_metrics_direction() -> None:
    values = [draw.metrics["accuracy"] for draw in DRAWS[:101]]
    accuracy, loss = spread(values, "accuracy"), spread([k / 10 for k in range(101)], "exact_nll")
    assert np.allclose(accuracy.quantiles, (0.805, 0.85, 0.895))
    assert (accuracy.n, accuracy.best, accuracy.worst) == (101, 0.9, 0.8)
    assert np.allclose(loss.quantiles, (0.5, 5.0, 9.5))
    assert (loss.best, loss.worst) == (0.0, 10.0)


def test_the_table_has_a_row_for_each_chip_and_one_without_a_chip() -> None:
    head, rule, *rows = markdown(DRAWS, TITLES, "layouts", [IDEAL]).splitlines()
    assert head == "| chip |  | layouts | accuracy | -log P(class) |"
    assert rule.count("-") == 5
    assert rows[0] == "| fez | of fez | 101 | 85.00 % (80.50 % to 89.50 %), worst 80.00 % | 5 (0.5 to 9.5), worst 10 |"
    assert rows[1].startswith("| boston | of boston | 101 | 90.00 %")
    assert rows[2] == "| none | ideal | - | 97.00 % | 0.1 |"
    assert markdown(DRAWS, TITLES, "layouts", [], "weights").startswith("| weights |  | layouts |")


def test_every_draw_is_written_to_csv_unrounded_with_a_table_and_a_figure(tmp_path: Path) -> None:
    files = [*write(tmp_path / "chips", "circuits", DRAWS, "text\n", violins(DRAWS, TITLES, {"accuracy": 0.97}))]
    assert [file.name for file in files] == ["circuits.csv", "circuits.md", "circuits.png"]
    rows = [*csv.DictReader((tmp_path / "chips/circuits.csv").open())]
    assert len(rows) == 202
    assert {key: rows[3][key] for key in ("chip", "draw")} == {"chip": "fez", "draw": "layout 3"}
    assert float(rows[3]["accuracy"]) == DRAWS[3].metrics["accuracy"]
    assert files[2].read_bytes().startswith(b"\x89PNG")
