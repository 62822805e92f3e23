"""Promises of the bounds that parameters declare."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from neurobench.config.bounds import Bound, BoundsError, fault_of
from neurobench.config.spec import Record


@dataclass(frozen=True)
class Gibbs(Record):
    sweeps: Annotated[int, Bound(1)] = 100
    beta: Annotated[float, Bound(0, above=True)] = 1.0
    order: Literal["random", "fixed"] = "fixed"
    seeds: Annotated[tuple[int, ...], Bound(0, 9)] = (1, 2)
    reset: Annotated[float, Bound(-1, 1)] | None = None


@pytest.mark.parametrize(
    ("bound", "inside", "outside", "words"),
    [
        (Bound(0, 1), (0, 0.5, 1), (-1e-9, 1 + 1e-9), "in [0, 1]"),
        (Bound(0, 1, below=True), (0, 0.999), (1, 2), "in [0, 1)"),
        (Bound(0, above=True), (1e-300, math.inf), (0, -1), "above 0"),
        (Bound(3), (3, 4), (2,), "at least 3"),
        (Bound(hi=0.5), (-1e9, 0.5), (0.51,), "at most 0.5"),
        (Bound(hi=2, below=True), (1,), (2,), "below 2"),
    ],
)
def test_ends_belong_to_the_interval_unless_they_are_excluded(
    bound: Bound, inside: tuple[float, ...], outside: tuple[float, ...], words: str
) -> None:
    assert all(bound.holds(value) for value in inside)
    assert not any(bound.holds(value) for value in outside)
    assert not bound.holds(math.nan)
    assert str(bound) == words


def test_all_fields_out_of_bounds_are_named_at_once() -> None:
    with pytest.raises(BoundsError) as caught:
        Gibbs(sweeps=0, beta=-1.0, order="other", seeds=(1, 10), reset=2.0)  # type: ignore[arg-type]
    assert dict(caught.value.faults) == {
        "sweeps": "=0 is not at least 1",
        "beta": "=-1.0 is not above 0",
        "order": "='other' is not one of random, fixed",
        "seeds": "=[1, 10] is not in [0, 9]",
        "reset": "=2.0 is not a number in [-1, 1] or null",
    }


def test_integers_count_as_floats_but_booleans_are_not_numbers() -> None:
    assert fault_of(True, int) is not None
    assert fault_of(True, float) is not None
    assert fault_of(1, float) is None
    assert fault_of(1.0, int) is not None
    assert fault_of(math.nan, Annotated[float, Bound(0)]) is not None


def test_an_integer_beyond_all_floats_is_refused() -> None:
    for hint in (int, float, Annotated[float, Bound(0)]):
        assert fault_of(10**400, hint) is not None
        assert fault_of(10**300, hint) is None


def test_fields_of_a_type_other_than_plain_data_are_not_checked() -> None:
    assert fault_of(object(), object) is None
