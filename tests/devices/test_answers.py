"""Learners receive only answers that fulfil the protocol, of any device; others are refused with the device's name."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.devices.answers import checked
from neurobench.devices.circuit.protocol import Counts, Expectations
from neurobench.devices.mac.protocol import Products
from neurobench.devices.sampler.protocol import Reads
from neurobench.problems.circuit import Angles, Gate, Program
from neurobench.problems.rbm import RBM
from tests.fake_cuda import fake_cuda

MACHINE = RBM(torch.zeros(3, 2), torch.zeros(3), torch.zeros(2))
TURN = Program(1, 1, 0, (Gate("ry", (0,), 0),), ((0,),))
ANGLES = Angles(torch.zeros(2, 1), torch.zeros(1, 0))
X, W = torch.ones(2, 3), torch.ones(3, 4)
COST = {"calls": 1.0}


class NoCost(NamedTuple):
    v: torch.Tensor
    h: torch.Tensor


def reads(**changed: Any) -> Reads:
    return Reads(torch.ones(2, 3), torch.zeros(2, 2), COST)._replace(**changed)


def sampled(answer: Any) -> Any:
    return checked("lazy", "sample_rbm", (MACHINE, 2, 0), answer)


def multiplied(answer: Any, x: torch.Tensor = X) -> Any:
    return checked("lazy", "matmul", (x, W, 1, 0), answer)


def expected(answer: Any, angles: Angles = ANGLES) -> Any:
    return checked("lazy", "expectation", (TURN, angles), answer)


def counted(answer: Any) -> Any:
    return checked("lazy", "counts", (TURN, ANGLES, 10, 0), answer)


def counts(rows: Any, cost: Mapping[str, float] = COST) -> Counts:
    return Counts(torch.tensor(rows), cost)


BROKEN = [
    (sampled, NoCost(torch.ones(2, 3), torch.zeros(2, 2)), "with a NoCost without cost"),
    (sampled, torch.ones(2, 3), "with a Tensor without v, h, cost"),
    (sampled, None, "with a NoneType without v, h, cost"),
    (sampled, reads(cost=3), "with a cost that is a int"),
    (sampled, reads(cost={"reads": float("nan")}), "with nan as its cost in reads"),
    (sampled, reads(cost={"reads": -1}), "with -1 as its cost in reads"),
    (sampled, reads(cost={"reads": "2"}), "with '2' as its cost in reads"),
    (sampled, reads(v=torch.ones(1, 3)), r"with v of shape \(1, 3\), where \(2, 3\) was requested"),
    (sampled, reads(h=torch.ones(2, 3)), r"with h of shape \(2, 3\), where \(2, 2\) was requested"),
    (sampled, reads(h=torch.full((2, 2), 0.5)), r"with states h that span \[0.5, 0.5\]"),
    (sampled, reads(v=torch.full((2, 3), float("nan"))), r"with states v that span \[nan, nan\]"),
    (sampled, reads(v=[[1, 0, 1], [0, 0, 0]]), "with a list as v, not a tensor"),
    (multiplied, Products(torch.ones(2, 3), COST), r"with y of shape \(2, 3\), where \(2, 4\) was requested"),
    (
        multiplied,
        Products(torch.full((2, 4), float("inf")), COST),
        r"with y that span \[inf, inf\]; they must be finite",
    ),
    (expected, Expectations(torch.full((2, 1), 1.5), COST), r"with values that span \[1.5, 1.5\]; they must be in"),
    (expected, Expectations(torch.ones(2), COST), r"with values of shape \(2,\), where \(\.\.\., 1\) was requested"),
    (expected, Expectations(torch.ones(1, 1), COST), r"with values of shape \(1, 1\), where \(2, 1\) was requested"),
    (counted, counts([[10, 0]]), r"with counts of shape \(1, 2\), where \(2, 2\) was requested"),
    (counted, counts([[9.5, 0.5], [5, 5]]), "with counts that are not whole numbers"),
    (sampled, reads(v=torch.full((2, 3), 1 + 1j)), "with complex numbers as v"),
    (sampled, reads(v=np.full((2, 3), "1")), "with a ndarray of <U1 as v, not a tensor"),
    (multiplied, Products(np.ones((2, 4), object), COST), "with a ndarray of object as y, not a tensor"),
    (counted, counts([[10, 0], [5, 4]]), "with counts that do not add up to the 10 shots"),
    (counted, counts([[11, -1], [5, 5]]), r"with counts that span \[-1, 11\]"),
]


@pytest.mark.parametrize(("ask", "answer", "fault"), BROKEN)
def test_an_answer_that_violates_the_protocol_is_refused_with_the_devices_name(
    ask: Callable[[Any], Any], answer: Any, fault: str
) -> None:
    with pytest.raises(UserError, match=rf"^backend\.lazy answered \w+ {fault}"):
        ask(answer)


def test_arrays_spins_booleans_and_counts_in_floats_are_converted() -> None:
    spins = sampled(reads(v=np.array([[1, -1, 1], [-1, -1, 1]], np.int8), h=torch.tensor([[True, False]] * 2)))
    assert spins.v.tolist() == [[1, 0, 1], [0, 0, 1]]
    assert spins.h.tolist() == [[1, 0], [1, 0]]
    assert spins.v.dtype == spins.h.dtype == torch.float32
    assert counted(counts([[10.0, 0.0], [5.0, 5.0]])).counts.dtype == torch.int64


@pytest.mark.parametrize("kind", ["i1", ">f8", "u2", "u8", "f2", np.longdouble])
def test_arrays_of_any_number_type_byte_order_and_direction_are_converted(kind: Any) -> None:
    bits = np.array([[1, 0, 1], [0, 0, 1]], kind)[::-1, ::-1]
    assert sampled(reads(v=bits)).v.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert multiplied(Products(np.ones((4, 2), kind).T, COST)).y.dtype == torch.float32
    assert expected(Expectations(np.zeros((2, 1), kind), COST)).values.is_floating_point()
    assert counted(Counts(np.array([[0, 10], [5, 5]], kind)[:, ::-1], COST)).counts.tolist() == [[10, 0], [5, 5]]


def test_arrays_that_are_read_only_are_converted_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    values = np.full((2, 1), 0.5)
    values.flags.writeable = False
    assert expected(Expectations(values, COST)).values.tolist() == [[0.5], [0.5]]
    assert not recwarn.list


def test_nan_answers_to_nan_angles_of_a_diverged_model_are_passed_on() -> None:
    nan = torch.full((2, 1), float("nan"))
    assert expected(Expectations(nan, COST), Angles(nan, ANGLES.shared)).values.isnan().all()


def test_results_of_methods_without_an_answer_protocol_are_passed_on() -> None:
    assert checked("lazy", "host", (), "anything") == "anything"


def test_answers_in_arrays_are_moved_to_the_gpu_on_which_the_caller_computes() -> None:
    with fake_cuda() as device:
        machine, angles = (type(each)(*(part.to(device) for part in each)) for each in (MACHINE, ANGLES))
        answers = [
            checked("lazy", "sample_rbm", (machine, 2, 0), reads(v=np.ones((2, 3)))).v,
            checked("lazy", "matmul", (X.to(device), W.to(device), 1, 0), Products(np.ones((2, 4)), COST)).y,
            checked("lazy", "expectation", (TURN, angles), Expectations(np.zeros((2, 1)), COST)).values,
            checked("lazy", "counts", (TURN, angles, 10, 0), Counts(np.full((2, 2), 5), COST)).counts,
        ]
        assert [answer.device.type for answer in answers] == ["cuda"] * 4
