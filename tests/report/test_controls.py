"""Tests of comparisons of controls with their models: pairing of runs, both statistical tests, and the output."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import yaml
from scipy import stats

from neurobench import conf
from neurobench.api.table import Table
from neurobench.cli import tables as verbs
from neurobench.cli.main import main
from neurobench.config.compose import choices
from neurobench.config.errors import FINE
from neurobench.report.controls import Comparison, comparisons, conclusion
from neurobench.report.controls_table import COLUMNS, OF_COST, as_markdown, cells
from neurobench.report.published import Published, incomparable
from neurobench.report.table import join
from neurobench.storage.atomic import write_json
from neurobench.storage.folder import RunFolder
from neurobench.storage.predictions import Predictions, write_predictions
from neurobench.storage.store import read_index
from tests.report.test_table import ROW
from tests.storage.sound import sound_result

N = 200
OURS = replace(ROW, what="plain network", published=None, band=[None, None], against=["model"])
MODEL = Published("model", "model", {"paper": "m" * 12, "quick": "n" * 12}, (replace(ROW, what="unusual model"),))
CONTROL = Published("control", "control", {"paper": "c" * 12, "quick": "d" * 12}, (OURS,))
TABLES = {"theirs": [MODEL], "controls": [CONTROL]}


def run(
    outputs: Path,
    setting: Published,
    seed: int,
    wrong: range,
    scale: str = "paper",
    sha: str = "0" * 64,
    figures: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Write a finished run whose model is wrong on the samples `wrong` of N; `figures`: further metrics."""
    folder = RunFolder(outputs / setting.name / f"{scale}{seed}")
    folder.path.mkdir(parents=True)
    write_json(folder.path / "run.json", {"status": "finished"})
    data = {"n_test": N, "evaluated_on": "all", "sha256": sha}
    metrics = {"test_accuracy": 1 - len(wrong) / N, "parameter_count": 7, **figures}
    setting_hash = setting.setting_hashes[scale]
    known = {"name": setting.name, "seed": seed, "setting_hash": setting_hash, "config_hash": f"{setting_hash}{seed}"}
    result = sound_result(1 - len(wrong) / N, **known, data=data)
    write_json(folder.path / "result.json", {**result, "metrics": metrics})
    target = np.arange(N) % 3
    write_predictions(folder, Predictions(np.arange(N), target, np.where(np.isin(np.arange(N), wrong), 9, target)))


def compared(outputs: Path, tables: dict[str, list[Published]] = TABLES) -> list[Comparison]:
    runs = read_index(outputs)
    return comparisons(join(tables["controls"], outputs, runs), tables, outputs, runs)


def test_runs_are_paired_by_seed_with_correct_p_values_of_the_t_test_and_of_mcnemars_test(tmp_path: Path) -> None:
    wrong = {0: (range(10), range(30)), 1: (range(12), range(30)), 2: (range(8), range(5, 30))}
    for seed, (of_model, of_control) in wrong.items():
        run(tmp_path, MODEL, seed, of_model)
        run(tmp_path, CONTROL, seed, of_control)
    run(tmp_path, MODEL, 7, range(100))  # a seed that the control was not run with
    (made,) = compared(tmp_path)
    assert made.seeds == (0, 1, 2)
    assert made.differences == pytest.approx((-20 / N, -18 / N, -17 / N))
    theirs = stats.ttest_rel([170 / N, 170 / N, 175 / N], [190 / N, 188 / N, 192 / N])
    assert made.over_seeds is not None
    assert made.over_seeds.p == pytest.approx(theirs.pvalue)
    assert made.p == made.over_seeds.p, "one test alone is not corrected"
    assert [(test.only_a, test.only_b) for test in made.samples] == [(20, 0), (18, 0), (22, 5)]
    raw = [2 / 2**20, 2 / 2**18, stats.chi2.sf(16**2 / 27, 1)]  # 27 discordant samples are too many for the exact test
    assert [test.p for test in made.samples] == pytest.approx(raw)
    assert made.p_samples == pytest.approx((3 * raw[0], 2 * raw[1], raw[2])), "by Holm's rule over the table"
    assert (made.told_apart, made.outcome) == (3, "worse")


