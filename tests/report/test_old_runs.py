"""Tests of a run from before the present hash rule, its small files as they were written: `list`, `show`, tables."""

import json
import shutil
from pathlib import Path

import pytest

from neurobench.cli.main import FINE, main
from neurobench.config.schema import Row
from neurobench.report.published import Published, published_tables
from neurobench.report.table import join

RECORDED = Path(__file__).with_name("old_run")
STEM = "20260101-000000-eac443"


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    shutil.copytree(RECORDED, tmp_path / "qutrunk_mnist_01_best" / STEM)
    return tmp_path


def test_a_run_under_an_earlier_hash_rule_is_listed_and_shown(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "runs", "--outputs", str(outputs)]) == FINE
    assert f"qutrunk_mnist_01_best/{STEM}" in capsys.readouterr().out
    assert main(["show", STEM, "--outputs", str(outputs)]) == FINE
    shown = capsys.readouterr().out
    for word in (STEM, "eac4436dfb78", "99.91", "epoch 6"):
        assert word in shown


def test_a_run_under_an_earlier_hash_rule_fills_its_rows_of_the_table(outputs: Path) -> None:
    settings = [entry for entry in published_tables()["qutrunk"] if entry.name == "qutrunk_mnist_01_best"]
    rows = {row.row.id: row for row in join(settings, outputs)}
    assert rows["best_full"].measured == (0.9990543735224586,)
    later = rows.pop("last_800")  # a figure that only later runs have
    assert later.verdict == "not run"
    assert {row.verdict for row in rows.values()} == {"in band", "reported"}
    assert {row.scale for row in rows.values()} == {"paper"}


def test_the_newest_run_of_a_seed_counts_whether_its_hash_is_of_the_earlier_or_current_rule(outputs: Path) -> None:
    row = Row("a", "A", "test_accuracy", None, "own", [None, None], "of A")
    old = json.loads((RECORDED / "result.json").read_text())
    setting = Published("e", old["name"], {"paper": "new"}, (row,), {"paper": old["setting_hash"]})
    newer = outputs / old["name"] / "20260102-000000-nnnnnn"
    shutil.copytree(RECORDED, newer)
    result = {**old, "setting_hash": "new", "metrics": {"test_accuracy": 0.5}}
    (newer / "result.json").write_text(json.dumps(result))
    assert join([setting], outputs)[0].measured == (0.5,)
    (newer / "result.json").write_text(json.dumps({**result, "setting_hash": "another"}))
    assert join([setting], outputs)[0].measured == (old["metrics"]["test_accuracy"],)


def test_every_earlier_hash_belongs_to_a_published_setting() -> None:
    names = {entry.name for entries in published_tables().values() for entry in entries}
    assert set(earlier()) <= names
    assert {tuple(entry) for entry in earlier().values()} == {("paper", "quick", "smoke")}


def earlier() -> dict[str, dict[str, str]]:
    return json.loads((Path(__file__).parents[2] / "neurobench/report/earlier_hashes.json").read_text())
