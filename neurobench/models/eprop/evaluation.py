"""Metrics that NEST's tutorial prints, and the cost of a prediction: one accumulation for each synapse that a spike
reaches, one update for each potential that changes.

Two events of an input in one step are two spikes. A spike counts when it arrives, a step after it was fired; one of
a sample's last step is lost, or arrives in the next sample of a stream. Readouts have a membrane and no threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.data.dataset import Split, Splits
from neurobench.kernels.eprop.forward import count
from neurobench.kernels.eprop.records import Samples
from neurobench.metrics.operations import Operations, Population, synapses
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.learner import EpropLearner, Tested, sums
from neurobench.models.eprop.minibatch import BsshslmEngine, MinibatchEngine, simulate
from neurobench.models.eprop.nest_engine import NestEngine
from neurobench.models.eprop.network import NO_TARGET, Engine
from neurobench.models.eprop.stream import ExactEngine, delay
from neurobench.models.learner import TrainingRecord

ITERATIONS = (1, 2, 3, 4, 5, 10, 20, 50, 100, 200)  # those whose loss and error the tutorial prints
GROUP = 100  # samples of an iteration of the test phase
_AT_ONCE = 20  # samples of a stream recorded at a time; bounds memory


def tutorial_metrics(learner: EpropLearner, splits: Splits, record: TrainingRecord) -> Mapping[str, float]:
    """Losses and errors in training and in the test phase, where the stream continues with targets at learning rate 0.
    A source that is silent when the test begins still applies its last gradient, which can include errors on the
    test's first targets."""
    metrics = {}
    courses = zip(record.updates.get("loss", []), record.updates.get("accuracy", []), strict=True)
    for number, (loss, accuracy) in enumerate(courses, 1):
        if number in ITERATIONS:
            metrics[f"loss_iteration_{number}"] = loss
            metrics[f"error_iteration_{number}"] = 1.0 - accuracy
    if tested := run_test_phase(learner, splits.test):
        losses, errors = zip(*((one.loss, one.error) for one in tested), strict=True)
        metrics["nest_test_loss"], metrics["nest_test_error"] = np.mean(losses), np.mean(errors)
        if len(tested) > 1:
            metrics["nest_first_test_loss"], metrics["nest_first_test_error"] = losses[0], errors[0]
    return {name: float(value) for name, value in metrics.items()}


def run_test_phase(learner: EpropLearner, test: Split) -> list[Tested]:
    """Run NEST's test phase: iterations of GROUP samples each, cycling through the test set; one over all of it without
    `test_iterations`. Empty if there is no stream to continue, or if only its weights are known."""
    if learner.tested or learner.before_pending is None:
        return learner.tested
    n = learner.spec.test_iterations
    size = len(test) if n is None else GROUP
    batches = [test.batch(torch.arange(k * size, (k + 1) * size) % len(test)) for k in range(n or 1)]
    responses = learner.before_pending.test([(learner.encode(x), y.numpy()) for x, y in batches])
    for (_, y), response in zip(batches, responses, strict=True):
        one = sums(response, y.numpy()).named()
        learner.tested.append(Tested(one["loss"] / size, 1.0 - one["correct"] / size))
    return learner.tested


class Traffic(NamedTuple):
    """Spikes and changes of state in n samples."""

    inputs: np.ndarray  # (I,) int64 spikes of each input that arrived
    recurrent: np.ndarray  # (N,) int64
    fired: int
    membranes: int  # changes of potential
    readouts: int


def operations(learner: EpropLearner, x: Any) -> Operations:
    """Count the operations of predictions from the same state as `predict`."""
    engine = learner.engine.at_rest() if isinstance(learner.engine, NestEngine) else learner.engine
    return of_engine(engine, learner.inputs.encode(x, learner.c.T), len(x))


