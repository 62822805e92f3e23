"""A study continues despite trials that cannot run, whatever its choices look like and however its folder is given."""

import json
from pathlib import Path
from typing import Any

import pytest

from neurobench.sweeps.space import load_space
from tests.cli.conftest import Neurobench, neurobench  # noqa: F401  (a fixture)

pytest.importorskip("optuna")
TOY = "overrides: [model=toy, scale=smoke, threads=1]\nfigure: validation_accuracy\nspace: "


def trials(done: Any) -> list[dict[str, Any]]:
    assert "Traceback" not in done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_trial_that_cannot_run_fails_and_the_study_continues(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "odd.yaml").write_text(TOY + "{training.batch_size: {choices: [50, -1, 100]}}\n")
    states = [trial["state"] for trial in trials(neurobench("tune", "odd.yaml", "--trials", "5", "--json"))]
    assert {*states} == {"complete", "fail"}
    again = trials(neurobench("tune", "odd.yaml", "--trials", "6", "--json", "--outputs", str(tmp_path / "outputs")))
    assert [trial["state"] for trial in again][:5] == states, "another spelling of the folder is the same study"
    assert len(list((tmp_path / "outputs/.tune").glob("*.db"))) == 1


def test_a_study_whose_trials_all_fail_ends_with_an_error(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    toy = TOY.replace("threads=1", "threads=1, training.batch_size=20")
    (tmp_path / "odd.yaml").write_text(toy + "{model.explode_at: {choices: [1, 2]}}\n")
    done = neurobench("tune", "odd.yaml", "--trials", "2")
    assert done.returncode == 1
    assert "no trial finished" in done.stdout


def test_null_and_lists_are_choices_and_folders_may_have_any_name(neurobench: Neurobench, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "odd.yaml").write_text(TOY + "{model.explode_at: {choices: [null, 100000]}, logger: {choices: [[]]}}\n")
    words = ("tune", "odd.yaml", "--outputs", "runs? new (2) 100%25")
    for n in (2, 3):  # the database is read back
        ended = trials(neurobench(*words, "--trials", str(n), "--json"))
        assert [trial["state"] for trial in ended] == ["complete"] * n
    assert [file.name[:4] for file in tmp_path.glob("runs? new (2) 100%25/.tune/*.db")] == ["odd-"]
    (tmp_path / "odd.yaml").write_text(TOY + "{model.lr: {low: 0.1, high: 1.0}}\n")
    assert "a new study begins" in neurobench(*words, "--trials", "1").stdout


def test_a_study_continues_only_while_its_trials_compute_the_same(tmp_path: Path) -> None:
    """Else the best would be chosen among figures on different data, of different settings or initial networks."""
    table, experiment, start = (tmp_path / name for name in ("table.csv", "experiment/mine.yaml", "start.pt"))
    table.write_text("a,b,kind\n" + "".join(f"{n},{n % 7},{n % 2}\n" for n in range(40)))
    start.write_bytes(b"a network")
    experiment.parent.mkdir()
    experiment.write_text("# @package _global_\ndefaults: [override /model: slayer_snn, override /dataset: csv]\n")
    words = f"experiment=mine, dataset.root={table}, dataset.label=kind, model.init_from={start}"
    text = f"overrides: [{words}]\nfigure: validation_accuracy\nspace: {{model.lr: {{low: 0.001, high: 0.01}}}}"
    (tmp_path / "space.yaml").write_text(text)

    def identity() -> str:
        return load_space(str(tmp_path / "space.yaml"), [], tmp_path, str(tmp_path)).identity

    identities = [identity(), identity()]
    for file, more in ((table, "7,0,1\n"), (experiment, "seed: 3\n"), (start, "that was trained on")):
        file.write_text(file.read_text() + more)
        identities.append(identity())
    assert identities[0] == identities[1]
    assert len(set(identities)) == 4