def test_the_outcome_is_that_of_the_control_and_a_chance_difference_is_no_difference(tmp_path: Path) -> None:
    for seed in range(3):
        run(tmp_path, MODEL, seed, range(30 + seed))
        run(tmp_path, CONTROL, seed, range(10))
    (made,) = compared(tmp_path)
    assert (made.outcome, round(made.difference * N)) == ("better", 21)
    for seed in range(3, 6):
        run(tmp_path, MODEL, seed, range(10))
        run(tmp_path, CONTROL, seed, range(20 * (seed % 2), 20 * (seed % 2) + 30 * (seed - 2)))
    assert compared(tmp_path)[0].outcome == "no difference"


def test_a_single_seed_is_judged_by_its_samples_and_equal_differences_have_no_t_test(tmp_path: Path) -> None:
    run(tmp_path, MODEL, 0, range(10))
    run(tmp_path, CONTROL, 0, range(40))
    (made,) = compared(tmp_path)
    assert (made.over_seeds, made.outcome) == (None, "worse")
    assert "(McNemar's test for a single seed, p < 0.05 by Holm's rule; worse: " in conclusion([made])
    run(tmp_path, MODEL, 1, range(10))
    run(tmp_path, CONTROL, 1, range(40))
    (made,) = compared(tmp_path)
    assert (made.over_seeds, made.p, made.outcome) == (None, None, "not tested")
    assert made.told_apart == 2, "which the samples tell all the same"
    assert cells(made)[-1] == "not tested: the same difference for every seed"
    for name in (MODEL, CONTROL):
        for seed in range(2):
            run(tmp_path / "same", name, seed, range(10))
    assert compared(tmp_path / "same")[0].outcome == "no difference", "there is none at any seed"


def test_the_conclusion_names_the_tests_by_which_its_outcomes_were_judged(tmp_path: Path) -> None:
    """Of a single seed, whose samples judge, a paired t-test was stated, for which a second one would be needed."""
    other = replace(CONTROL, experiment="other", name="other", setting_hashes={"paper": "o" * 12})
    for seed in range(3):
        run(tmp_path, MODEL, seed, range(10 + seed))
        run(tmp_path, CONTROL, seed, range(12))
    tables = {**TABLES, "controls": [CONTROL, other]}
    assert "(paired t, p < 0.05 by Holm's rule)" in conclusion(compared(tmp_path, tables))
    run(tmp_path, other, 1, range(60))
    sentence = conclusion(compared(tmp_path, tables))
    assert "(paired t, or McNemar's test for a single seed, p < 0.05 by Holm's rule; worse: " in sentence
    (tmp_path / "other" / "paper1" / "predictions.npz").unlink()
    assert "(paired t, p < 0.05 by Holm's rule)" in conclusion(compared(tmp_path, tables)), "it is not tested"


def test_only_runs_of_the_same_scale_are_compared(tmp_path: Path) -> None:
    run(tmp_path, CONTROL, 0, range(10), scale="quick")
    run(tmp_path, MODEL, 0, range(20))
    (made,) = compared(tmp_path)
    assert (made.outcome, made.reason) == ("not run", "experiment=model has not been run at scale=quick")
    run(tmp_path, MODEL, 1, range(20), scale="quick")
    assert compared(tmp_path)[0].reason == "experiment=model was run with other seeds"
    run(tmp_path, MODEL, 0, range(20), scale="quick")
    (made,) = compared(tmp_path)
    assert made.seeds == (0,)
    assert conclusion([made]).endswith("scale=quick gives an impression, not a result.")


@pytest.mark.parametrize("against", ["model", "of the model"], ids=["experiment", "row of the same table"])
def test_a_model_that_was_also_run_at_a_larger_scale_is_compared_at_the_scale_of_its_control(
    tmp_path: Path, against: str
) -> None:
    """A row of the same table was said not to have been run at that scale."""
    control = replace(CONTROL, rows=(replace(OURS, against=[against]),))
    model = replace(MODEL, rows=(replace(MODEL.rows[0], id="of the model"),))
    for seed in range(3):
        run(tmp_path, control, seed, range(10 + seed), scale="quick")
        run(tmp_path, model, seed, range(20), scale="quick")
        run(tmp_path, model, seed, range(90))
    (made,) = compared(tmp_path, {"controls": [model, control]})
    assert (made.seeds, made.reason, made.model.scale) == ((0, 1, 2), "", "quick")
    assert made.differences == pytest.approx((10 / N, 9 / N, 8 / N))
    assert len(made.samples) == 3


