"""Answers of other packages' samplers are checked before a gradient is computed from them."""

from typing import Any

import dimod
import numpy as np
import pytest

from neurobench.config.errors import UserError
from neurobench.devices.sampler.sim_dimod import checked_states

ROWS = np.array([[0, 1, 1], [1, 0, 0]], np.int8)


def answered(rows: Any = ROWS, vartype: str = "BINARY", **changed: Any) -> dimod.SampleSet:
    vectors = {"energy": [0.0] * len(rows), "num_occurrences": [1] * len(rows), **changed}
    return dimod.SampleSet.from_samples(np.asarray(rows, np.int8), vartype=vartype, **vectors)


def test_rows_are_repeated_by_their_occurrences_and_columns_sorted_by_variable() -> None:
    assert checked_states(answered(num_occurrences=[1, 2]), 3, "x").tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    turned = dimod.SampleSet.from_samples((ROWS, [2, 1, 0]), vartype="BINARY", energy=[0.0, 0.0])
    assert checked_states(turned, 3, "x").tolist() == [[1, 1, 0], [0, 0, 1]]


def test_spins_are_converted_to_bits() -> None:
    assert checked_states(answered(2 * ROWS - 1, "SPIN"), 3, "x").tolist() == ROWS.tolist()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ([[0, 1, 1]], "with a list, not with a dimod.SampleSet"),
        (answered(np.empty((0, 3))), "without any sample"),
        (answered(ROWS[:, :2]), r"without 1 of 3 variables \(first: 2\)"),
        (answered(energy=[0.0, float("nan")]), "with an energy that is not a finite number"),
        (answered(num_occurrences=[1, 0]), "with a sample that occurred less than once"),
        (answered([[0, 1, 2], [1, 0, 0]]), "with values 0, 1, 2, where only 0 and 1 are allowed"),
    ],
)
def test_invalid_answers_are_refused_with_the_samplers_name(answer: Any, fault: str) -> None:
    with pytest.raises(UserError, match=rf"a\.Sampler answered {fault}"):
        checked_states(answer, 3, "a.Sampler")
