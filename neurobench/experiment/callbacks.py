"""What follows a run while it runs: a sweep's table, a tuner that stops hopeless trials, an experiment tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from neurobench.experiment.progress import Meter
from neurobench.runs.folder import RunFolder

if TYPE_CHECKING:
    from neurobench.experiment.plan import Plan


class Pruned(Exception):
    """A callback asked for the run to be given up. Its folder keeps the checkpoint."""


class Callback(Protocol):
    """Is called in the process of a run that is under way; not for a run that was finished already."""

    def begin(self, plan: Plan, folder: RunFolder) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None:
        """A row of metrics.jsonl. May raise Pruned."""
        ...

    def end(self, folder: RunFolder) -> None:
        """Whatever became of the run: result.json is there where it finished."""
        ...


class ObservedMeter:
    """A meter that passes epochs on to callbacks."""

    def __init__(self, meter: Meter, callbacks: Sequence[Callback]):
        self.meter, self.callbacks = meter, callbacks
        self.begin, self.batch, self.close = meter.begin, meter.batch, meter.close

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.meter.epoch(row)
        for callback in self.callbacks:
            callback.epoch(row)
