"""What a prediction costs: an accumulation for each synapse that a spike meets, a change for each moving potential.

Two events of an input in one step are two spikes. A spike counts where it arrives, a step after it was fired; one of
a sample's last step arrives nowhere, or in the next sample of a stream. Readouts have a membrane and no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.kernels.eprop.forward import Samples, Tally, count
from neurobench.kernels.eprop.stream import delay
from neurobench.metrics.operations import Operations, Population, synapses
from neurobench.models.eprop.bsshslm import BsshslmEngine, course
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.engines import Engine
from neurobench.models.eprop.exact import NOTHING, ExactEngine, Spikes
from neurobench.models.eprop.minibatch import MinibatchEngine

_AT_ONCE = 20  # samples of a stream that are recorded: bounds memory


class Traffic(NamedTuple):
    """Of n samples."""

    inputs: np.ndarray  # (I,) int64 spikes of each input that arrived
    recurrent: np.ndarray  # (N,) int64
    fired: int
    membranes: int  # changes
    readouts: int


class Held(NamedTuple):
    """What the engine keeps for predictions, in its own types."""

    weights: tuple[np.ndarray, np.ndarray, np.ndarray]  # (N, I), (N, N), (K, N): 0 where there is no synapse
    parameters: Mapping[str, np.ndarray]
    buffers: Mapping[str, np.ndarray]


def of_network(engine: Engine, spikes: Spikes, n: int) -> Operations:
    """Of n samples, predicted from the engine's state."""
    if isinstance(engine, ChipEngine):
        c, seen, held = engine.c, _of_chip(engine, spikes, n), _on_chip(engine)
    elif isinstance(engine, BsshslmEngine):
        c, seen, held = engine.c, _of_courses(engine, spikes, n), _in_matrices(engine)
    elif isinstance(engine, MinibatchEngine):
        c, seen, held = engine.c, _of_batch(engine, spikes, n), _in_matrices(engine)
    else:
        assert isinstance(engine, ExactEngine)
        c, seen, held = engine.c, _of_stream(engine, spikes, n), _in_lists(engine)
    steps = n * c.T
    w_in, w_rec, w_out = (torch.from_numpy(np.ascontiguousarray(w)) for w in held.weights)
    inputs, recurrent = torch.from_numpy(seen.inputs), torch.from_numpy(seen.recurrent)
    return Operations(
        samples=n,
        steps=steps,
        connections=[
            synapses("input", w_in, inputs, steps, spikes=True),
            synapses("recurrent", w_rec, recurrent, steps, spikes=True),
            synapses("readout", w_out, recurrent, steps, spikes=True),
        ],
        populations=[
            Population("hidden", seen.fired, steps * c.N, seen.membranes),
            Population("readout", 0, 0, seen.readouts),
        ],
        parameters=_tensors(held.parameters),
        buffers=_tensors(held.buffers),
    )


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


def _of_chip(engine: ChipEngine, spikes: Spikes, n: int) -> Traffic:
    seen = engine.watched(spikes, n)
    membranes, readouts = (int(number) for number in seen.changed)
    return Traffic(_within(engine, spikes, n), seen.arrived, int(seen.answer.counts.sum()), membranes, readouts)


def _within(engine: ChipEngine, spikes: Spikes, n: int) -> np.ndarray:
    """Spikes of each input but those of step T, which belong to no sample."""
    step = np.repeat(np.arange(len(spikes.start) - 1), np.diff(spikes.start)) % (engine.c.T + 1)
    return np.bincount(spikes.source[step < engine.c.T], minlength=engine.c.inputs)


def _on_chip(engine: ChipEngine) -> Held:
    """Whole LSB, a byte each where they fit in one; places without a synapse are held as well."""
    kind = np.int8 if engine.w_limit < 2**7 else np.int16
    w_in, w_rec, w_out = (w.T.astype(kind) for w in (engine.w.w_in, engine.w.w_rec, engine.w.w_out))
    return Held((w_in, w_rec, w_out), {"w_in": w_in, "w_rec": w_rec, "w_out": w_out}, {})


