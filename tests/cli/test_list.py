"""Tests of `list`, `doctor` and `validate`: what can be typed, on one screen; one line if all is in order."""

import json
import re
from pathlib import Path

import pytest

from neurobench.cli import doctor
from neurobench.cli.main import main
from neurobench.config.compose import choices
from neurobench.config.descriptions import first_clause, stated_seconds
from neurobench.storage.atomic import write_json
from tests.cli.conftest import Neurobench
from tests.storage.sound import sound_result


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["list", *words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_everything_that_can_be_chosen_fits_on_sixty_lines_of_eighty_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = listed(capsys)
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    first = {line.split()[0] for line in lines if line.startswith("  ")}
    for group in ("model", "dataset", "encoder", "backend"):
        assert set(choices(group)) <= first


def test_each_line_of_a_list_has_a_description(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ("models", "datasets", "encoders", "backends", "scales", "loggers"):
        lines = [line for line in listed(capsys, group) if line.startswith("  ")]
        assert {line.split()[0] for line in lines} == set(choices(group.removesuffix("s")))
        assert all(len(line.split()) > 2 and len(line) <= 80 for line in lines), lines


def test_experiments_are_listed_by_part_of_their_name_with_their_times(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listed(capsys, "experiments", "dynex")
    assert {line.split()[0] for line in lines if line.startswith("  ")} == {
        name for name in choices("experiment") if "dynex" in name
    }
    assert any(line.split()[:3] == ["dynex_qrbm_best", "3", "min:"] for line in lines)
    (entry,) = json.loads("\n".join(listed(capsys, "experiments", "dynex_qrbm_best", "--json")))
    assert entry["seconds"] == 180


@pytest.mark.parametrize(("group", "name"), [("models", "mlp"), ("backends", "qiskit"), ("encoders", "square")])
def test_the_command_below_a_list_runs(capsys: pytest.CaptureFixture[str], group: str, name: str) -> None:
    """`neurobench run backend=qiskit` would be refused: the default model needs another device."""
    command, *rest = listed(capsys, group, name)[-1].partition("  ")[0].split()
    assert command == "neurobench"
    assert main([*rest, *(["--dry-run", "scale=smoke"] if rest[0] == "run" else [])]) == 0


def test_an_unknown_list_is_refused_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["list", "modles"])
    assert "Did you mean models?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("comment", "clause", "seconds"),
    [
        ("A small network. 98.1 %; about 3 minutes on one core", "A small network", 180),
        ("SME 0.00977 (sd 0.0007), honest; 15 s on one core", "SME 0.00977 (sd 0.0007), honest", 15),
        ("Chosen after 700 s of search; half a minute", "Chosen after 700 s of search", 30),
        ("All of it, an hour on one core", "All of it, an hour on one core", 3600),
        ("60,000 images; 13 x 13", "60,000 images", None),
    ],
)
def test_the_first_clause_and_the_stated_seconds_are_read_from_a_comment(
    comment: str, clause: str, seconds: float | None
) -> None:
    assert (first_clause(comment), stated_seconds(comment)) == (clause, seconds)


def test_the_grid_shows_which_pairs_run_and_that_of_one_model_why_others_do_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = listed(capsys, "grid")
    body = next(number for number, line in enumerate(lines) if line.startswith("cnn"))
    rows = {line.split()[0]: line.split()[1:] for line in lines[body:] if line}
    assert set(rows["mlp"]) == {"yes"}
    at = {match[0]: match.start() for line in lines[:body] for match in re.finditer(r"\S+", line)}
    assert set(choices("backend")) <= at.keys()

    def mark(model: str, backend: str) -> str:
        return rows[model][sorted(set(at.values())).index(at[backend]) - 1]

    assert mark("qrbm", "mock_qpu") == "-"  # 784 x 300 units do not fit
    assert mark("qrbm", "sim_tabu") == "yes"
    assert mark("slayer_snn", "sim_tabu") == "-"
    assert mark("slayer_snn", "mock") == "yes"
    assert max(map(len, lines)) <= 80
    told = "\n".join(listed(capsys, "grid", "slayer_snn"))
    assert "latency" in told  # an encoder, named as on the command line
    assert "Latency" not in told
    assert "needs a 'core'" in told


def test_doctor_and_validate_print_one_line_if_all_that_ships_is_in_order(neurobench: Neurobench) -> None:
    for verb in ("doctor", "validate"):
        done = neurobench(verb)
        assert done.returncode == 0, done.stdout
        assert len(done.stdout.splitlines()) == 1
        assert done.stdout.startswith("fine: ")
    assert len(neurobench("doctor", "-v").stdout.splitlines()) > 10
    checked = set(neurobench("validate", "-v").stdout.replace(",", " ").split())
    assert all(f"{group}={name}" in checked for group in ("model", "experiment") for name in choices(group))


@pytest.mark.parametrize("variable", ["NEUROBENCH_DATA", "NEUROBENCH_OUTPUTS"])
@pytest.mark.parametrize("place", ["file", "file/below"])
def test_doctor_reports_a_folder_that_cannot_be_written(
    variable: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / place
    monkeypatch.setenv(variable, str(folder))
    findings = [*doctor._outputs(), *doctor._data()]
    (fault,) = [sentence for fine, sentence in findings if not fine]
    assert f"cannot be written to {folder}: Not a directory. Set {variable}." in fault


def test_doctor_accepts_a_folder_that_does_not_exist_yet_and_does_not_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path / "new/data"))
    assert all(fine for fine, _ in doctor._data())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def past(tmp_path: Path) -> Path:
    """Folder of a run that failed with a long error before it had a seed, and one that finished."""
    error = "one thing, " * 30 + "and the last"
    for name in ("20260101-000000-aaaaaa", "20260101-000001-bbbbbb"):
        (tmp_path / "mlp-yin_yang-sim" / name).mkdir(parents=True)
    write_json(tmp_path / "mlp-yin_yang-sim/20260101-000000-aaaaaa/run.json", {"status": "failed", "error": error})
    finished = tmp_path / "mlp-yin_yang-sim/20260101-000001-bbbbbb"
    result = sound_result(0.9, seed=3, scale="smoke", setting_hash="s")
    write_json(finished / "result.json", {**result, "data": {**result["data"], "emulated": True}})
    write_json(finished / "run.json", {"status": "finished", "seeds": {"root": 3}})
    return tmp_path


