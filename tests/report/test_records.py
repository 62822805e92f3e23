"""Tests of records: a table from them equals the table from the runs; a damaged file is refused with every fault;
RESULTS.md shows what the shipped records contain, and nothing else."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import neurobench.cli.tables as verbs
from neurobench.cli.main import main
from neurobench.config.errors import FINE, UserError
from neurobench.report import controls_table
from neurobench.report.controls import comparisons
from neurobench.report.document import refreshed, tables_named
from neurobench.report.published import Tables, published_tables
from neurobench.report.records import COMPARED, collect, merged, read_records, write_records
from neurobench.report.table import join
from neurobench.storage.atomic import write_json
from neurobench.storage.store import read_index
from tests.report.test_table import TUTORIAL, finished

README = Path(__file__).parents[2] / "outputs/readme"
TABLES = {"t": [TUTORIAL]}


@cache
def tables() -> Tables:
    return published_tables()


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for seed, accuracy in ((0, 0.1), (0, 0.1 + 0.2), (1, 1 / 3)):
        finished(tmp_path, f"{seed}-{accuracy}", "p" * 12, seed, accuracy)
        path = tmp_path / "tutorial" / f"{seed}-{accuracy}"
        result = json.loads((path / "result.json").read_text())
        result["metrics"]["shown_nowhere"] = 1.0
        write_json(path / "result.json", {**result, "seconds": {"train": 2.0, "test": 0.5}})
        write_json(path / "run.json", {"status": "finished", "commit": "c" * 40, "processor": "Z80", "threads": 2})
    finished(tmp_path, "smoke", "s" * 12, 5, 0.5)
    finished(tmp_path, "other", "x" * 12, 6, 0.5)
    return tmp_path


def test_a_table_from_records_equals_the_table_from_the_runs(outputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    write_records(file, collect(TABLES, TABLES, read_index(outputs)))
    records = read_records(file)
    assert [(record.seed, record.metrics) for record in records] == [
        (0, {"test_accuracy": 0.1 + 0.2}),
        (1, {"test_accuracy": 1 / 3}),
    ], "the newest of each seed, to the last bit, with what the rows show and no more"
    assert (records[0].processor, records[0].threads, records[0].seconds) == ("Z80", 2, 2.5)
    rows = [join([TUTORIAL], outputs)[0], join([TUTORIAL], tmp_path, [record.entry() for record in records])[0]]
    assert rows[0].as_dict() == rows[1].as_dict()
    assert rows[1].again == "neurobench sweep experiment=tutorial seed=0,1"


def test_records_collected_from_records_are_the_same(outputs: Path) -> None:
    """`--records A --record B` merges two files; it once erased the device of every run."""
    records = [replace(record, device="cuda") for record in collect(TABLES, TABLES, read_index(outputs))]
    assert collect(TABLES, TABLES, [record.entry() for record in records]) == records


def test_a_record_of_data_in_a_folder_with_a_line_separator_in_its_name_can_be_read(
    tmp_path: Path, outputs: Path
) -> None:
    (record, *_) = collect(TABLES, TABLES, read_index(outputs))
    record = replace(record, data={**record.data, "source": "\u2028/table\x85.csv"})
    write_records(tmp_path / "records.jsonl", [record])
    assert read_records(tmp_path / "records.jsonl") == [record]


def test_new_records_replace_those_of_the_same_seed_and_those_of_removed_settings_are_dropped(outputs: Path) -> None:
    records = collect(TABLES, TABLES, read_index(outputs))
    finished(outputs, "z", "p" * 12, 1, 0.75)
    newer = collect(TABLES, TABLES, read_index(outputs))
    both = merged(TABLES, records, [record for record in newer if record.seed == 1])
    assert {record.seed: record.metrics["test_accuracy"] for record in both} == {0: 0.1 + 0.2, 1: 0.75}
    assert merged({"t": []}, records, []) == []


def test_a_new_record_replaces_one_whose_hash_is_that_of_an_earlier_rule(outputs: Path) -> None:
    """Both once remained, and the table showed the one whose hash came last in the alphabet."""
    earlier = replace(TUTORIAL, earlier_hashes={"paper": "z" * 12})
    records = collect(TABLES, TABLES, read_index(outputs))
    old = [replace(record, setting_hash="z" * 12, metrics={"test_accuracy": 0.2}) for record in records]
    assert merged({"t": [earlier]}, old, []) == old
    assert merged({"t": [earlier]}, old, records) == records
    assert merged({"t": [earlier]}, [*records, *old], []) == records, "as in a file of an earlier version"


def test_records_of_one_table_include_the_metrics_that_controls_of_another_are_compared_with(outputs: Path) -> None:
    control = replace(TUTORIAL.rows[0], metric="shown_nowhere", against=("tutorial",))
    both = {**TABLES, "controls": [replace(TUTORIAL, experiment="control", name="control", rows=(control,))]}
    records = collect(both, ["t"], read_index(outputs))
    assert {record.experiment for record in records} == {"tutorial"}
    assert all(record.metrics.keys() == {"test_accuracy", "shown_nowhere"} for record in records)


def test_a_damaged_records_file_is_refused_with_every_fault(outputs: Path, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    write_records(file, collect(TABLES, TABLES, read_index(outputs)))
    lines = file.read_text().splitlines()
    first = json.loads(lines[0])
    faulty = [
        {**first, "seed": -1}, {**first, "metrics": {"test_accuracy": None}}, {**first, "scale": "smoke"},
        {key: value for key, value in first.items() if key != "commit"}, {**first, "host": "a"}, {**first, "data": {}},
    ]  # fmt: skip
    file.write_text("\n".join([*lines, *map(json.dumps, faulty), lines[1], "[]", "{"]))
    with pytest.raises(UserError) as caught:
        read_records(file)
    for sentence in (
        "line 3: seed=-1 is not at least 0", "line 4: metrics.test_accuracy is not a number", "line 5: scale='smoke'",
        "line 6: commit is missing", "line 7: host is not a key", "line 8: data.sha256 is missing",
        "seed 1 has more than one line", "line 10 is not a JSON object", "line 11 is not a JSON object",
    ):  # fmt: skip
        assert sentence in str(caught.value)
    with pytest.raises(UserError, match="neurobench table all --record"):
        read_records(tmp_path / "nothing")


def test_table_writes_records_and_shows_the_same_table_from_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tables()["dynex"][0]
    finished(tmp_path, "1", target.setting_hashes["paper"], 0, 0.9185, name=target.name)
    file = tmp_path / "readme" / "records.jsonl"
    file.parent.mkdir()
    finished(tmp_path, "2", target.setting_hashes["paper"], 77, 0.5, name=target.name)
    assert main(["table", "all", "--record", str(file), "--outputs", str(tmp_path)]) == FINE
    said, notes = capsys.readouterr()
    assert "1 runs, 1 of them from the outputs folder, 0 recorded before" in said
    assert notes == f"note: seed 77 of experiment={target.experiment} is not recorded: its table declares others\n"
    for run in ("1", "2"):
        (tmp_path / target.name / run / "result.json").unlink()
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text(file.read_text() + json.dumps({**json.loads(file.read_text()), "name": "own"}) + "\n")
    link = tmp_path / "link.jsonl"
    link.symlink_to(foreign)
    assert main(["table", "dynex", "--record", str(link), "--outputs", str(tmp_path)]) == FINE
    assert link.is_symlink(), "it was once replaced by a file"
    assert "note: 1 recorded before are dropped: no table has their setting" in capsys.readouterr().err
    assert foreign.read_text() == file.read_text()
    shown = []
    for words in (["--records", str(file)], ["--records", "--outputs", str(tmp_path)]):
        assert main(["table", "dynex", "--all", *words]) == FINE
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "91.85" in shown[0] or "0.9185" in shown[0]
    assert f"again: neurobench sweep experiment={target.experiment} seed=0" in " ".join(shown[0].split())


def test_a_table_names_damaged_runs_that_it_leaves_out_and_rows_over_different_data(
    outputs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an edit of a file of the user's own: such a row had been a mean, with a verdict, like any other."""
    monkeypatch.setattr(verbs, "published_tables", lambda _: {"dynex": [TUTORIAL]})
    words = ["table", "dynex", "--outputs", str(outputs)]
    for more in ([], ["--record", str(outputs / "records.jsonl")], ["--format", "csv"]):
        main([*words, *more])
        assert capsys.readouterr().err == ""
    finished(outputs, "cut", "p" * 12, 1, 0.9)
    (outputs / "tutorial" / "cut" / "result.json").write_text("{")
    file = outputs / "tutorial" / f"1-{1 / 3}" / "result.json"
    result = json.loads(file.read_text())
    write_json(file, {**result, "data": {**result["data"], "sha256": "9" * 64}})
    for more in ([], ["--record", str(outputs / "records.jsonl")], ["--format", "csv"]):
        main([*words, *more])
        shown, notes = capsys.readouterr()
        assert notes.splitlines() == [
            "note: tutorial/cut is left out, since it is damaged: result.json is cut at byte 1",
            f"note: row {TUTORIAL.rows[0].id} is a mean over runs that read different data (sha256)",
        ]
    assert "others for some seeds" in shown


