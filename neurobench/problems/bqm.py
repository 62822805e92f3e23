"""One problem in the forms that samplers accept, all of the same energy: a restricted Boltzmann machine, a dimod model,
units in {0, 1}, spins in {-1, 1}; and its files."""

from __future__ import annotations

import json
from typing import NamedTuple

import dimod
import numpy as np
import torch
from torch import Tensor

from neurobench.problems import coo, dimod_file
from neurobench.problems.rbm import RBM


class Units(NamedTuple):
    """Binary units: E(x) = -bias.x - x'Cx / 2 over x in {0, 1}^N."""

    coupling: Tensor  # (N, N) float32, C: symmetric with a diagonal of zeros
    bias: Tensor  # (N,) float32, or (R, N) with one for every read


class Ising(NamedTuple):
    """Spins: E(s) = h.s + s'Js / 2 over s in {-1, 1}^N, up to a constant the energy of the units x = (s + 1) / 2."""

    J: Tensor  # (N, N) symmetric with a diagonal of zeros: each pair is counted once
    h: Tensor  # (N,), or (R, N) with one for every read


def units_of_bqm(bqm: dimod.BinaryQuadraticModel) -> Units:
    """Units of a dimod model in the order of `bqm.variables`, without the constant of the energy."""
    binary = bqm.change_vartype(dimod.BINARY, inplace=False)
    linear, (row, column, bias), _ = binary.to_numpy_vectors(list(bqm.variables))
    coupling = torch.zeros(len(linear), len(linear))
    coupling[row, column] = coupling[column, row] = -torch.from_numpy(np.asarray(bias, np.float32))
    return Units(coupling, -torch.from_numpy(np.asarray(linear, np.float32)))


def units_of_rbm(rbm: RBM) -> Units:
    """Units of an RBM, x = (v, h): C = [0 W; W' 0], bias = (a, b)."""
    visible, n = len(rbm.W), sum(rbm.W.shape)
    coupling = torch.zeros(n, n)
    coupling[:visible, visible:] = rbm.W
    coupling[visible:, :visible] = rbm.W.t()
    return Units(coupling, torch.cat([rbm.a, rbm.b], dim=-1).cpu())


def rbm_of_units(units: Units, visible: int) -> RBM:
    """RBM of units of which the first `visible` are not coupled to each other, nor are the others."""
    W, a, b = units.coupling[:visible, visible:], units.bias[..., :visible], units.bias[..., visible:]
    return RBM(W.contiguous(), a.contiguous(), b.contiguous())


def ising_of_units(units: Units) -> Ising:
    """Spins of units: J = -C/4,  h_i = -(bias_i / 2 + sum_j C_ij / 4)"""
    C = units.coupling.double()
    return Ising(-C / 4, -(units.bias.double() / 2 + C.sum(1) / 4))


def units_of_ising(ising: Ising) -> Units:
    """Units of spins: C = -4J,  bias_i = 2 sum_j J_ij - 2 h_i"""
    return Units((-4 * ising.J).float(), (2 * ising.J.sum(1) - 2 * ising.h).float())


def energies(units: Units, x: Tensor) -> Tensor:
    """Energies E(x) = -bias.x - x'Cx / 2.   (R, N) -> (R,)"""
    return -(x * (units.bias + x @ units.coupling / 2)).sum(-1)


def sampleset(x: Tensor, bqm: dimod.BinaryQuadraticModel, **info: object) -> dimod.SampleSet:
    """Sample set of states (R, N) in {0, 1}, ordered as `bqm.variables`, with the energies of the model as given."""
    states = x.numpy().astype(np.int8)
    if bqm.vartype is dimod.SPIN:
        states = 2 * states - 1
    return dimod.SampleSet.from_samples_bqm((states, list(bqm.variables)), bqm, info=dict(info))


