"""Tests of a table on the screen: short if nothing was run, with the command that runs it; bands and verdicts beside
the figures; all rows only on request."""

import json
import shlex
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.config.compose import choices
from neurobench.config.errors import FINE
from neurobench.report.published import published_tables
from neurobench.storage.atomic import write_json
from neurobench.sweeps.plan import jobs_of
from tests.report.test_table import finished

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def shown(capsys: Captured, *words: str) -> list[str]:
    assert main(list(words)) == FINE
    return capsys.readouterr().out.splitlines()


def test_without_runs_every_table_is_three_lines_with_command_and_time(tmp_path: Path, capsys: Captured) -> None:
    for name, settings in published_tables().items():
        first, command, last = shown(capsys, "table", name, "--outputs", str(tmp_path))
        assert "of one core" in first
        assert max(map(len, (first, last))) <= 80
        verb, *words = shlex.split(command)[1:]
        assert verb == "sweep"
        if name == "dynex":
            jobs = jobs_of(words)
            assert {job.overrides[0].partition("=")[2] for job in jobs} == {one.experiment for one in settings}
            assert len(jobs) == 3 * len(settings)
    assert shown(capsys, "matrix", "--outputs", str(tmp_path)) == shown(
        capsys, "table", "matrix", "--outputs", str(tmp_path)
    )


def test_rows_that_were_run_show_band_and_verdict_and_rows_not_run_are_counted(
    tmp_path: Path, capsys: Captured
) -> None:
    main(["table", "dynex", "--format", "json", "--outputs", str(tmp_path)])
    rows = json.loads(capsys.readouterr().out)
    target = next(row for row in rows if row["id"] == "test_accuracy_best")
    finished(tmp_path, "1", target["setting_hash"], 0, 0.9807, name="dynex_qrbm_best")
    path = tmp_path / "dynex_qrbm_best" / "1" / "result.json"
    write_json(path, json.loads(path.read_text()) | {"name": "dynex_qrbm_best"})
    text = shown(capsys, "table", "dynex", "--outputs", str(tmp_path))
    assert not any("have no" in line for line in text)
    told = "\n".join(text)
    assert "98.07 %" in told
    assert "in band" in told
    assert f"{len(rows) - 1} of {len(rows)} rows not run yet" in told
    assert max(map(len, text)) <= 80
    everything = "\n".join(shown(capsys, "table", "dynex", "--all", "--outputs", str(tmp_path)))
    assert everything.partition(" comparisons are")[0].count("not run") == len(rows) - 1


def test_rows_whose_runs_lack_the_figure_are_not_among_those_to_be_run(tmp_path: Path, capsys: Captured) -> None:
    """A sweep skips their runs, which have finished."""
    settings = published_tables()["dynex"]
    tutorial = next(setting for setting in settings if setting.name == "dynex_qrbm")
    lacking = dict.fromkeys(row.metric for row in tutorial.rows if row.metric != "test_accuracy")
    finished(tmp_path, "1", tutorial.setting_hashes["paper"], 0, 0.85, name="dynex_qrbm")
    text = "\n".join(shown(capsys, "table", "dynex", "--outputs", str(tmp_path)))
    assert f"the runs of experiment=dynex_qrbm have no {', '.join(lacking)} (neurobench show RUN says why)" in text
    n = sum(len(setting.rows) for setting in settings)
    assert f"{n - len(tutorial.rows)} of {n} rows not run yet" in text


def test_every_experiment_of_a_table_is_a_choice_of_experiment() -> None:
    named = {setting.experiment.split()[0] for settings in published_tables().values() for setting in settings}
    assert named <= set(choices("experiment"))
