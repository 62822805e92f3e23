"""Tests of `compare` and `rerun`: differences are shown, equal figures are reported as equal."""

import json
from pathlib import Path

from neurobench.kernels.host import use_fast
from tests.cli.conftest import Neurobench


def test_compare_shows_differing_keys_and_figures_and_rerun_whether_figures_are_the_same(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    assert neurobench("run", "model=toy", "name=a").returncode == 0
    assert neurobench("run", "model=toy", "name=b", "seed=1", "model.lr=0.300001").returncode == 0
    told = json.loads(neurobench("compare", "a", "b", "--json").stdout)
    assert told["config"] == [
        {"key": "seed", "a": 0, "b": 1},
        {"key": "model.lr", "a": 0.5, "b": 0.300001},
    ]
    (accuracy,) = [entry for entry in told["metrics"] if entry["key"] == "test_accuracy"]
    (result,) = (tmp_path / "outputs").glob("b/*/result.json")
    assert accuracy["b"] == json.loads(result.read_text())["metrics"]["test_accuracy"]
    shown = neurobench("compare", "a", "b").stdout
    assert "model.lr" in shown
    assert "0.300001" in shown
    assert f"{(accuracy['b'] - accuracy['a']) * 100:+.2f} points" in shown

    again = neurobench("rerun", "a")
    assert again.returncode == 0, again.stderr
    assert "figures are as before, to the bit" in again.stdout
    assert len(list((tmp_path / "outputs" / "a").glob("*"))) == 2
    first = min((tmp_path / "outputs" / "a").glob("*"))
    path = first / "result.json"
    changed = json.loads(path.read_text())
    changed["metrics"]["test_accuracy"] += 0.125
    changed["warnings"] = ["not reproducible: the chip takes no seed"]
    path.write_text(json.dumps(changed))
    record = json.loads((first / "run.json").read_text())
    (first / "run.json").write_text(json.dumps({**record, "config_hash": "0" * 12}))  # of another configuration
    (tmp_path / "mine").mkdir()
    differing = neurobench("rerun", str(first), "--outputs", "mine")
    assert len(list((tmp_path / "mine" / "a").glob("*"))) == 1, "not beside a run that may be a colleague's"
    assert differing.returncode == 1
    assert "NOT the same: 1 figures differ" in differing.stdout
    assert f"test_accuracy: {changed['metrics']['test_accuracy']} before" in differing.stdout
    assert "as expected, not reproducible: the chip takes no seed" in differing.stdout
    assert f"config_hash, as after an edit of config.yaml: {'0' * 12} before, {record['config_hash']} now" in (
        differing.stdout
    )


def test_compare_shows_which_kernels_runs_used_and_which_ones_earlier_versions_asked_for(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    for name, kernels in (("exact", "exact"), ("fast", "fast")):
        assert neurobench("run", "model=toy", f"name={name}", f"kernels={kernels}", "threads=1").returncode == 0
    (exact,), (fast,) = ((tmp_path / "outputs" / name).glob("*/run.json") for name in ("exact", "fast"))
    records = [json.loads(path.read_text()) for path in (exact, fast)]
    assert records[0]["kernels"] == "exact"
    assert records[1]["kernels"] == ("fast" if use_fast(True) else "exact")
    use_fast(False)
    row = {"key": "kernels", "a": "exact", "b": "fast"}
    for kernels in ({"kernels": "fast"}, {}):  # used; not recorded, as by earlier versions
        fast.write_text(json.dumps({key: value for key, value in records[1].items() if key != "kernels"} | kernels))
        assert json.loads(neurobench("compare", "exact", "fast", "--json").stdout)["provenance"] == [row]


def test_rerun_refuses_a_run_that_did_not_finish(neurobench: Neurobench) -> None:
    assert neurobench("run", "model=toy", "model.explode_at=3").returncode == 1
    done = neurobench("rerun", "latest")
    assert done.returncode == 2
    assert "is 'failed': there is nothing to compare with" in done.stderr