def of_engine(engine: Engine, spikes: Spikes, n: int) -> Operations:
    """Operations of n samples, predicted from the engine's state."""
    traffic, steps = count_traffic(engine, spikes, n), n * engine.c.T
    arrivals = traffic.inputs, traffic.recurrent, traffic.recurrent
    kinds = zip(("input", "recurrent", "readout"), engine.weights(), arrivals, strict=True)
    connections = [synapses(name, _tensor(w), _tensor(arrived), steps, spikes=True) for name, w, arrived in kinds]
    hidden = Population("hidden", traffic.fired, steps * engine.c.N, traffic.membranes)
    populations = [hidden, Population("readout", 0, 0, traffic.readouts)]
    parameters, buffers = ({name: _tensor(part) for name, part in parts.items()} for parts in _memory(engine))
    return Operations(n, steps, connections, populations, parameters, buffers)


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _memory(engine: Engine) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Memory that the engine needs to predict, in its own types: parameters, and buffers, which are not learned."""
    if isinstance(engine, ChipEngine):  # whole LSB, a byte each if they fit; entries without a synapse are stored too
        kind = np.int8 if engine.w_limit < 2**7 else np.int16
        return {name: getattr(engine.w, name).T.astype(kind) for name in ("w_in", "w_rec", "w_out")}, {}
    if isinstance(engine, MinibatchEngine):  # full matrices of inputs and readouts, a list of recurrent synapses
        w_in, _, w_out = engine.weights()
        return {"w_in": w_in, "w_rec": engine.w.w_rec, "w_out": w_out}, {"start": engine.start, "target": engine.target}
    assert isinstance(engine, ExactEngine)  # lists by source, without the padding to whole vectors
    syn = engine.net.syn
    real = syn.target < engine.c.N
    buffers = {"start": syn.start, "target": syn.target[real], "mask_out": syn.mask_out}
    return {"w": syn.w[real], "w_out": syn.w_out}, buffers


@singledispatch
def count_traffic(engine: Any, spikes: Spikes, n: int) -> Traffic:
    """Count the traffic of a stream; other engines register their own functions below. Step r of sample g is step
    g T + r + 2 of the stream from here on: a silent sample is appended to include them all."""
    T, first, end = engine.c.T, 2, 2 + n * engine.c.T
    longer = Spikes(np.append(spikes.start, np.full(T + 1, spikes.start[-1])), spikes.source)
    start, source = delay(longer, engine.waiting, T)
    inputs = np.bincount(source[start[first] : start[end]], minlength=engine.c.inputs)
    fired, moved, moved_out = _stream(engine, longer, n + 1)
    membranes, readouts = _updates(moved[first:end], T), _updates(moved_out[first:end], T)
    return Traffic(inputs, fired[first - 1 : end - 1].sum(0), int(fired[first:end].sum()), membranes, readouts)


@count_traffic.register
def _(engine: ChipEngine, spikes: Spikes, n: int) -> Traffic:
    T, results = engine.c.T, engine.run(spikes, np.full(n, NO_TARGET))
    inputs = np.bincount(spikes.source[spikes.steps() % (T + 1) < T], minlength=engine.c.inputs)
    return Traffic(inputs, results.arrived, int(results.counts.sum()), *results.changed.tolist())


@count_traffic.register
def _(engine: MinibatchEngine, spikes: Spikes, n: int) -> Traffic:
    samples = Samples(*spikes, np.full(n, NO_TARGET))
    inputs, recurrent, sums = count(engine.c, engine.numbers, engine.network(), samples)
    return Traffic(inputs, recurrent, *sums.tolist())


@count_traffic.register
def _(engine: BsshslmEngine, spikes: Spikes, n: int) -> Traffic:
    c, weights, step = engine.c, engine.weights(), spikes.steps() % (engine.c.T + 1)
    inputs = np.bincount(spikes.source[(step > 0) & (step < c.T)], minlength=c.inputs)
    recurrent, sums = np.zeros(c.N, np.int64), np.zeros(3, np.int64)
    for g in range(n):
        one = simulate(c, engine.numbers, weights, spikes, g)
        recurrent += one.z[:-1].sum(0, dtype=np.int64)
        moved = one.z.astype(bool) | (np.diff(one.v, axis=0, prepend=0.0) != 0)
        moved_out = np.diff(one.y[:-1], axis=0, prepend=np.zeros((2, c.K))) != 0  # y reaches a readout a step later
        sums += one.z.sum(dtype=np.int64), _updates(moved, c.T), _updates(moved_out, c.T)
    return Traffic(inputs, recurrent, *sums.tolist())


def _stream(engine: ExactEngine, spikes: Spikes, n: int) -> list[np.ndarray]:
    """Spikes, and changes of membranes and of readouts, in n samples, (n T, units) bool each."""
    T, running = engine.c.T, engine.copy()
    v, y = engine.net.s.v[None], engine.net.s.y[None]
    parts = []
    for first in range(0, n, _AT_ONCE):
        some = min(_AT_ONCE, n - first)
        samples, labels = spikes.samples(first, some, T), np.full(some, NO_TARGET)
        _, steps = running.learn(samples, labels, 0.0, record=some * T, frozen=True)
        fired = steps.z.astype(bool)
        moved = fired | (np.diff(steps.v, axis=0, prepend=v) != 0)
        parts.append((fired, moved, np.diff(steps.out, axis=0, prepend=y) != 0))
        v, y = steps.v[-1:], steps.out[-1:]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _updates(changed: np.ndarray, T: int) -> int:
    """Number of changes in changed (n T, units), where all units count in a sample's first step."""
    changed[::T] = True
    return int(changed.sum())