def test_past_runs_fit_on_the_screen_and_a_shortened_error_ends_in_an_ellipsis(
    past: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = listed(capsys, "runs", "--outputs", str(past))
    assert max(map(len, lines)) <= 80
    _, failed, second, third, finished, *notes = lines
    assert failed.split()[1:5] == ["failed", "-", "one", "thing,"], "it has no seed"
    assert second[:40].strip() == "", "below the column"
    assert third.endswith(" ...")
    assert finished.split()[1:5] == ["finished", "3", "90.00", "%"]
    assert " ".join(notes).split()[-4:] == ["scale", "smoke", "emulated", "data"], "of a finished run nothing is cut"


LONG = "a_run_of_a_very_long_name_which_nobody_would_give_it_but_somebody_may_well_do"


@pytest.fixture
def long(past: Path) -> Path:
    (past / "mlp-yin_yang-sim/20260101-000000-aaaaaa").rename(past / "moved")
    (past / LONG).mkdir()
    (past / "moved").rename(past / LONG / "20260101-000000-aaaaaa")
    return past


@pytest.mark.parametrize("width", [80, 100])
def test_long_names_of_past_runs_are_folded_on_the_screen(
    width: int, long: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No part of a name is lost, and the id, by which a run is selected, is not broken."""
    monkeypatch.setenv("COLUMNS", str(width))
    lines = listed(capsys, "runs", LONG, "--outputs", str(long))
    assert max(map(len, lines)) <= width
    names = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
    assert "".join(names) == f"{LONG}/20260101-000000-aaaaaa"
    assert names[-1].endswith("20260101-000000-aaaaaa")


def test_long_names_of_past_runs_are_whole_in_a_pipe(
    long: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    assert f"{LONG}/20260101-000000-aaaaaa" in "\n".join(listed(capsys, "runs", "--outputs", str(long)))


def test_past_runs_are_a_line_each_in_a_pipe(
    past: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    _, failed, finished = listed(capsys, "runs", "--outputs", str(past))
    assert failed.endswith("and the last")
    assert finished.endswith("scale smoke  emulated data")
