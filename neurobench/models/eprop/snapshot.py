"""One sample through a network, every step of it recorded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurobench.kernels.eprop.bsshslm import Rule
from neurobench.kernels.eprop.neuron import surrogate
from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop import stream_state
from neurobench.models.eprop.bsshslm import course
from neurobench.models.eprop.exact import ExactEngine, Spikes
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.stream_state import Recorded


class Snapshot(NamedTuple):
    title: str
    spikes: Spikes  # of the one sample
    recorded: Recorded  # T steps, the first event in step 2
    label: int


def snapshot(
    title: str, c: Constants, weights: Weights, spikes: Spikes, label: int, rule: Rule | None = None
) -> Snapshot:
    """From rest, at learning rate 0, in NEST's arithmetic whatever the engine: recording costs training nothing.
    `rule` is that of iaf_bsshslm_2020."""
    if rule is not None:
        return Snapshot(title, spikes, _recorded(c, rule, weights, spikes, label), label)
    engine = ExactEngine(c._replace(adam=False, each_step=False, batch=1), weights)
    answer = engine.learn(spikes, np.array([label]), 0.0, record=c.T)
    return Snapshot(title, spikes, answer.recorded, label)


def _recorded(c: Constants, rule: Rule, weights: Weights, spikes: Spikes, label: int) -> Recorded:
    """Step t of the sample is row t + 2, as in the stream; y of step t and its error reach the readouts a step later,
    and L of step t stands two rows after it."""
    one = course(c, rule, weights[:3], spikes, 0)
    psi = one.free * np.vectorize(surrogate)(c.surrogate, one.v - c.v_th, c.height, c.width)
    error = one.y - np.eye(c.K)[label]
    error[: c.T - c.W] = 0.0
    found = stream_state.recording(c, 0, c.T)
    shifts = {"v": (one.v, 2), "psi": (psi, 2), "z": (one.z, 2), "out": (one.y, 3), "error": (error, 3)}
    for name, (values, shift) in {**shifts, "L": (error @ weights.feedback.T, 4)}.items():
        getattr(found, name)[shift:] = values[:-shift]
    return found
