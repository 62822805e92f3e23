"""Who looks on while a run runs: a sweep's table, a tuner that stops hopeless trials, an experiment tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from omegaconf import DictConfig

from neurobench.experiment.progress import Meter
from neurobench.runs.folder import RunFolder


class Pruned(Exception):
    """A watcher asked for the run to be given up. Its folder keeps the checkpoint."""


class Watcher(Protocol):
    """Is told of a run that is under way, in its process. A run that was finished already is not told of."""

    def begin(self, config: DictConfig, folder: RunFolder) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None:
        """A row of metrics.jsonl. May raise Pruned."""
        ...

    def end(self, folder: RunFolder) -> None:
        """Whatever became of the run: result.json is there where it finished."""
        ...


class WatchedMeter:
    """A meter that passes epochs on to watchers."""

    def __init__(self, meter: Meter, watchers: Sequence[Watcher]):
        self.meter, self.watchers = meter, watchers
        self.begin, self.batch, self.close = meter.begin, meter.batch, meter.close

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.meter.epoch(row)
        for watcher in self.watchers:
            watcher.epoch(row)
