"""Recordings that last longer than what a model or an encoder reads of them."""

from __future__ import annotations

import warnings

from neurobench.data.dataset import Split
from neurobench.data.events import MANY_LATE, Events

SEEN = 200  # training samples whose events are inspected


def warn_of_late_events(
    train: Split, length: float, read: str = "model.length={:g} ms", remedy: str = "a longer model.length"
) -> None:
    """Warn if a tenth of the events or more come after `length` ms, and are therefore ignored. `read`: the part that is
    read, in words; `remedy`: what includes the others."""
    events = train.limited(SEEN).batch(slice(None)).x
    assert isinstance(events, Events)
    late = float((events.t >= 1000 * length).float().mean())
    if late >= MANY_LATE:
        share = f"{100 * late:.0f} % of the events come after {read.format(length)}"
        warnings.warn(f"{share} and are ignored; {remedy} includes them", stacklevel=3)
