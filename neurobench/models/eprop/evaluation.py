"""What NEST's tutorial prints of a run, and what a prediction costs: an accumulation for each synapse that a spike
meets, a change for each moving potential.

Two events of an input in one step are two spikes. A spike counts where it arrives, a step after it was fired; one of
a sample's last step arrives nowhere, or in the next sample of a stream. Readouts have a membrane and no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.data.dataset import Splits
from neurobench.kernels.eprop.forward import Samples, Tally, count
from neurobench.kernels.eprop.stream import delay
from neurobench.metrics.operations import Operations, Population, synapses
from neurobench.models.eprop.bsshslm import BsshslmEngine, simulate
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.learner import EpropLearner, sums
from neurobench.models.eprop.minibatch import MinibatchEngine
from neurobench.models.eprop.network import NO_TARGET, Engine, Matrices, Response
from neurobench.models.eprop.stream import ExactEngine
from neurobench.models.learner import TrainingRecord

ITERATIONS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200)  # of which the tutorial prints loss and error
_AT_ONCE = 20  # samples of a stream that are recorded: bounds memory


def tutorial_metrics(learner: EpropLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """In the test phase the stream goes on, with targets, at learning rate 0. A source that is silent when the test
    begins still applies its last gradient, to which errors on the test's first targets can belong."""
    metrics = {}
    courses = zip(record.updates.get("loss", []), record.updates.get("accuracy", []), strict=True)
    for number, (loss, accuracy) in enumerate(courses, 1):
        if number in ITERATIONS:
            metrics[f"loss_iteration_{number}"] = loss
            metrics[f"error_iteration_{number}"] = 1.0 - accuracy
    if learner.before_pending is not None:
        x, y = splits.test.batch(slice(None))
        stream, labels = learner.before_pending.copy(), y.numpy()
        tested = sums(Response(*stream.learn(learner.encode(x), labels, 0.0)[:2]), labels).named()
        metrics["nest_test_loss"] = tested["loss"] / len(y)
        metrics["nest_test_error"] = 1.0 - tested["correct"] / len(y)
    return metrics


class Traffic(NamedTuple):
    """Of n samples."""

    inputs: np.ndarray  # (I,) int64 spikes of each input that arrived
    recurrent: np.ndarray  # (N,) int64
    fired: int
    membranes: int  # changes
    readouts: int


class Memory(NamedTuple):
    """What the engine needs to predict, in its own types."""

    weights: Matrices  # 0 where there is no synapse
    parameters: Mapping[str, np.ndarray]
    buffers: Mapping[str, np.ndarray]


def operations(learner: EpropLearner, x: Any) -> Operations:
    """From the same state as `predict`."""
    return of_engine(learner.engine, learner.inputs.encode(x, learner.c.T), len(x))


def of_engine(engine: Engine, spikes: Spikes, n: int) -> Operations:
    """Of n samples, predicted from the engine's state."""
    traffic, held, steps = count_traffic(engine, spikes, n), memory(engine), n * engine.c.T
    arrivals = traffic.inputs, traffic.recurrent, traffic.recurrent
    kinds = zip(("input", "recurrent", "readout"), held.weights, arrivals, strict=True)
    connections = [synapses(name, _tensor(w), _tensor(arrived), steps, spikes=True) for name, w, arrived in kinds]
    hidden = Population("hidden", traffic.fired, steps * engine.c.N, traffic.membranes)
    populations = [hidden, Population("readout", 0, 0, traffic.readouts)]
    parameters, buffers = (
        {name: _tensor(array) for name, array in arrays.items()} for arrays in (held.parameters, held.buffers)
    )
    return Operations(n, steps, connections, populations, parameters, buffers)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


@singledispatch
def count_traffic(engine: Engine, spikes: Spikes, n: int) -> Traffic:
    raise TypeError(f"{type(engine).__name__} has no count of its spikes")


@singledispatch
def memory(engine: Engine) -> Memory:
    raise TypeError(f"{type(engine).__name__} has no list of its memory")


@count_traffic.register
def _(engine: ChipEngine, spikes: Spikes, n: int) -> Traffic:
    counted = engine.counted(spikes, n)
    inputs = np.bincount(spikes.source[_steps(spikes, engine.c.T) < engine.c.T], minlength=engine.c.inputs)
    return Traffic(inputs, counted.arrived, int(counted.response.counts.sum()), *counted.changed.tolist())


@memory.register
def _(engine: ChipEngine) -> Memory:
    """Whole LSB, a byte each where they fit in one; places without a synapse are held as well."""
    kind = np.int8 if engine.w_limit < 2**7 else np.int16
    w_in, w_rec, w_out = (w.T.astype(kind) for w in (engine.w.w_in, engine.w.w_rec, engine.w.w_out))
    return Memory((w_in, w_rec, w_out), {"w_in": w_in, "w_rec": w_rec, "w_out": w_out}, {})


