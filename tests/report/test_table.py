"""Tests of the tables: only the declared setting at full scale can pass, and a row out of its band is reported."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from neurobench.cli.main import main
from neurobench.config.errors import FINE, OUT_OF_BAND
from neurobench.config.evidence import Relation
from neurobench.config.schema import Row
from neurobench.experiment import trackers
from neurobench.report import published as published
from neurobench.report.formats import as_csv, as_latex, as_markdown
from neurobench.report.overview import how_to_run
from neurobench.report.published import Published
from neurobench.report.table import ResultRow, join
from neurobench.storage.atomic import write_json
from tests.cli.conftest import environment
from tests.storage.sound import sound_result

ROW = Row(
    id="accuracy",
    what="accuracy, 100 % of_it | all",
    metric="test_accuracy",
    published=0.97,
    source="a paper",
    band=[0.95, 0.96],
    means="on the test set",
)
TUTORIAL = Published("tutorial", "tutorial", {"paper": "p" * 12, "quick": "q" * 12, "smoke": "s" * 12}, (ROW,))


def finished(outputs: Path, stem: str, setting: str, seed: int, accuracy: float, name: str = "tutorial") -> None:
    folder = outputs / name / stem
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"status": "finished"})
    told = sound_result(accuracy, name=name, seed=seed, setting_hash=setting)
    write_json(folder / "result.json", told)


def test_a_row_without_runs_has_the_verdict_not_run(tmp_path: Path) -> None:
    (row,) = join([TUTORIAL], tmp_path)
    assert (row.verdict, row.mean, row.measured) == ("not run", None, ())


@pytest.mark.parametrize(
    ("accuracy", "verdict"), [(0.95, "in band"), (0.96, "in band"), (0.9499, "OUT"), (0.9601, "OUT")]
)
def test_the_ends_of_a_band_belong_to_the_band(tmp_path: Path, accuracy: float, verdict: str) -> None:
    finished(tmp_path, "1", "p" * 12, 0, accuracy)
    assert join([TUTORIAL], tmp_path)[0].verdict == verdict


def test_the_mean_of_equal_figures_at_the_end_of_a_band_belongs_to_it(tmp_path: Path) -> None:
    """A mean in floating point may lie a last digit beside them: three times 0.95 once were OUT of 0.95 to 0.96."""
    for seed in range(3):
        finished(tmp_path, str(seed), "p" * 12, seed, 0.95)
    assert join([TUTORIAL], tmp_path)[0].verdict == "in band"
    for low in (k / 1000 for k in range(1, 1000)):
        row = ResultRow(replace(ROW, band=[low, low]), "e", tuple(run(low, seed) for seed in range(3)), "paper", "h")
        assert row.verdict == "in band"


def run(accuracy: float, seed: int) -> dict[str, Any]:
    return {"metrics": {"test_accuracy": accuracy}, "seed": seed, "data": {}}


@pytest.mark.parametrize(("scale", "verdict"), [("paper", "equal"), ("smoke", "undecided")])
def test_a_row_is_compared_only_with_runs_of_the_same_scale(tmp_path: Path, scale: str, verdict: str) -> None:
    """A row at paper scale was once OUT because the row that it should equal had only been tried at scale=smoke."""
    related = replace(ROW, id="other", band=[None, None], relation=Relation("accuracy", "equal"))
    other = Published("other", "other", {"paper": "x" * 12}, (related,))
    finished(tmp_path, "1", "x" * 12, 0, 0.95, name="other")
    finished(tmp_path, "2", TUTORIAL.setting_hashes[scale], 0, 0.95 if scale == "paper" else 0.4)
    assert join([TUTORIAL, other], tmp_path)[1].verdict == verdict


def test_a_band_without_an_end_is_unlimited_on_that_side(tmp_path: Path) -> None:
    finished(tmp_path, "1", "p" * 12, 0, 0.99)
    for band, verdict in (([0.95, None], "in band"), ([None, 0.95], "OUT"), ([None, None], "reported")):
        row = Row(**{**ROW.__dict__, "band": band})
        declared = Published("tutorial", "tutorial", TUTORIAL.setting_hashes, (row,))
        assert join([declared], tmp_path)[0].verdict == verdict


def test_seeds_are_averaged_and_the_newest_run_of_each_seed_counts(tmp_path: Path) -> None:
    finished(tmp_path, "1", "p" * 12, 0, 0.10)
    finished(tmp_path, "2", "p" * 12, 0, 0.95)
    finished(tmp_path, "3", "p" * 12, 1, 0.96)
    (row,) = join([TUTORIAL], tmp_path)
    assert row.measured == (0.95, 0.96)
    assert row.mean == pytest.approx(0.955)
    assert row.verdict == "in band"


def test_a_smaller_scale_never_passes(tmp_path: Path) -> None:
    finished(tmp_path, "1", "s" * 12, 0, 0.955)
    (row,) = join([TUTORIAL], tmp_path)
    assert (row.verdict, row.scale) == ("SMOKE", "smoke")


def test_runs_at_the_largest_scale_count_unless_a_scale_is_requested(tmp_path: Path) -> None:
    finished(tmp_path, "a", TUTORIAL.setting_hashes["smoke"], 0, 0.5)
    finished(tmp_path, "b", TUTORIAL.setting_hashes["paper"], 0, 0.9)
    for scale, mean in ((None, 0.9), ("paper", 0.9), ("smoke", 0.5)):
        (row,) = join([TUTORIAL], tmp_path, scale=scale)
        assert (row.mean, row.scale) == (mean, scale or "paper")


def test_a_run_of_another_setting_does_not_count_even_under_the_same_name(tmp_path: Path) -> None:
    finished(tmp_path, "1", "x" * 12, 0, 0.955)
    assert join([TUTORIAL], tmp_path)[0].verdict == "not run"


def test_a_metric_that_no_run_has_has_no_mean(tmp_path: Path) -> None:
    finished(tmp_path, "1", "p" * 12, 0, 0.955)
    row = Row(**{**ROW.__dict__, "metric": "effective_macs"})
    declared = Published("tutorial", "tutorial", TUTORIAL.setting_hashes, (row,))
    assert join([declared], tmp_path)[0].mean is None


def test_markdown_csv_and_latex_escape_characters_that_would_break_them(tmp_path: Path) -> None:
    finished(tmp_path, "1", "p" * 12, 0, 0.955)
    rows = join([TUTORIAL], tmp_path)
    lines = as_markdown(rows).splitlines()
    assert len(lines) == 3
    assert r"100 % of_it \| all" in lines[2]
    (parsed,) = csv.DictReader(io.StringIO(as_csv(rows)))
    assert parsed["figure"] == ROW.what
    assert parsed["verdict"] == "in band"
    assert r"100 \% of\_it" in as_latex(rows)


def test_a_text_of_several_lines_stays_in_its_cell_of_a_markdown_table(tmp_path: Path) -> None:
    """YAML ends a folded text (`what: >`) with a line break, which ended the row of the table."""
    text = yaml.safe_load("what: >\n  good\n  model\nmeans: |\n  one\n\n  two\n")
    origin = {"basis": "declared", "commit": "a95273c", "note": "early\nenough\n"}
    row = replace(ROW, **text, source="a\npaper\n", band_from=origin)
    lines = as_markdown(join([replace(TUTORIAL, rows=(row,))], tmp_path)).splitlines()
    assert len(lines) == 3
    cells = [cell.strip() for cell in lines[2].split("|")]
    for cell in ("good model", "one two", "a paper", "declared before, a95273c; early enough"):
        assert cell in cells


def test_table_exits_with_3_if_a_row_is_outside_its_band(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "dynex", "--format", "json", "--outputs", str(tmp_path)]) == FINE
    rows = json.loads(capsys.readouterr().out)
    assert next(row for row in rows if row["id"] == "sme")["published"] == 0.009717
    target = next(row for row in rows if row["id"] == "lr_150_pixels_fit_and_scored")
    assert target["verdict"] == "not run"
    finished(tmp_path, "1", target["setting_hash"], 0, 0.5, name="dynex_qrbm")
    path = tmp_path / "dynex_qrbm" / "1" / "result.json"
    write_json(path, {**json.loads(path.read_text()), "metrics": {"test_accuracy": 0.5, target["metric"]: 0.5}})
    assert main(["table", "dynex", "--outputs", str(tmp_path)]) == OUT_OF_BAND
    assert "OUT" in capsys.readouterr().out


def test_several_seeds_have_students_interval_and_a_single_run_the_one_over_its_samples(tmp_path: Path) -> None:
    for seed, accuracy in enumerate((0.95, 0.96, 0.97)):
        finished(tmp_path, str(seed), "p" * 12, seed, accuracy)
    (row,) = join([TUTORIAL], tmp_path)
    assert row.interval == pytest.approx((0.96 - 4.30265 * 0.01 / 3**0.5, 0.96 + 4.30265 * 0.01 / 3**0.5), rel=1e-5)
    assert row.difference == pytest.approx(-0.01)
    finished(tmp_path / "one", "1", "p" * 12, 0, 0.955)
    path = tmp_path / "one" / "tutorial" / "1" / "result.json"
    write_json(path, {**json.loads(path.read_text()), "intervals": {"test_accuracy": [0.9, 0.99]}})
    assert join([TUTORIAL], tmp_path / "one")[0].interval == (0.9, 0.99)


def test_emulated_data_never_pass(tmp_path: Path) -> None:
    finished(tmp_path, "1", "p" * 12, 0, 0.955)
    path = tmp_path / "tutorial" / "1" / "result.json"
    told = json.loads(path.read_text())
    write_json(path, {**told, "data": {**told["data"], "emulated": True}})
    assert join([TUTORIAL], tmp_path)[0].verdict == "SMOKE"
    for band, verdict in (([0.95, None], "EMULATED"), ([None, None], "EMULATED"), ([0.96, None], "OUT")):
        own = replace(TUTORIAL, rows=(replace(ROW, published=None, band=band),))
        assert join([own], tmp_path)[0].verdict == verdict


def test_a_row_shows_its_data_commit_and_wall_time(tmp_path: Path) -> None:
    finished(tmp_path, "1", "p" * 12, 0, 0.955)
    folder = tmp_path / "tutorial" / "1"
    told = json.loads((folder / "result.json").read_text())
    data = {**told["data"], "source": "bundled", "n_train": 6, "n_validation": 1, "n_test": 3}
    write_json(folder / "result.json", {**told, "data": data, "seconds": {"train": 2.0, "test": 0.5}})
    write_json(folder / "run.json", {"status": "finished", "commit": "0123456789abcdef+changes"})
    (row,) = join([TUTORIAL], tmp_path)
    assert (row.data, row.commits, row.wall_seconds) == ("bundled, 6 + 1 + 3", ("0123456+",), 2.5)
    (parsed,) = csv.DictReader(io.StringIO(as_csv([row])))
    assert parsed["configuration"] == "p" * 12


@pytest.fixture
def one_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Restrict tables to one shipped experiment; return the cache folder, not yet made."""
    monkeypatch.setenv("NEUROBENCH_CACHE", str(tmp_path / "cache"))
    few = {"scale": ["paper"], "experiment": ["dynex_qrbm"]}
    monkeypatch.setattr(published, "choices", lambda group, config_dir: few[group])
    return tmp_path / "cache"


