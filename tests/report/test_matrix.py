"""Tests of the cells of the matrix: judged by their line at any scale, labelled if their data are emulated."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from neurobench.cli.main import main
from neurobench.config.compose import choices, composer
from neurobench.config.errors import FINE
from neurobench.config.schema import Row
from neurobench.experiment.plan import parse
from neurobench.report.formats import MATRIX_COLUMNS, matrix_cells, verdict
from neurobench.report.table import ResultRow

ROW = Row("a_b_sim", "A on B", "test_accuracy", None, "own", [0.9, None], "of B")


def filled(accuracy: float, **more: Any) -> ResultRow:
    result = {
        "metrics": {"test_accuracy": accuracy, "effective_acs": 12345.0, "effective_macs": 0.0},
        "intervals": {"test_accuracy": [accuracy - 0.01, accuracy + 0.01]},
        "seconds": {"train": 10.0, "settle": 2.0, "test": 1.0},
        "device_costs": {"sampler": {"calls": 3, "device_seconds": 0.5}},
        "data": {"evaluated_on": "the test set", "emulated": False},
        "undefined": {},
        **more,
    }
    return ResultRow(ROW, "matrix_a_b_sim", (result,), "quick", "0" * 12)


@pytest.mark.parametrize(("accuracy", "word"), [(0.9, "held"), (0.95, "held"), (0.8999, "BELOW")])
def test_a_cell_is_judged_by_its_target_accuracy_even_at_quick_scale(accuracy: float, word: str) -> None:
    assert verdict(filled(accuracy)) == word


def test_a_cell_shows_accuracy_times_operations_and_device_costs() -> None:
    told = matrix_cells(filled(0.95))
    named = dict(zip(MATRIX_COLUMNS, told, strict=True))
    assert (named["accuracy"], named["95 % interval"], named["line"]) == ("95.0%", "94.0% to 96.0%", "90%")
    assert (named["train"], named["in all"], named["scale"]) == ("12 s", "13 s", "quick")
    assert named["operations a sample"] == "1.23e+04 ACS"
    assert named["device"] == "sampler: 3 calls, 0.5 device seconds"


def test_both_times_of_a_cell_are_means_over_its_seeds() -> None:
    """The time to train was that of the last seed, and could exceed the time in all."""
    (one,) = filled(0.95).runs
    runs = ({**one, "seed": 0}, {**one, "seed": 1, "seconds": {"train": 100.0, "finalize": 4.0, "test": 3.0}})
    named = dict(zip(MATRIX_COLUMNS, matrix_cells(replace(filled(0.95), runs=runs)), strict=True))
    assert (named["train"], named["in all"]) == ("58 s", "60 s")


def test_emulated_data_undefined_metrics_and_cells_without_runs_are_labelled() -> None:
    emulated = filled(
        0.95,
        data={"evaluated_on": "the test set", "emulated": True},
        metrics={"test_accuracy": 0.95},
        undefined={"effective_macs": "a circuit has none"},
    )
    told = matrix_cells(emulated)
    assert told[-1] == "emulated data; the test set"
    assert "a circuit has none" in told
    nothing = replace(filled(0.9), runs=(), scale=None)
    assert verdict(nothing) == "not run"
    assert len(matrix_cells(nothing)) == len(MATRIX_COLUMNS)


def test_all_thirty_cells_of_the_matrix_exist_and_are_valid() -> None:
    names = [name for name in choices("experiment") if name.startswith("matrix_")]
    assert len(names) == 15
    with composer() as compose:
        for name, backend in product(names, ("sim", "mock")):
            config = compose([f"experiment={name}", f"backend={backend}", "scale=quick"])
            assert parse(config).run.name == f"{name}_{backend}"
            data = name.split("_", 2)[2]
            line = {"mnist": 0.90, "yin_yang": 0.85, "nmnist": 0.80}[data]
            (row,) = config.table.rows
            assert (row.id, row.band, row.backend) == (config.name, [line, None], backend)
            assert row.dataset == {"mnist": "MNIST", "yin_yang": "Yin-Yang", "nmnist": "emulated N-MNIST"}[data]


def test_the_backend_sets_shift_epochs_and_pooling_of_eprop_on_nmnist() -> None:
    with composer() as compose:
        sim, mock = (compose(["experiment=matrix_eprop_nmnist", f"backend={name}"]) for name in ("sim", "mock"))
        assert (sim.model.shift, mock.model.shift) == (2, 0)
        assert (sim.training.epochs, mock.training.epochs) == (5, 2)
        assert (sim.backend.learning_core.pool, mock.backend.learning_core.pool) == ("none", "11x11x2")


def test_the_lines_of_the_csv_end_as_those_of_other_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", "--format", "csv", "--outputs", str(tmp_path)]) == FINE
    written = capsys.readouterr().out
    assert written.count("\n") == 31
    assert "\r" not in written


def test_a_scale_of_the_users_own_can_be_selected_and_a_typo_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The matrix showed the runs at such a scale, but `--scale` refused it."""
    (tmp_path / "own" / "scale").mkdir(parents=True)
    (tmp_path / "own" / "scale" / "tiny.yaml").write_text("name: tiny\nepochs: 1\ntrain: 200\ntest: 200\n")
    words = ["matrix", "--format", "csv", "--outputs", str(tmp_path), "--config-dir", str(tmp_path / "own"), "--scale"]
    assert main([*words, "tiny"]) == FINE
    assert capsys.readouterr().out.count("not run") == 30
    with pytest.raises(SystemExit):
        main([*words, "tiney"])
    assert "--scale tiney: there is no such scale; there is paper, quick, smoke, tiny. Did you mean tiny?" in (
        capsys.readouterr().err
    )


def test_the_command_for_cells_that_were_not_run_runs_them_at_the_selected_scale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It had run them at full scale, an hour after which they were still not run at that scale."""
    for options, scale in (([], ""), (["--scale", "paper"], ""), (["--scale", "quick"], " scale=quick")):
        assert main(["matrix", *options, "--outputs", str(tmp_path)]) == FINE
        shown = capsys.readouterr().out
        assert f" 'experiment=glob(matrix_*)' backend=sim,mock{scale} seed=" in shown
        assert ("of one core per seed" in shown) == (scale == ""), "times are those of full scale"
