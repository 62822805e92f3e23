"""The whole state of a stream engine: records of arrays, made, copied, and written to a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from neurobench.kernels.eprop.online_synapses import OnlineSynapses
from neurobench.kernels.eprop.records import LANES, Constants, Neurons, Past, Sources, Synapses
from neurobench.models.eprop.initial import Weights


class Recorded(NamedTuple):
    """Scratch rows of a step, and the steps that are recorded: those before `until`, row n - (first step)."""

    x: np.ndarray  # (N + 1,) float64
    y: np.ndarray  # (K,) float64
    signal: np.ndarray  # (N,) float64
    until: int
    v: np.ndarray  # (R, N) float64
    z: np.ndarray  # (R, N) uint8
    psi: np.ndarray  # (R, N) float64
    L: np.ndarray  # (R, N) float64, row n holds L of n - 2
    out: np.ndarray  # (R, K) float64
    error: np.ndarray  # (R, K) float64


def recording(c: Constants, n0: int, steps: int) -> Recorded:
    rows = [(steps, c.N), (steps, c.N), (steps, c.N), (steps, c.K), (steps, c.K)]
    v, psi, L, out, error = (np.zeros(shape) for shape in rows)
    return Recorded(
        np.zeros(c.N + 1),
        np.zeros(c.K),
        np.zeros(c.N),
        n0 + steps,
        v,
        np.zeros((steps, c.N), np.uint8),
        psi,
        L,
        out,
        error,
    )


def synapses(weights: Weights) -> Synapses:
    """Rows by source, targets ascending, filled up to whole vectors."""
    N = len(weights.w_in)
    matrix = np.concatenate([weights.w_in, weights.w_rec], 1)
    mask = np.concatenate([weights.mask_in, weights.mask_rec], 1)
    start, target, w = [0], [], []
    for i in range(matrix.shape[1]):
        there = np.flatnonzero(mask[:, i])
        idle = -len(there) % LANES
        target.append(np.concatenate([there, np.full(idle, N)]))
        w.append(np.concatenate([matrix[there, i], np.zeros(idle)]))
        start.append(start[-1] + len(target[-1]))
    P, flat = start[-1], np.concatenate(w)
    out = np.ascontiguousarray(weights.w_out.T)
    return Synapses(
        start=np.array(start, np.int64),
        target=np.concatenate(target).astype(np.int64),
        w=flat,
        w_first=flat.copy(),
        w_out=out,
        mask_out=np.ascontiguousarray(weights.mask_out.T).astype(np.uint8),
        w_first_out=out.copy(),
        **{name: np.zeros(P) for name in ("e_bar", "e_reg", "g", "eps", "pending", "m", "v")},
        **{f"{name}_out": np.zeros(out.shape) for name in ("g", "pending", "m", "v")},
    )


def dense(syn: Synapses | OnlineSynapses, c: Constants) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W_in (N, I), W_rec (N, N), W_out (K, N), 0 where there is no synapse."""
    matrix = np.zeros((c.N + 1, len(syn.start) - 1))
    source = np.repeat(np.arange(len(syn.start) - 1), np.diff(syn.start))
    matrix[syn.target, source] = syn.w
    return matrix[: c.N, : c.inputs], matrix[: c.N, c.inputs :], syn.w_out.T.copy()


def sources(c: Constants) -> Sources:
    S = c.inputs + c.N
    return Sources(
        np.zeros((S, 2)),
        np.zeros(S),
        np.full(S, -1, np.int64),
        np.zeros(S, np.int64),
        np.zeros(S),
        np.ones(S, np.int64),
        np.ones((S, 2)),
    )


def neurons(c: Constants) -> Neurons:
    N, K = c.N, c.K
    return Neurons(
        np.zeros(N),
        np.zeros(N),
        np.zeros(N, np.int64),
        np.zeros(N),
        np.zeros(N),
        np.zeros(N, np.uint8),
        np.zeros(K),
        np.zeros(K),
    )


def past(c: Constants) -> Past:
    rows = c.T + 4
    return Past(
        np.zeros((rows, c.N + 1, 2)),
        np.zeros((rows, c.N + 1)),
        np.zeros(rows, np.uint8),
        np.zeros((rows, c.K)),
        np.zeros(rows, np.uint8),
        np.zeros(rows),
    )


def copied(record: Any) -> Any:
    return type(record)(*(part.copy() for part in record))


def stored(record: Any) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(part.copy()) for name, part in record._asdict().items()}


def restore(record: Any, state: Mapping[str, torch.Tensor]) -> Any:
    return type(record)(*(state[name].numpy().astype(part.dtype) for name, part in record._asdict().items()))