@count_traffic.register
def _(engine: MinibatchEngine, spikes: Spikes, n: int) -> Traffic:
    c = engine.c
    tally = Tally(np.zeros(c.inputs, np.int64), np.zeros(c.N, np.int64), np.zeros(3, np.int64))
    count(c, engine.numbers, engine.network(), Samples(*spikes, np.full(n, NO_TARGET)), tally)
    return Traffic(tally.inputs, tally.recurrent, *tally.sums.tolist())


@memory.register
def _(engine: MinibatchEngine) -> Memory:
    """Inputs and readouts with all their places, recurrent synapses as a list with their targets."""
    w_in, w_rec, w_out = engine.weights()
    parameters = {"w_in": w_in, "w_rec": engine.w.w_rec, "w_out": w_out}
    return Memory((w_in, w_rec, w_out), parameters, engine.recurrent._asdict())


@count_traffic.register
def _(engine: BsshslmEngine, spikes: Spikes, n: int) -> Traffic:
    c, weights, step = engine.c, engine.weights(), _steps(spikes, engine.c.T)
    inputs = np.bincount(spikes.source[(step > 0) & (step < c.T)], minlength=c.inputs)
    recurrent, sums = np.zeros(c.N, np.int64), np.zeros(3, np.int64)
    for g in range(n):
        one = simulate(c, engine.rule, weights, spikes, g)
        recurrent += one.z[:-1].sum(0, dtype=np.int64)
        moved = one.z.astype(bool) | (np.diff(one.v, axis=0, prepend=0.0) != 0)
        y = np.concatenate([np.zeros((1, c.K)), one.y[:-1]])  # as the readouts have it
        moved_out = np.diff(y, axis=0, prepend=0.0) != 0
        sums += one.z.sum(dtype=np.int64), _updates(moved, c.T), _updates(moved_out, c.T)
    return Traffic(inputs, recurrent, *sums.tolist())


@count_traffic.register
def _(engine: ExactEngine, spikes: Spikes, n: int) -> Traffic:
    """Step r of sample g is step g T + r + 2 of the stream from here on: a silent sample is added to see them all."""
    c, T = engine.c, engine.c.T
    longer = Spikes(np.append(spikes.start, np.full(T + 1, spikes.start[-1])), spikes.source)
    start, source = delay(*longer, *engine.waiting, T)
    inputs = np.bincount(source[start[2] : start[2 + n * T]], minlength=c.inputs)
    z, moved, moved_out = (part[: 2 + n * T] for part in _stream(engine, longer, n + 1))
    membranes, readouts = _updates(moved[2:], T), _updates(moved_out[2:], T)
    return Traffic(inputs, z[1:-1].sum(0), int(z[2:].sum()), membranes, readouts)


def _stream(engine: ExactEngine, spikes: Spikes, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n T, units) bool of n samples: spikes, and changes of membranes and of readouts."""
    T, running = engine.c.T, engine.copy()
    v, y = engine.s.v[None], engine.s.y[None]
    fired, moved, moved_out = [], [], []
    for first in range(0, n, _AT_ONCE):
        some = min(_AT_ONCE, n - first)
        at = spikes.start[first * (T + 1) : (first + some) * (T + 1) + 1]
        part = Spikes(at - at[0], spikes.source[at[0] : at[-1]])
        steps = running.learn(part, np.full(some, NO_TARGET), 0.0, record=some * T, frozen=True).recording
        fired.append(steps.z.astype(bool))
        moved.append(fired[-1] | (np.diff(steps.v, axis=0, prepend=v) != 0))
        moved_out.append(np.diff(steps.out, axis=0, prepend=y) != 0)
        v, y = steps.v[-1:].copy(), steps.out[-1:].copy()
    return np.concatenate(fired), np.concatenate(moved), np.concatenate(moved_out)


@memory.register
def _(engine: ExactEngine) -> Memory:
    """Synapses by source with their targets, without the places that fill up a vector."""
    real = engine.syn.target < engine.c.N
    parameters = {"w": engine.syn.w[real], "w_out": engine.syn.w_out}
    buffers = {"start": engine.syn.start, "target": engine.syn.target[real], "mask_out": engine.syn.mask_out}
    return Memory(engine.weights(), parameters, buffers)


def _steps(spikes: Spikes, T: int) -> np.ndarray:
    """(E,) step of each spike in its sample, 0 to T; those of step T belong to no sample."""
    return np.repeat(np.arange(len(spikes.start) - 1), np.diff(spikes.start)) % (T + 1)


def _updates(changed: np.ndarray, T: int) -> int:
    """changed (n T, units): all are counted in a sample's first step."""
    changed[::T] = True
    return int(changed.sum())
