"""Warning of recordings that last longer than what a model reads of them."""

from __future__ import annotations

import warnings

from neurobench.data.dataset import Split
from neurobench.data.events import MANY_LATE, Events

SEEN = 200  # training samples whose events are inspected


def warn_of_late_events(train: Split, length: float) -> None:
    """Warn if a tenth of the events or more come after `length` ms, and are therefore ignored."""
    events = train.limited(SEEN).batch(slice(None)).x
    assert isinstance(events, Events)
    late = float((events.t >= 1000 * length).float().mean())
    if late >= MANY_LATE:
        warnings.warn(
            f"{100 * late:.0f} % of the events come after model.length={length:g} ms and are ignored; a longer "
            "model.length includes them",
            stacklevel=3,
        )