def to_bqm(rbm: RBM) -> dimod.BinaryQuadraticModel:
    """Dimod model of E(x) = -a.v - b.h - v'Wh over x = (v, h) in {0, 1}: variables 0..V-1 are visible, V..V+H-1 hidden.

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
    """RBM whose units 0..visible-1 are visible. Raises ValueError if variables have names or gaps instead of the
    numbers 0..N-1, which say what is which unit; if units of one layer are coupled; or if none is hidden."""
    binary = bqm.change_vartype(dimod.BINARY, inplace=False)
    order = range(len(binary.variables))
    if missing := [k for k in order if k not in binary.variables]:
        raise ValueError(
            f"its {len(order)} variables are not the numbers 0 to {len(order) - 1}, visible units first: "
            f"there is no {missing[0]}"
        )
    linear, (row, column, weight), _ = binary.to_numpy_vectors(list(order))
    if not 0 < visible < len(linear):
        raise ValueError(f"visible={visible} leaves no hidden unit: the model has {len(linear)} variables")
    top, bottom = np.minimum(row, column), np.maximum(row, column)
    if ((top >= visible) | (bottom < visible)).any():
        raise ValueError(
            f"with {visible} visible units some units of one layer are coupled: this is no restricted Boltzmann machine"
        )
    W = np.zeros((visible, len(linear) - visible), np.float32)
    W[top, bottom - visible] = -weight
    a, b = np.split(-np.asarray(linear, np.float32), [visible])
    return RBM(torch.from_numpy(W), torch.from_numpy(a.copy()), torch.from_numpy(b.copy()))


def bqm_file(rbm: RBM) -> bytes:
    """RBM in dimod's file format, which `dimod.BinaryQuadraticModel.from_file` reads."""
    with to_bqm(rbm).to_file() as file:
        return file.read()


def coo_file(rbm: RBM) -> bytes:
    """RBM as text of coordinates, see `coo`."""
    return coo.write(to_bqm(rbm))


def json_file(rbm: RBM) -> bytes:
    """RBM as JSON for all other programs; the rows of "W" are visible units."""
    W, a, b = (part.detach().cpu().tolist() for part in rbm)
    energy = "E(v, h) = -a.v - b.h - v'Wh over v, h in {0, 1}"
    record = {"format": "rbm", "energy": energy, "n_visible": len(a), "n_hidden": len(b), "W": W, "a": a, "b": b}
    return json.dumps(record, allow_nan=False).encode()


def read_file(data: bytes, visible: int) -> RBM:
    """RBM from a file of dimod, of coordinates or of `json_file`. Raises ValueError for anything else."""
    if data.startswith(dimod_file.MAGIC):
        return from_bqm(dimod_file.read(data), visible)
    text = data.decode("utf-8-sig")
    return _of_json(text) if text.lstrip().startswith("{") else from_bqm(coo.read(text), visible)


def _of_json(text: str) -> RBM:
    """RBM of `json_file`'s record. Raises ValueError if parts are missing or do not fit each other."""
    try:
        record = json.loads(text)
    except RecursionError:
        raise ValueError("its lists are nested too deeply") from None
    if record.get("format") != "rbm":
        raise ValueError(f'its "format" is {record.get("format")!r}, not "rbm"')
    if absent := [name for name in ("W", "a", "b") if name not in record]:
        raise ValueError(f'it has no "{absent[0]}"')
    try:
        W, a, b = (torch.tensor(record[name], dtype=torch.float32) for name in ("W", "a", "b"))
    except (OverflowError, TypeError, ValueError) as fault:
        raise ValueError(f'its "W", "a" and "b" are not lists of numbers: {fault}') from fault
    if a.ndim != 1 or b.ndim != 1 or W.shape != (len(a), len(b)):
        shapes = ", ".join(f'"{name}" {tuple(part.shape)}' for name, part in (("W", W), ("a", a), ("b", b)))
        raise ValueError(f"its shapes are {shapes}, not (V, H), (V,) and (H,)")
    return RBM(W, a, b)