def _of_batch(engine: MinibatchEngine, spikes: Spikes, n: int) -> Traffic:
    c = engine.c
    tally = Tally(np.zeros(c.inputs, np.int64), np.zeros(c.N, np.int64), np.zeros(3, np.int64))
    count(c, engine.numbers, engine.network(), Samples(*spikes, np.full(n, NOTHING)), tally)
    return Traffic(tally.inputs, tally.recurrent, *(int(number) for number in tally.sums))


def _of_courses(engine: BsshslmEngine, spikes: Spikes, n: int) -> Traffic:
    c, weights = engine.c, engine.weights()
    step = np.repeat(np.arange(len(spikes.start) - 1), np.diff(spikes.start)) % (c.T + 1)
    inputs = np.bincount(spikes.source[(step > 0) & (step < c.T)], minlength=c.inputs)
    recurrent, tally = np.zeros(c.N, np.int64), np.zeros(3, np.int64)
    for g in range(n):
        one = course(c, engine.rule, weights, spikes, g)
        recurrent += one.z[:-1].sum(0, dtype=np.int64)
        moved = one.z.astype(bool) | (np.diff(one.v, axis=0, prepend=0.0) != 0)
        y = np.concatenate([np.zeros((1, c.K)), one.y[:-1]])  # as the readouts have it
        moved_out = np.diff(y, axis=0, prepend=0.0) != 0
        tally += one.z.sum(dtype=np.int64), _updates(moved, c.T), _updates(moved_out, c.T)
    return Traffic(inputs, recurrent, *(int(number) for number in tally))


def _in_matrices(engine: MinibatchEngine) -> Held:
    """Inputs and readouts with all their places, recurrent synapses as a list with their targets."""
    w_in, w_rec, w_out = engine.weights()
    parameters = {"w_in": w_in, "w_rec": engine.w.w_rec, "w_out": w_out}
    return Held((w_in, w_rec, w_out), parameters, engine.wires._asdict())


def _of_stream(engine: ExactEngine, spikes: Spikes, n: int) -> Traffic:
    """Step r of sample g is step g T + r + 2 of the stream from here on: a silent sample is added to see them all."""
    c, T = engine.c, engine.c.T
    longer = Spikes(np.append(spikes.start, np.full(T + 1, spikes.start[-1])), spikes.source)
    start, source = delay(*longer, *engine.waiting, T)
    inputs = np.bincount(source[start[2] : start[2 + n * T]], minlength=c.inputs)
    v, y = engine.s.v[None], engine.s.y[None]
    fired, changed, changed_out = [], [], []
    running = engine.copy()
    for first in range(0, n + 1, _AT_ONCE):
        some = min(_AT_ONCE, n + 1 - first)
        at = longer.start[first * (T + 1) : (first + some) * (T + 1) + 1]
        part = Spikes(at - at[0], longer.source[at[0] : at[-1]])
        seen = running.learn(part, np.full(some, NOTHING), 0.0, record=some * T, frozen=True).recorded
        fired.append(seen.z.astype(bool))
        changed.append(fired[-1] | (np.diff(seen.v, axis=0, prepend=v) != 0))
        changed_out.append(np.diff(seen.out, axis=0, prepend=y) != 0)
        v, y = seen.v[-1:].copy(), seen.out[-1:].copy()
    z = np.concatenate(fired)
    membranes, readouts = (_updates(np.concatenate(part)[2 : 2 + n * T], T) for part in (changed, changed_out))
    return Traffic(inputs, z[1 : 1 + n * T].sum(0), int(z[2 : 2 + n * T].sum()), membranes, readouts)


def _updates(changed: np.ndarray, T: int) -> int:
    """changed (n T, units): all are counted in a sample's first step."""
    changed[::T] = True
    return int(changed.sum())


def _in_lists(engine: ExactEngine) -> Held:
    """Synapses by source with their targets, without the places that fill up a vector."""
    there = engine.syn.target < engine.c.N
    parameters = {"w": engine.syn.w[there], "w_out": engine.syn.w_out}
    buffers = {"start": engine.syn.start, "target": engine.syn.target[there], "mask_out": engine.syn.mask_out}
    return Held(engine.weights(), parameters, buffers)