def test_runs_on_different_data_are_not_tested_and_the_reason_is_given(tmp_path: Path) -> None:
    run(tmp_path, MODEL, 0, range(20))
    run(tmp_path, CONTROL, 0, range(10), sha="1" * 64)
    (made,) = compared(tmp_path)
    assert (made.samples, made.outcome) == ((), "not tested")
    assert "they read different data" in made.reason
    assert "they read different data" in list(as_markdown([made]))[2]


def test_runs_whose_folders_are_missing_are_compared_over_seeds_only(tmp_path: Path) -> None:
    for seed in range(3):
        run(tmp_path, MODEL, seed, range(10 + seed**2))
        run(tmp_path, CONTROL, seed, range(30))
    runs = read_index(tmp_path)
    rows = join(TABLES["controls"], tmp_path, runs)
    (made,) = comparisons(rows, TABLES, tmp_path / "elsewhere", runs)
    assert (len(made.seeds), made.samples) == (3, ())
    assert made.over_seeds is not None
    assert made.reason == "the folder of model/paper0 and control/paper0 has no predictions.npz"


def test_p_values_of_a_control_of_several_models_are_corrected_over_all_of_them(tmp_path: Path) -> None:
    other = replace(MODEL, experiment="other", name="other", setting_hashes={"paper": "o" * 12})
    both = replace(CONTROL, rows=(replace(OURS, against=["model", "other"]),))
    for seed in range(3):
        run(tmp_path, both, seed, range(10 + seed))
        run(tmp_path, MODEL, seed, range(14 + 2 * seed))
        run(tmp_path, other, seed, range(40 + 3 * seed))
    one, two = compared(tmp_path, {"theirs": [MODEL, other], "controls": [both]})
    raw = [each.over_seeds.p for each in (one, two) if each.over_seeds]
    assert max(one.p or 0, two.p or 0) == pytest.approx(max(max(raw), 2 * min(raw)))
    sentence = conclusion([one, two])
    assert sentence.startswith("Of 2 comparisons over the same seeds, the first is better in ")
    assert f"better in {sum(each.outcome == 'better' for each in (one, two))}, worse in 0" in sentence


def test_operation_counts_and_energy_estimates_appear_side_by_side_and_are_never_mixed(tmp_path: Path) -> None:
    spiking = {"effective_macs": 0.0, "effective_acs": 1_482_511.96, "energy_joules": 5.98e-5, "mesh_joules": 7.58e-5}
    for setting, figures in ((MODEL, spiking), (CONTROL, {"effective_macs": 407_050.0, "effective_acs": 0.0})):
        run(tmp_path, setting, 0, range(10), figures=figures)
    named = dict(zip(COLUMNS[:6], cells(*compared(tmp_path))[:6], strict=True))
    assert named["operations"] == "407,050 MAC / 1,482,512 AC"
    assert (named["chip, J"], named["mesh, J"]) == ("- / 5.98e-05", "- / 7.58e-05")


def test_table_shows_comparisons_on_screen_in_markdown_notebooks_json_and_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "published_tables", lambda config_dir: TABLES)
    for seed in range(3):
        run(tmp_path, MODEL, seed, range(10))
        run(tmp_path, CONTROL, seed, range(30 + seed))
    words = ["table", "controls", "--outputs", str(tmp_path)]
    sentence = conclusion(compared(tmp_path))
    assert "worse in 1" in sentence
    assert main(words) == FINE
    shown = capsys.readouterr().out
    assert sentence in " ".join(shown.split())
    assert "plain network against unusual model (model)" in shown
    assert main([*words, "--format", "md"]) == FINE
    printed = capsys.readouterr().out
    assert f"| {' | '.join(name for name in COLUMNS if name not in OF_COST)} |" in printed
    assert sentence in printed
    rows = join(TABLES["controls"], tmp_path, read_index(tmp_path))
    notebook = Table(rows, comparisons(rows, TABLES, tmp_path, read_index(tmp_path)))
    assert printed == f"{notebook!r}\n"
    assert "unusual model (model)" in notebook._repr_html_()
    assert [made.model.experiment for made in notebook[:1].comparisons] == ["model"]
    assert notebook[1:].comparisons == []
    assert main([*words, "--format", "json"]) == FINE
    (row,) = json.loads(capsys.readouterr().out)
    (plain,) = row["comparisons"]
    assert (plain["model"], plain["outcome"], len(plain["mcnemar"])) == ("model", "worse", 3)
    document = tmp_path / "paper.md"
    places = "<!-- table controls -->\n<!-- end -->\n<!-- comparisons {} -->\nas before\n<!-- end -->\n"
    document.write_text(places.format("controls") + places.format("theirs"))
    assert main([*words, "--into", str(document)]) == FINE
    ours, _, others = document.read_text().partition("<!-- comparisons theirs -->")
    assert sentence in ours
    assert "as before" not in ours
    assert others == "\nas before\n<!-- end -->\n"


