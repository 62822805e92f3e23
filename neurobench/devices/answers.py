"""Checks of devices' answers on arrival: shapes, domain and costs of each kind of answer.

Callers can then rely on the protocols in the subpackages of the kinds, whoever wrote the device. Equivalent forms are
converted: arrays to tensors, other number types to those of the protocol, spins to bits. Answers are moved to the GPU
on which the caller computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.problems.circuit import Angles, Program
from neurobench.problems.rbm import RBM

Refuse = Callable[[str], NoReturn]


def checked(device: str, verb: str, request: tuple[Any, ...], answer: Any) -> Any:
    """Check and convert a device's answer to `verb(*request)`. Raises UserError with the device's name."""

    def refuse(fault: str) -> NoReturn:
        raise UserError(
            f"backend.{device} answered {verb} {fault}. Its answer is not used; repair or change the device."
        )

    if verb not in _ANSWERS:
        return answer
    fields = tuple(getattr(answer, "_fields", ()))
    wanted, check = _ANSWERS[verb]
    if missing := [name for name in (*wanted, "cost") if name not in fields]:
        refuse(f"with a {type(answer).__name__} without {', '.join(missing)}")
    _check_cost(answer.cost, refuse)
    try:
        return answer._replace(**check(refuse, answer, *request))
    except UserError:
        if all(bool(torch.isfinite(x).all()) for x in _tensors(request)):
            raise
        return answer  # not the fault of the device: the model has diverged, which the training loop reports


def _tensors(request: tuple[Any, ...]) -> Iterator[Tensor]:
    for value in request:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple):
            yield from _tensors(value)


def _check_cost(cost: Any, refuse: Refuse) -> None:
    if not isinstance(cost, Mapping):
        refuse(f"with a cost that is a {type(cost).__name__}, not a mapping of names to numbers")
    for name, value in cost.items():
        number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0:
            refuse(f"with {value!r} as its cost in {name}, which is not a finite number of at least 0")


def _reads(refuse: Refuse, answer: Any, rbm: RBM, num_reads: int, *_: Any) -> dict[str, Tensor]:
    visible, hidden = rbm.W.shape
    return {
        "v": _bits(refuse, "v", answer.v, (num_reads, visible), rbm.W),
        "h": _bits(refuse, "h", answer.h, (num_reads, hidden), rbm.W),
    }


def _bits(refuse: Refuse, name: str, values: Any, shape: tuple[int, ...], like: Tensor) -> Tensor:
    x = _tensor(refuse, name, values, shape).to(like)
    compared = x.numpy() if x.device.type == "cpu" else x  # numpy compares six times as fast
    if bool(((compared == 0) | (compared == 1)).all()):  # False if any is NaN
        return x
    if not bool((x * x == 1).all()):
        low, high = (float(bound) for bound in torch.aminmax(x))
        refuse(f"with states {name} that span [{low:g}, {high:g}], where only 0 and 1 are allowed")
    return (x + 1) / 2


def _products(refuse: Refuse, answer: Any, x: Tensor, w: Tensor, *_: Any) -> dict[str, Tensor]:
    y = _tensor(refuse, "y", answer.y, (*x.shape[:-1], w.shape[1])).to(x)
    if math.isfinite(y.detach().sum()):  # no NaN or infinity among them; takes half the time of finding the extremes
        return {"y": y}
    return {"y": _within(refuse, "y", y, -math.inf, math.inf)}


def _expectations(refuse: Refuse, answer: Any, program: Program, angles: Angles, *_: Any) -> dict[str, Tensor]:
    values = _of_circuits(refuse, "values", answer.values, angles, len(program.observables))
    if not values.is_floating_point():
        values = values.to(angles.sample.dtype)
    return {"values": _within(refuse, "values", values, -1 - _ROUNDING, 1 + _ROUNDING)}


def _counts(refuse: Refuse, answer: Any, program: Program, angles: Angles, shots: int, *_: Any) -> dict[str, Tensor]:
    counts = _of_circuits(refuse, "counts", answer.counts, angles, 2**program.n)
    adding_up = counts.sum(-1) == shots
    if not bool((adding_up & (counts >= 0).all(-1)).all()):
        _within(refuse, "counts", counts, 0, shots)
        refuse(f"with counts that do not add up to the {shots} shots of each circuit")
    whole = counts.to(torch.int64)
    if not bool((whole == counts).all()):
        refuse("with counts that are not whole numbers")
    return {"counts": whole}


def _of_circuits(refuse: Refuse, name: str, values: Any, angles: Angles, last: int) -> Tensor:
    """Require a tensor (..., last), with a row for each circuit: a single one would be broadcast to the others."""
    x = _tensor(refuse, name, values, (..., last))
    return _tensor(refuse, name, x, (*angles.rows, last)).to(angles.sample.device)


def _tensor(refuse: Refuse, name: str, values: Any, shape: tuple[Any, ...]) -> Tensor:
    """Require a tensor of real numbers and of this shape, in which a leading `...` stands for any leading axes; convert
    arrays."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        # torch takes neither negative strides, as of x[::-1], nor foreign byte orders, nor more than 64 bits, and warns
        # of arrays that are read-only, as those of JAX are
        native = np.float64 if values.dtype == np.longdouble else values.dtype.newbyteorder("=")
        values = torch.from_numpy(np.require(values, native, ["C", "W"]))
    if not isinstance(values, Tensor):
        kind = f" of {values.dtype}" if isinstance(values, np.ndarray) else ""
        refuse(f"with a {type(values).__name__}{kind} as {name}, not a tensor")
    if values.is_complex():
        refuse(f"with complex numbers as {name}")
    if values.dtype in _UNSIGNED:
        values = values.to(torch.int64)
    last = shape[1:] if shape[0] is ... else shape
    got = tuple(values.shape)
    if got[-len(last) :] != last or (shape[0] is not ... and len(got) != len(shape)):
        wanted = ", ".join("..." if side is ... else str(side) for side in shape)
        refuse(f"with {name} of shape {got}, where ({wanted}) was requested")
    return values


def _within(refuse: Refuse, name: str, values: Tensor, low: float, high: float) -> Tensor:
    if values.numel():
        least, most = (float(bound) for bound in torch.aminmax(values.detach()))
        if not (math.isfinite(least) and math.isfinite(most) and low <= least and most <= high):
            bounds = f"in [{low:g}, {high:g}]" if math.isfinite(high) else "finite"
            refuse(f"with {name} that span [{least:g}, {most:g}]; they must be {bounds}")
    return values


_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)  # for which torch has hardly any functions
_ROUNDING = 1e-4  # an expectation in float32 may leave [-1, 1] by this much
_ANSWERS: Mapping[str, tuple[tuple[str, ...], Callable[..., dict[str, Tensor]]]] = {
    "sample_rbm": (("v", "h"), _reads),
    "matmul": (("y",), _products),
    "expectation": (("values",), _expectations),
    "counts": (("counts",), _counts),
}
