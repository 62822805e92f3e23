"""Recordings that last longer than what a model or an encoder reads of them."""

from __future__ import annotations

import warnings

from neurobench.data.dataset import Split
from neurobench.data.events import MANY_LATE, Events

SEEN = 200  # training samples whose events are inspected


def warn_of_late_events(train: Split, length: float) -> None:
    """Warn if a tenth of the events or more come after `length` ms, and are therefore ignored."""
    if (late := late_share(train, length)) >= MANY_LATE:
        warnings.warn(
            f"{100 * late:.0f} % of the events come after model.length={length:g} ms and are ignored; a longer "
            "model.length includes them",
            stacklevel=3,
        )


def late_share(train: Split, length: float) -> float:
    """Share of the events that come after `length` ms."""
    events = train.limited(SEEN).batch(slice(None)).x
    assert isinstance(events, Events)
    return float((events.t >= 1000 * length).float().mean())