def test_an_empty_neurobench_cache_variable_counts_as_unset(
    one_experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = one_experiment.parent
    monkeypatch.chdir(here)
    monkeypatch.setenv("NEUROBENCH_CACHE", "")
    monkeypatch.setattr(published, "user_cache", lambda: here / "users")
    published.published_tables()
    assert [path.name for path in here.iterdir()] == ["users"]


def test_published_tables_are_cached_until_a_yaml_file_changes(
    one_experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = published.published_tables()
    monkeypatch.setattr(published, "compose_tables", lambda compose, config_dir: ({}, True))
    assert published.published_tables() == fresh
    assert [entry.experiment for entry in fresh["dynex"]] == ["dynex_qrbm"]
    original = published._stamp
    monkeypatch.setattr(published, "_stamp", lambda config_dir: "another")
    assert published.published_tables() == {}
    monkeypatch.setattr(published, "_stamp", original)
    assert published.published_tables() == fresh, "of two installations each keeps its own"


@pytest.mark.parametrize("tables", ["[1]", "3", '{"dynex": [3]}', '{"dynex": [{}]}', '{"dynex": 3}', "no JSON"])
def test_a_damaged_cache_is_written_anew(one_experiment: Path, tables: str) -> None:
    fresh = published.published_tables()
    (cache,) = one_experiment.glob("tables-*.json")
    written = cache.read_text()
    head = written[: written.index('"tables"')]
    cache.write_text(f'{head}"tables": {tables}}}')
    assert published.published_tables() == fresh
    assert cache.read_text() == written


def test_published_tables_are_cached_until_code_changes(
    one_experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "spec.py"
    monkeypatch.setattr(published, "_code", lambda: [str(code)])
    code.write_text("old = 1")
    os.utime(code, (1, 1))  # as installers do
    fresh = published.published_tables()
    assert not one_experiment.exists(), "what was imported is not what the file says now"
    monkeypatch.setattr(published, "BEGAN", time.time() + 1)
    assert published.published_tables() == fresh
    monkeypatch.setattr(published, "compose_tables", lambda compose, config_dir: ({}, True))
    assert published.published_tables() == fresh
    code.write_text("new = 2")
    assert published.published_tables() == {}


def test_a_yaml_file_that_changes_while_tables_are_composed_leaves_no_cache(
    one_experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamps = iter("ab")
    monkeypatch.setattr(published, "_stamp", lambda config_dir: next(stamps))
    assert published.published_tables()
    assert not one_experiment.exists()


def test_the_validity_of_the_cache_depends_on_every_yaml_file_and_all_imported_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "conf"
    shutil.copytree(Path(__file__).parents[2] / "conf", place)
    monkeypatch.setattr(published, "config_places", lambda config_dir: [place])
    stamps = [published._stamp(None)]
    for name in ("config", "experiment/dynex_qrbm", "model/qrbm", "matrix/qrbm", "table/matrix", "scale/paper"):
        with (place / f"{name}.yaml").open("a") as file:
            file.write("# more\n")
        stamps.append(published._stamp(None))
    assert len(set(stamps)) == 7
    room = Path(published.__file__).parents[1]
    files = ("experiment/plan.py", "config/sections.py", "config/defaults.py", "report/published.py", "config/spec.py")
    assert {str(room / file) for file in files} <= set(published._code())


def test_the_command_that_repeats_a_row_names_the_users_config_folder(one_experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for config_dir, options in ((None, ""), (str(tmp_path / "own"), f" --config-dir={tmp_path}/own")):
        for settings in published.published_tables(config_dir).values():
            rows = join(settings, tmp_path / "outputs")
            assert {row.again.partition(" experiment=")[0] for row in rows} == {f"neurobench sweep{options}"}
            assert how_to_run(rows).startswith(f"neurobench sweep{options} experiment=")


OWN_TABLE = """# @package _global_
defaults: [{override /model: mine}]
name: mine
table:
  name: own
  rows:
    - {id: a, what: a, metric: test_accuracy, published: null, source: "", band: [null, null], means: a}
"""
TABLES_OF_MINE = """
from neurobench.report import published
few = {"scale": ["paper"], "experiment": ["mine"]}
published.choices = lambda group, config_dir: few[group]
print(*published.published_tables("."))
"""


def test_a_cache_is_valid_only_for_the_allowed_code_and_never_lacks_an_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "model", "mine"]) == FINE
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(OWN_TABLE)
    cache = tmp_path / "cache"

    def tables(allowed: str) -> str:
        env = {**environment(), "NEUROBENCH_CACHE": str(cache), "NEUROBENCH_ALLOW": allowed}
        words = [sys.executable, "-c", TABLES_OF_MINE]
        return subprocess.run(words, cwd=tmp_path, env=env, check=True, capture_output=True, text=True).stdout.strip()

    code = (tmp_path / "mine.py").read_text()
    (tmp_path / "mine.py").write_text("a fault of syntax")
    assert tables("mine") == ""
    assert not cache.exists(), "what is lacking is said again"
    (tmp_path / "mine.py").write_text(code)
    assert tables("mine") == "own"
    assert cache.exists()
    assert tables("") == ""


def test_code_that_changes_after_its_import_leaves_no_cache(one_experiment: Path, tmp_path: Path) -> None:
    script = """
import pathlib, sys, time
import mine
pathlib.Path(mine.__file__).write_text("b = 2")
time.sleep(0.1)
from neurobench.report import published
published._code = lambda: [mine.__file__]
published.choices = lambda group, config_dir: {"scale": ["paper"], "experiment": ["dynex_qrbm"]}[group]
print(*published.published_tables())
"""
    (tmp_path / "mine.py").write_text("import neurobench\n")
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "dynex"
    assert not one_experiment.exists()


@pytest.mark.parametrize(
    ("table", "names"),
    [("{name: own}", ["own"]), ("null", []), ("3", []), ("[name]", []), ("{name: [1]}", []), ("2024-99-99", [])],
)
def test_an_experiment_adds_a_table_name_only_if_its_table_has_a_valid_name(
    tmp_path: Path, table: str, names: list[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\ntable: {table}\n")
    assert sorted(set(published.table_names(str(tmp_path))) - set(published.table_names())) == names


@pytest.mark.parametrize("over", ["3", "[model]", "{model: 3}", "{seed: [1, 2]}", "{nope: [a]}"])
def test_an_experiment_whose_table_over_is_not_lists_of_choices_is_reported_and_left_out(
    over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    few = {"scale": ["paper"], "experiment": ["mine"]}
    monkeypatch.setattr(published, "choices", lambda group, config_dir: few[group])
    (tmp_path / "experiment").mkdir()
    text = OWN_TABLE.replace("override /model: mine", "override /model: mlp") + f"  over: {over}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert published.published_tables(str(tmp_path)) == {}
    assert "experiment=mine is left out: table.over=" in capsys.readouterr().err


ROW_OF_MINE = 'published: null, source: "", band: [null, null]'


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (ROW_OF_MINE.replace("null, null", "0.96, 0.95"), "band=[0.96, 0.95] contains no value: its low end"),
        (ROW_OF_MINE.replace("null, null", "95, 96"), "row a: band=95 is not a proportion, as test_accuracy is. Write"),
        (ROW_OF_MINE.replace("published: null", "published: 97"), "row a: published=97 is not a proportion"),
        (ROW_OF_MINE + ", relation: {row: aa, kind: equal}", "row a: relation.row=aa is no row of its table."),
        (ROW_OF_MINE + ", against: [nobody]", "row a: against=nobody is no row of its table, and no experiment with"),
        (ROW_OF_MINE + ", relation: {row: loss, kind: equal}", "row a (test_accuracy, a proportion, larger is better)"),
        (
            f"{ROW_OF_MINE}, means: a}}\n    - {{id: loss, what: c, metric: test_loss, {ROW_OF_MINE}, against: [loss]",
            "row loss: against=loss is the id of several rows (experiment=mine, experiment=mine): give each",
        ),
    ],
)
def test_a_row_that_no_run_could_satisfy_is_reported_and_left_out(
    row: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was once OUT, or undecided, whatever was run: by per cent in place of a proportion, or an unknown name."""
    few = {"scale": ["paper"], "experiment": ["mine"]}
    monkeypatch.setattr(published, "choices", lambda group, config_dir: few[group])
    (tmp_path / "experiment").mkdir()
    loss = f"    - {{id: loss, what: b, metric: test_loss, {ROW_OF_MINE}, means: b}}\n"
    text = OWN_TABLE.replace("override /model: mine", "override /model: mlp") + loss
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert [*published.published_tables(str(tmp_path))] == ["own"]
    assert capsys.readouterr().err == ""
    (tmp_path / "experiment" / "mine.yaml").write_text(text.replace(ROW_OF_MINE, row, 1))
    assert not published.published_tables(str(tmp_path)).get("own")
    assert sentence in capsys.readouterr().err


def test_an_experiment_is_in_its_table_even_if_its_tracker_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"scale": ["paper"], "experiment": ["mine"]}
    monkeypatch.setattr(published, "choices", lambda group, config_dir: few[group])
    monkeypatch.setattr(trackers, "is_installed", lambda module: False)
    (tmp_path / "experiment").mkdir()
    text = OWN_TABLE.replace("override /model: mine", "override /model: mlp}, {override /logger: mlflow")
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    assert list(published.published_tables(str(tmp_path))) == ["own"]


def test_a_metric_of_recorded_samples_states_how_many_instead_of_the_test_set(tmp_path: Path) -> None:
    row = replace(ROW, metric="recorded_accuracy")
    data = {"evaluated_on": "emulated recordings", "n_test": 10_000, "n_recorded": 1100}
    run = {"metrics": {"recorded_accuracy": 0.95, "test_accuracy": 0.95}, "data": data}
    told = [ResultRow(one, "e", (run,), "paper", "h").evaluated_on for one in (row, ROW)]
    assert told == ["1100 recorded samples", "emulated recordings"]


def test_the_names_of_tables_are_known_without_composing_them() -> None:
    assert published.table_names() == sorted(published.published_tables())
