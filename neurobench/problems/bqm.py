"""A machine as a binary quadratic model of the same energy, as annealers take it; and its files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import dimod
import numpy as np
import torch

from neurobench.problems.rbm import RBM


def to_bqm(rbm: RBM) -> dimod.BinaryQuadraticModel:
    """E(x) = -a.v - b.h - v'Wh over x = (v, h) in {0, 1}: variables 0..V-1 are visible, V..V+H-1 hidden.

    `change_vartype("SPIN")` gives the Ising form with its offset: s = 2x - 1, J = -W/4,
    h_i = -(a_i/2 + sum_j W_ij/4), h_j = -(b_j/2 + sum_i W_ij/4).
    """
    W, a, b = (part.detach().cpu().numpy().astype(np.float64) for part in rbm)
    visible, hidden = W.shape
    row, column = np.divmod(np.arange(W.size), hidden)
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        np.concatenate([-a, -b]), (row, column + visible, -W.ravel()), 0.0, dimod.BINARY
    )


def from_bqm(bqm: dimod.BinaryQuadraticModel, visible: int) -> RBM:
    """The machine whose units 0..visible-1 are visible. Raises ValueError where units of one layer touch."""
    binary = bqm.change_vartype(dimod.BINARY, inplace=False)
    order = sorted(binary.variables)
    linear, (row, column, weight), _ = binary.to_numpy_vectors(order)
    if not 0 < visible < len(linear):
        raise ValueError(f"visible={visible} leaves no hidden unit: the model has {len(linear)} variables")
    top, bottom = np.minimum(row, column), np.maximum(row, column)
    if ((top >= visible) | (bottom < visible)).any():
        raise ValueError(f"with {visible} visible units some units of one layer touch: this is no restricted machine")
    W = np.zeros((visible, len(linear) - visible), np.float32)
    W[top, bottom - visible] = -weight
    a, b = np.split(-np.asarray(linear, np.float32), [visible])
    return RBM(torch.from_numpy(W), torch.from_numpy(a.copy()), torch.from_numpy(b.copy()))


def files(rbm: RBM) -> Mapping[str, Callable[[], bytes]]:
    """Format -> what makes the file's bytes."""
    return {"bqm": partial(bqm_file, rbm), "json": partial(json_file, rbm)}


def bqm_file(rbm: RBM) -> bytes:
    """dimod's own file format; `dimod.BinaryQuadraticModel.from_file` reads it."""
    with to_bqm(rbm).to_file() as file:
        return file.read()


def json_file(rbm: RBM) -> bytes:
    """{"n_visible", "n_hidden", "energy", "W" (rows of visible units), "a", "b"}: for every other program."""
    W, a, b = (part.detach().cpu().tolist() for part in rbm)
    energy = "E(v, h) = -a.v - b.h - v'Wh over v, h in {0, 1}"
    record = {"format": "rbm", "energy": energy, "n_visible": len(a), "n_hidden": len(b), "W": W, "a": a, "b": b}
    return json.dumps(record, allow_nan=False).encode()


def read_file(data: bytes, visible: int) -> RBM:
    """What `bqm_file` or `json_file` wrote. Raises ValueError for anything else."""
    if data.startswith(b"{"):
        return _from_json(json.loads(data))
    return from_bqm(dimod.BinaryQuadraticModel.from_file(io.BytesIO(data)), visible)


def _from_json(record: dict[str, Any]) -> RBM:
    if record.get("format") != "rbm":
        raise ValueError(f'its "format" is {record.get("format")!r}, not "rbm"')
    return RBM(*(torch.tensor(record[name], dtype=torch.float32) for name in ("W", "a", "b")))
