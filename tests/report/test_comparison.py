"""Tests of comparisons between runs: paired by sample, and only if the samples and the task are the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from neurobench.metrics.paired import chi_squared_p, paired_test
from neurobench.report.comparison import Pair, conclusion, numbers, p_text, paired
from neurobench.report.comparison_table import as_markdown
from neurobench.storage.atomic import write_json
from neurobench.storage.folder import RunFolder
from neurobench.storage.predictions import Predictions, write_predictions
from tests.storage.sound import sound_result

TARGET = np.arange(40) % 2
Make = Callable[..., RunFolder]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(
        name: str, wrong: range, ids: Any = None, target: Any = TARGET, sha256: str = "a" * 64, **data: Any
    ) -> RunFolder:
        """Write a run that is right on all of its samples but those at `wrong`; `data`: more on them in its result."""
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        result = sound_result(0.9)
        write_json(folder.path / "run.json", {"status": "finished"})
        write_json(folder.path / "result.json", {**result, "data": {**result["data"], "sha256": sha256, **data}})
        predicted = np.where(np.isin(np.arange(len(target)), wrong), 1 - target, target)
        write_predictions(folder, Predictions(np.arange(len(target)) if ids is None else ids, target, predicted))
        return folder

    return made


def test_samples_are_paired_by_their_ids_whatever_their_order(make: Make) -> None:
    """A is wrong on ids 0 to 9, B on 5 to 29; B is in the opposite order, with ten more samples that A never saw."""
    back = np.arange(50)[::-1].copy()
    other = make("b", range(20, 45), ids=back, target=back % 2)
    (pair,) = paired([make("a", range(10)), other])
    assert pair.test is not None
    assert (pair.test.n, pair.test.only_a, pair.test.only_b) == (40, 20, 5)
    assert pair.test.difference == -15 / 40
    assert conclusion(pair) == "A is better than B on these 40 samples"


def test_the_better_run_is_named_regardless_of_the_order_of_the_runs(make: Make) -> None:
    good, bad = make("good", range(1)), make("bad", range(20))
    for runs, sentence in (((good, bad), "A is better than B"), ((bad, good), "B is better than A")):
        assert conclusion(paired(runs)[0]).startswith(sentence)
    (pair,) = paired((bad, good))
    assert numbers(pair).startswith("B - A = +47.50 points (95 %: +")
    assert "only A correct on 0, only B on 19" in numbers(pair)
    assert "(McNemar, exact)" in numbers(pair)


def test_equally_many_mistakes_on_different_samples_are_no_difference_but_not_called_the_same(make: Make) -> None:
    (pair,) = paired([make("a", range(5)), make("b", range(5, 10))])
    assert conclusion(pair) == "A and B: no significant difference on 40 samples"


def test_several_tests_are_corrected_by_holm(make: Make) -> None:
    runs = [make("a", range(0)), make("b", range(7)), make("c", range(0))]
    ab, ac, bc = paired(runs)
    assert [(pair.a, pair.b) for pair in (ab, ac, bc)] == [("A", "B"), ("A", "C"), ("B", "C")]
    p = 2 / 2**7
    assert ab.test is not None
    assert (ab.test.p, ab.corrected, ac.corrected, bc.corrected) == pytest.approx((p, 3 * p, 1, 3 * p))
    assert conclusion(ab) == "A is better than B on these 40 samples", "3 p is still below .05"
    assert conclusion(ac) == "A and C are correct on the same samples"
    assert "p = 0.016 (McNemar, exact), 0.047 by Holm" in numbers(ab)
    six = paired([make("d", range(0)), make("e", range(6)), make("f", range(0))])[0]
    assert six.test is not None
    assert six.test.p < 0.05
    assert conclusion(six) == "A and B: no significant difference on 40 samples", "by the corrected p"


@pytest.mark.parametrize(("p", "told"), [(0.05, False), (0.0499, True)])
def test_a_corrected_p_equal_to_the_level_shows_no_difference(p: float, told: bool) -> None:
    pair = Pair("A", "B", paired_test([True] * 9, [False] * 9), p, "")
    assert ("is better" in conclusion(pair)) == told


def test_runs_on_different_data_samples_or_classes_are_not_paired(make: Make) -> None:
    a, one_differs = make("a", range(3)), np.where(np.arange(40) == 7, 0, TARGET)
    for other, reason in (
        (make("data", range(3), sha256="b" * 64), "they read different data (sha256 aaaaaaaa and bbbbbbbb)"),
        (make("ids", range(3), ids=np.arange(40) + 100), "they were tested on different samples of the same data"),
        (
            make("classes", range(3), target=one_differs),
            "the classes differ: they solve different tasks",
        ),
        (make("twice", range(3), ids=np.arange(40) // 2), "samples of their data cannot be distinguished"),
    ):
        for runs in ((a, other), (other, a)):
            (pair,) = paired(runs)
            assert pair.test is pair.corrected is None
            assert "samples of their data" in pair.reason or reason.partition(" (")[0] in pair.reason
            assert conclusion(pair).startswith("A and B: no paired test, ")


def test_two_of_ten_classes_are_another_task_than_ten_even_if_their_samples_have_the_same_numbers(make: Make) -> None:
    ten, two = (tuple(map(str, range(n))) for n in (10, 2))
    for pair in (
        *paired([make("ten", range(3), classes=ten), make("two", range(5), classes=two)]),
        *paired([make("two also", range(5), classes=two), make("ten also", range(3), classes=ten)]),
    ):
        assert pair.test is None
        assert pair.reason == "their samples are the same but the classes differ: they solve different tasks"


def test_the_same_classes_numbered_in_another_order_are_the_same_task(make: Make) -> None:
    runs = [make("a", range(3), classes=["0", "1"]), make("b", range(9), target=1 - TARGET, classes=["1", "0"])]
    (pair,) = paired(runs)
    assert pair.test is not None
    assert (pair.test.n, pair.test.only_a, pair.test.only_b) == (40, 6, 0)
    (swapped,) = paired([runs[0], make("c", range(9), classes=["1", "0"])])
    assert swapped.test is None, "the same numbers mean other classes"


def test_runs_of_which_one_names_no_classes_are_compared_by_their_numbers(make: Make) -> None:
    (pair,) = paired([make("a", range(3)), make("b", range(9), classes=["0", "1"])])
    assert pair.test is not None


def test_a_run_with_unreadable_predictions_is_named_regardless_of_the_order_of_the_runs(make: Make) -> None:
    sound, damaged, other = make("a", range(3)), make("damaged", range(3)), make("other", range(3))
    for run in (damaged, other):
        (run.path / "predictions.npz").write_bytes(b"PK")
    for runs, named in (((sound, damaged), "damaged"), ((damaged, sound), "damaged"), ((other, damaged), "other")):
        (pair,) = paired(runs)
        assert pair.test is None
        assert f"{named} is damaged: predictions.npz cannot be read" in pair.reason


def test_a_pair_without_a_test_takes_no_part_in_the_correction(make: Make) -> None:
    runs = [make("a", range(0)), make("b", range(7)), make("c", range(7), sha256="b" * 64)]
    ab, ac, bc = paired(runs)
    assert ab.corrected == pytest.approx(2 / 2**7)
    assert ac.test is bc.test is None


def test_small_p_values_are_written_in_exponential_notation_and_never_as_0(make: Make) -> None:
    assert [p_text(p) for p in (None, 0.0123, 0.0001, 0.0000123, 1.0)] == ["-", "0.012", "0.0001", "1.2e-05", "1"]
    assert p_text(chi_squared_p(20, 8600)) == "< 1e-300", "less than a floating-point number can be"
    (pair,) = paired([make("a", range(30)), make("b", range(30, 40))])
    assert pair.test is not None
    extreme = pair._replace(test=pair.test._replace(p=0.0), corrected=0.0)
    assert "; p < 1e-300 (McNemar, chi squared)" in numbers(extreme)


def test_a_table_for_a_paper_names_choices_and_the_number_of_settings_that_it_leaves_out(make: Make) -> None:
    """It once showed the first four, such as "name a, _target_ m.A", as if these were all."""
    runs = [make("a", range(1)), make("b", range(2))]
    for run, number in zip(runs, (1, 2), strict=True):
        model = {"_target_": f"m.{number}", "lr": number, "depth": number, "name": f"m{number}"}
        sections = {"dataset": {"name": f"d{number}"}, "model": model}
        (run.path / "config.yaml").write_text(yaml.safe_dump(sections, sort_keys=False))
    assert "| dataset d1, model m1, lr 1, depth 1 |" in as_markdown(runs, paired(runs))
    (runs[0].path / "config.yaml").write_text("dataset: {name: d2}\nmodel: {width: 3, size: 4, bias: true}\n")
    text = as_markdown(runs, paired(runs))
    assert "| model m2, width null, size null, bias null, and 2 more |" in text
