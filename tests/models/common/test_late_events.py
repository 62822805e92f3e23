"""Recordings longer than what a model reads of them are reported before training."""

import warnings

import pytest

from neurobench.models.learner import Seeds, Task
from tests.models.slayer.conftest import CPU, learner, recordings, sim
from tests.specs import spec

TASK = Task("events", (2, 34, 34), 10)


def test_events_after_the_models_length_are_reported_if_they_are_a_tenth_of_all_or_more() -> None:
    train = recordings().train
    late = float((train.limited(200).batch(slice(None)).x.t >= 100_000).float().mean())
    with pytest.warns(UserWarning, match=rf"{100 * late:.0f} % of the events come after model\.length=100 ms"):
        learner(length=100.0).start(train, None)
    with warnings.catch_warnings(action="error"):
        learner().start(train, None)


def test_every_model_that_ignores_later_events_reports_them() -> None:
    train = recordings().train.head(50)
    for name in ("slayer_snn", "eventprop_snn", "nir_graph"):
        devices = {"core": sim().open(0, CPU)} if name == "slayer_snn" else {}
        one = spec(f"model/{name}", hidden=(3,), length=80.0).build(TASK, Seeds(0, 1, 2, 3), devices, CPU)
        with pytest.warns(UserWarning, match=r"% of the events come after model\.length=80 ms"):
            one.start(train, None)
