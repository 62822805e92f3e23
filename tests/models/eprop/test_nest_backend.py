"""backend=nest: the network in NEST itself gives the answers of the engine `exact`, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.config.targets import is_installed
from neurobench.devices.learning_core.nest_core import NestNetwork
from neurobench.devices.spec import Demand
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import learning_rate
from neurobench.models.learner import Task
from tests.models.eprop.conftest import VECTORS, T, learner, tiny_spikes
from tests.specs import spec

pytestmark = pytest.mark.skipif(not is_installed("nest"), reason="needs the extra nest: nest-simulator")
FIELDS: dict[str, Any] = {
    "engine": "exact", "optimizer": "gradient_descent", "lr": 5e-3, "numpy_seed": 1, "hidden": 8, "steps": T,
    "sparsity": [0.0, 0.0, 0.0],
}  # fmt: skip
TASK = Task("events", (1, 3, 4), 3)


def both(**fields: Any) -> tuple[Any, Any]:
    core = spec("backend/nest", "learning_core").open(0, torch.device("cpu"))
    return learner(core=core, task=TASK, **{**FIELDS, **fields}), learner(task=TASK, **{**FIELDS, **fields})


@pytest.mark.parametrize("fields", [{}, {"neuron": "iaf_adapt", "optimizer": "adam", "lr": 1e-3, "t_ref": 2}])
def test_backend_nest_and_engine_exact_are_equal_to_the_bit(fields: dict[str, Any]) -> None:
    (nest, exact), vectors = both(**fields), np.load(VECTORS / "tiny_gd.npz")
    rate = learning_rate(exact.spec)
    for first, factor in ((0, 1.0), (4, 0.5), (6, 0.0)):  # a changed rate takes effect as in NEST
        spikes, labels, last = tiny_spikes(vectors, first, 2), vectors["labels"][first : first + 2], first == 4
        theirs, ours = (made.engine.train_batch(spikes, labels, factor * rate, 0, last) for made in (nest, exact))
        np.testing.assert_array_equal(theirs.window, ours.window)
        np.testing.assert_array_equal(theirs.counts, ours.counts)
    assert ours.counts.sum() > 5
    require_same_weights(nest, exact)
    batches = [(tiny_spikes(vectors, first, 2), vectors["labels"][first : first + 2]) for first in (8, 10)]
    for _ in range(2):  # a test leaves no trace
        for theirs, ours in zip(*(made.engine.test(batches) for made in (nest, exact)), strict=True):
            np.testing.assert_array_equal(theirs.window, ours.window)
    late = sources_of_the_last_steps(exact)
    exact.engine.apply_pending()
    nest.engine.apply_pending()
    if not fields:  # Adam moves in each step, and NEST takes more steps until the last spikes have arrived
        require_same_weights(nest, exact, late)


def sources_of_the_last_steps(exact: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and recurrent neurons (bool) whose spikes are under way when learning ends: NEST delivers them before it
    returns its last weights, `exact` stores them for the next sample."""
    silent = Spikes(np.zeros(T + 2, np.int64), np.zeros(0, np.int64))
    ahead = exact.engine.copy().learn(silent, np.array([-1]), 0.0, record=4)[1]
    inputs = np.isin(np.arange(12), exact.engine.waiting.source)
    return inputs, ahead.z.any(0) | exact.engine.net.s.z.astype(bool)[:8]


def require_same_weights(nest: Any, exact: Any, late: tuple[np.ndarray, np.ndarray] | None = None) -> None:
    kinds = zip(nest.engine.weights(), exact.engine.weights(), (0, 1, 1), strict=True)
    for theirs, ours, kind in kinds:
        kept = slice(None) if late is None else ~late[kind]
        np.testing.assert_array_equal(theirs[:, kept], ours[:, kept])


def test_a_network_in_nest_resumed_from_a_checkpoint_answers_like_an_uninterrupted_one() -> None:
    vectors, (first, second) = np.load(VECTORS / "tiny_gd.npz"), (both()[0], both()[0])
    first.engine.train_batch(tiny_spikes(vectors, 0, 2), vectors["labels"][:2], 5e-7, 0)
    second.load_state_dict(first.state_dict())
    again = tiny_spikes(vectors, 2, 1), vectors["labels"][2:3], 5e-7, 0
    theirs, ours = (made.engine.train_batch(*again) for made in (first, second))
    np.testing.assert_array_equal(theirs.window, ours.window)


def test_an_error_in_nest_is_reported_in_nests_words() -> None:
    small = np.ones((2, 2))
    rest = {"T": 20, "W": 5, "recurrent": {}, "readout": {}, "optimizer": {}}
    with pytest.raises(UserError, match="NEST answered build with an error: .*no_model"):
        NestNetwork({**rest, "model": "no_model", "w_in": small, "w_rec": small, "w_out": small, "feedback": small})


def test_backend_nest_refuses_engines_other_than_exact() -> None:
    core = spec("backend/nest", "learning_core")
    assert "set model.engine=exact" in str(core.refuse(Demand(settings={"engine": "minibatch", "neuron": "iaf"})))
    assert core.refuse(Demand(settings={"engine": "exact", "neuron": "iaf"})) is None
