"""Promises of selecting runs: by record or by any key of the configuration, by one value or any of a list."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from neurobench.config.errors import UserError
from neurobench.storage.atomic import write_json
from neurobench.storage.folder import RunFolder
from neurobench.storage.selection import chosen, configuration, configurations
from neurobench.storage.store import read_index
from tests.storage.sound import sound_result


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """Runs a: seed 0, lr 0.1; b: seed 1, lr 0.1; c: seed 0, lr 0.2 and a key that the others lack."""
    for name, seed, model in (("a", 0, {"lr": 0.1}), ("b", 1, {"lr": 0.1}), ("c", 0, {"lr": 0.2, "momentum": 0.9})):
        folder = tmp_path / name / "20260101-000000-aaaaaa"
        folder.mkdir(parents=True)
        write_json(folder / "run.json", {"status": "finished", "seeds": {"root": seed}})
        write_json(folder / "result.json", sound_result(0.9, name=name, seed=seed))
        config = {"seed": seed, "outputs": "there", "model": {"name": "toy", **model}, "dataset": {"name": "d"}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def names(outputs: Path, **where: Any) -> str:
    keys = {key.replace("__", "."): value for key, value in where.items()}
    return "".join(entry.path[0] for entry in chosen(read_index(outputs), outputs, keys).entries)


def test_selected_runs_match_every_given_key(outputs: Path) -> None:
    assert names(outputs) == "abc"
    assert names(outputs, seed=0) == "ac"
    assert names(outputs, seed=[0, 1]) == "abc"
    assert names(outputs, model__lr=0.1) == "ab"
    assert names(outputs, model__lr=[0.1, 0.2]) == "abc"
    assert names(outputs, model__lr=0.1, seed=0) == "a"
    assert names(outputs, model__momentum=0.9) == "c", "the others have no such key"
    assert names(outputs, model__momentum=[None, 0.9]) == "c", "an absent key is not null"
    assert names(outputs, model__momentum=None) == ""
    assert names(outputs, model__lr=0.3) == ""


def test_a_path_is_matched_as_it_is_typed_though_stored_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that a sweep over a table of one's own printed at its end had found no run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "a" / "20260101-000000-aaaaaa"
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"status": "finished"})
    stored = {"dataset": {"name": "csv", "root": f"{tmp_path}/t.csv"}, "model": {"name": "toy", "net": f"{tmp_path}/n"}}
    (folder / "config.yaml").write_text(yaml.safe_dump(stored))
    for typed in ("t.csv", "~/t.csv", f"{tmp_path}/t.csv", ["s.csv", "t.csv"]):
        assert names(tmp_path, dataset__root=typed, model__net="~/n") == "a"
    assert names(tmp_path, dataset__root="s.csv") == ""


def test_a_key_that_no_run_has_is_refused_unless_there_are_no_runs(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="model.lrr: no run here has such a key. Did you mean model.lr?"):
        names(outputs, model__lrr=0.1)
    assert chosen([], tmp_path, {"model.lrr": 1}) == ([], {})


def test_a_run_is_named_if_its_damage_hides_whether_it_matches(outputs: Path) -> None:
    """A mean over seeds had lost such a run without a word."""

    def unknown(**where: Any) -> dict[str, str]:
        keys = {key.replace("__", "."): value for key, value in where.items()}
        return chosen(read_index(outputs), outputs, keys).unknown

    a, b, _ = (f"{name}/20260101-000000-aaaaaa" for name in "abc")
    assert unknown(model__lr=0.1) == {}
    (outputs / a / "config.yaml").unlink()
    assert (names(outputs, model__lr=0.1), unknown(model__lr=0.1)) == ("b", {a: "config.yaml is missing"})
    assert (names(outputs, seed=0), unknown(seed=0)) == ("ac", {}), "run.json tells its seed"
    assert unknown(model__lr=0.1, seed=1) == {}, "another seed, whatever its configuration"
    (outputs / b / "run.json").write_text("{")
    assert (names(outputs, seed=1), unknown(seed=1)) == ("", {b: "run.json is cut at byte 1"})
    assert unknown(model__lr=0.1, seed=[0, 1]) == {a: "config.yaml is missing", b: "run.json is cut at byte 1"}
    assert unknown(status="finished") == unknown(run=a) == unknown(run=a, seed=1) == {}, "these are known"
    for name in "bc":
        next(outputs.glob(f"{name}/*/config.yaml")).write_text("model: [")
    assert names(outputs, model__lr=0.1) == "", "not refused: some run may have such a key"


def test_a_configuration_leaves_out_seed_outputs_and_names_and_is_empty_if_damaged(outputs: Path) -> None:
    folder = RunFolder(outputs / "c/20260101-000000-aaaaaa")
    assert configuration(folder) == {"model.lr": 0.2, "model.momentum": 0.9}
    (folder.path / "config.yaml").write_text("a: [")
    assert configuration(folder) == {}


def test_one_configuration_is_parsed_for_all_runs_that_differ_in_their_seed_alone(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a and b differ in their seed alone."""
    read: list[str] = []

    def counted(folder: RunFolder) -> dict[str, Any]:
        read.append(folder.path.parent.name)
        return configuration(folder)

    monkeypatch.setattr("neurobench.storage.selection.configuration", counted)
    folders = [entry.folder(outputs) for entry in read_index(outputs)]
    assert configurations(folders) == [{"model.lr": 0.1}, {"model.lr": 0.1}, {"model.lr": 0.2, "model.momentum": 0.9}]
    assert read == ["a", "c"]
    file = folders[1].path / "config.yaml"
    file.write_text(file.read_text().replace("lr: 0.1", "lr: 0.3"))
    assert [config["model.lr"] for config in configurations(folders)] == [0.1, 0.3, 0.2]
    file.unlink()
    assert configurations(folders)[1] == {}