def test_results_md_shows_exactly_what_the_records_contain() -> None:
    text = (README / "RESULTS.md").read_text()
    entries = [record.entry() for record in read_records(README / "records.jsonl")]
    shown = {name: join(tables()[name], README, entries) for name in tables_named(text)}
    compared = {
        name: comparisons(join(tables()[name], README, entries), tables(), README, entries)
        for name in controls_table.tables_named(text)
    }
    assert controls_table.refreshed(refreshed(text, shown), compared) == text, "make tables writes them anew"


def test_every_record_belongs_to_a_row_and_names_its_commit_and_processor() -> None:
    current = {
        (setting.name, digest): {row.metric for row in setting.rows}
        for settings in tables().values()
        for setting in settings
        for digest in (*setting.setting_hashes.values(), *setting.earlier_hashes.values())
    }
    every = [row for settings in tables().values() for setting in settings for row in setting.rows]
    for record in read_records(README / "records.jsonl"):
        compared = {row.metric for row in every if record.experiment in row.against} | {*COMPARED}
        assert set(record.metrics) <= current[record.name, record.setting_hash] | compared
        assert record.commit, record.key
        assert "+changes" not in record.commit, record.key
        assert record.processor, record.key


def test_all_shows_the_source_of_each_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["table", "dynex", "--all", "--outputs", str(tmp_path)]) == FINE
    shown = " ".join(capsys.readouterr().out.split())
    rows = [row for setting in published_tables()["dynex"] for row in setting.rows]
    assert [row.what for row in rows if f"Source: {row.source}." not in shown] == []