def test_rows_of_one_table_are_paired_each_by_its_own_metric(tmp_path: Path) -> None:
    """Both rows show figures of the same runs: seeds form the pairs, and McNemar's test would need two models."""
    rows = tuple(
        replace(ROW, id=id, what=id, metric=metric, against=against)
        for id, metric, against in (
            ("circuit", "test_accuracy", []),
            ("head", "classical_accuracy", ["circuit"]),
            ("gone", "test_loss", ["head"]),
        )
    )
    tables = {"controls": [replace(MODEL, rows=rows)]}
    of_head = [0.9, 0.85, 0.97]
    for seed, accuracy in enumerate(of_head):
        run(tmp_path, MODEL, seed, range(10 + seed))
        path = tmp_path / MODEL.name / f"paper{seed}" / "result.json"
        result = json.loads(path.read_text())
        write_json(path, {**result, "metrics": {**result["metrics"], "classical_accuracy": accuracy}})
    made, absent = compared(tmp_path, tables)
    circuit = [1 - (10 + seed) / N for seed in range(3)]
    expected = stats.ttest_rel(of_head, circuit)
    assert made.over_seeds is not None
    assert (made.over_seeds.t, made.over_seeds.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert made.differences == pytest.approx([mine - its for mine, its in zip(of_head, circuit, strict=True)])
    assert made.samples == ()
    assert made.reason == "predictions are recorded for test_accuracy only"
    assert (absent.outcome, absent.reason) == ("not run", "experiment=model has no test_loss")


@pytest.mark.parametrize(
    ("metric", "outcome"), [("test_f1", "larger"), ("test_f1_loss", "worse"), ("f1_accuracy", "better")]
)
def test_a_metric_of_unknown_direction_has_a_larger_and_a_smaller_side_but_no_better_one(
    tmp_path: Path, metric: str, outcome: str
) -> None:
    """The smaller F1 of two models of one's own was once called better."""
    ours = replace(CONTROL, rows=(replace(OURS, metric=metric),))
    for seed in range(3):
        run(tmp_path, MODEL, seed, range(0), figures={metric: 0.5 + 0.01 * seed})
        run(tmp_path, CONTROL, seed, range(0), figures={metric: 0.7 + 0.011 * seed})
    (made,) = compared(tmp_path, {**TABLES, "controls": [ours]})
    assert made.outcome == cells(made)[-1] == outcome
    assert f"{outcome} in 1" in conclusion([made])
    assert f"; {outcome}: plain network (against" in conclusion([made])
    assert ("larger in" in conclusion([made])) == (outcome == "larger")


def test_runs_are_compared_by_their_folders_whatever_their_results_are_called(tmp_path: Path) -> None:
    """A run of an earlier version, without a hash of its configuration, once ended every table with a KeyError, and so
    did a run whose folder had been renamed."""
    for seed in range(2):
        run(tmp_path, MODEL, seed, range(10 + seed))
        run(tmp_path, CONTROL, seed, range(30))
    for file in tmp_path.glob("*/*/result.json"):
        result = json.loads(file.read_text())
        del result["config_hash"]
        write_json(file, {**result, "name": "renamed"})
    (made,) = compared(tmp_path)
    assert [(test.only_a, test.only_b) for test in made.samples] == [(20, 0), (19, 0)]


def test_rows_whose_metrics_differ_in_unit_or_direction_are_not_compared() -> None:
    """Examples: an accuracy and a loss, a proportion and an unbounded mean; two accuracies may differ in name."""
    metrics = {"a": "test_accuracy", "b": "classical_accuracy", "c": "test_loss", "d": "gain_over_classical"}
    against = {"a": ["b", "c", "d", "an_experiment"], "c": ["a"]}
    rows = tuple(
        replace(ROW, id=id, metric=metric, against=against.get(id, []), published=None, reference=None)
        for id, metric in metrics.items()
    )
    one, two = replace(MODEL, rows=rows[:2]), replace(MODEL, experiment="other", rows=rows[2:])
    (first, second), (third,) = incomparable(one, [one, two]), incomparable(two, [one, two])
    assert first.startswith("row a (test_accuracy, a proportion, larger is better) is compared with row c (test_loss, ")
    assert "row d (gain_over_classical, without a unit, larger is better)" in second
    assert third.startswith("row c (test_loss, without a unit, smaller is better) is compared with row a")


def experiments() -> dict[str, dict[str, list[str]]]:
    """Experiment -> row -> names that it is compared with (`against`), as declared in the YAML files."""
    held = {}
    for file in sorted((Path(conf.__path__[0]) / "experiment").glob("*.yaml")):
        rows = (yaml.safe_load(file.read_text()).get("table") or {}).get("rows", [])
        held[file.stem] = {row["id"]: row.get("against", []) for row in rows}
    return held


def test_every_unusual_model_has_the_controls_that_it_has_to_beat() -> None:
    """Boltzmann machines: raw pixels and random features. Circuits: no entanglement and a classical map; one qubit has
    nothing to entangle. Spiking networks: a quantised conventional network; NEST's own run has no test."""
    held = experiments()
    controls: dict[str, set[str]] = {}
    for name, rows in held.items():
        for target in (target for against in rows.values() for target in against):
            controls.setdefault(target.split()[0], set()).add(name)
    pixels = ("controls_pixels_8", "controls_pixels_12", "controls_pixels_grey")
    sizes = ("1000", "12", "8", "grey", "grey_one", "probability")
    random = ("controls_random", *(f"controls_random_{size}" for size in sizes))
    quantised = (
        "controls_lava", "controls_lava_conv", "controls_lava_cv", "controls_lava_emulated", "controls_nest",
        "controls_nest_emulated", "controls_eprop_emulated", "controls_slayer_emulated", "controls_eventprop",
    )  # fmt: skip
    needed = {
        "dynex_": [("dynex_pixels_lr", *pixels), random],
        "qutrunk_mnist_01": [("controls_qubit",)],
        "qutrunk_": [("controls_qcnn_product", "controls_qcnn_4_product", "controls_qcnn_all_product"),
                     ("controls_qcnn_ring", "controls_qcnn_4_ring", "controls_qcnn_all_ring")],
        "lava_": [quantised], "nest_": [quantised], "eventprop_": [quantised],
    }  # fmt: skip
    missing = [
        (name, kind)
        for name in set(held) - {"dynex_pixels_lr", "nest_eprop_nmnist_reference"}
        for kind in next((kinds for start, kinds in needed.items() if name.startswith(start)), [])
        if not controls.get(name, set()) & set(kind)
    ]
    assert missing == []


def test_a_row_is_compared_with_either_an_experiment_or_a_row_of_its_own_table() -> None:
    """No name is both: each is unambiguous."""
    held = experiments()
    tables = {
        file.stem: (yaml.safe_load(file.read_text()).get("table") or {}).get("name")
        for file in (Path(conf.__path__[0]) / "experiment").glob("*.yaml")
    }
    names = set(choices("experiment"))
    for experiment, rows in held.items():
        table = tables[experiment] or "".join(t for e, t in tables.items() if t and experiment.startswith(e))
        ids = {id for other, its in held.items() if (tables[other] or "") in ("", table) for id in its}
        for target in (target for against in rows.values() for target in against):
            assert (target.split()[0] in names) + (target in ids) == 1, (experiment, target)


def test_controls_that_ship_are_compared_only_with_experiments_that_publish_rows() -> None:
    """Controls are read from the YAML files: another test composes them all."""
    folder, held = Path(conf.__path__[0]) / "experiment", 0
    for file in sorted(folder.glob("controls_*.yaml")):
        for row in yaml.safe_load(file.read_text())["table"]["rows"]:
            for name in row.get("against", ()):
                held += 1
                assert name.split()[0] in choices("experiment"), f"{file.name} is held against {name}"
                published = folder / f"{name}.yaml"
                assert name.startswith("matrix_") or "\ntable:" in published.read_text(), name
    assert held >= 25
