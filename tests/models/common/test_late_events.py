"""Recordings longer than what a model reads of them are reported before training."""

import warnings

import pytest

from tests.models.slayer.conftest import learner, recordings


def test_events_after_the_models_length_are_reported_if_they_are_a_tenth_of_all_or_more() -> None:
    train = recordings().train
    late = float((train.limited(200).batch(slice(None)).x.t >= 100_000).float().mean())
    with pytest.warns(UserWarning, match=rf"{100 * late:.0f} % of the events come after model\.length=100 ms"):
        learner(length=100.0).start(train, None)
    with warnings.catch_warnings(action="error"):
        learner().start(train, None)
