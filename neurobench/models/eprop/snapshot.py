"""One sample through a network, every step of it recorded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurobench.kernels.eprop_records import Constants
from neurobench.models.eprop.exact import ExactEngine, Spikes
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.stream_state import Recorded


class Snapshot(NamedTuple):
    title: str
    spikes: Spikes  # of the one sample
    recorded: Recorded  # T steps, the first event in step 2
    label: int


def snapshot(title: str, c: Constants, weights: Weights, spikes: Spikes, label: int) -> Snapshot:
    """From rest, at learning rate 0, in NEST's arithmetic whatever the engine: recording costs training nothing."""
    engine = ExactEngine(c._replace(adam=False, each_step=False, batch=1), weights)
    answer = engine.learn(spikes, np.array([label]), 0.0, record=c.T)
    return Snapshot(title, spikes, answer.recorded, label)
