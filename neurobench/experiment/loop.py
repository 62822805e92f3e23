"""The only loop over epochs, which Ctrl-C ends between two updates, never inside one."""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.config.schema import Training
from neurobench.data.dataset import Split
from neurobench.experiment.evaluate import mean_sums
from neurobench.experiment.progress import Meter
from neurobench.kernels.compilation import working_time
from neurobench.metrics.catalog import larger_is_better
from neurobench.metrics.costs import Ledger
from neurobench.metrics.statistics import means
from neurobench.models.learner import Divergence, Initial, Learner, Step, TrainingRecord
from neurobench.process import stop_signals
from neurobench.storage.files import CHECKPOINT_FORMAT, CHECKPOINT_REMEDY, Damaged
from neurobench.storage.folder import RunFolder

TRACE = 50  # points per epoch of the learning curve, so that even a single epoch has a curve


@dataclass
class Position:
    """Progress of training; with the learner's state and the record, all that a checkpoint needs."""

    epoch: int = 0  # epochs done
    batch: int = 0  # batches done in the current epoch
    samples: int = 0  # samples seen in the current epoch
    sums: dict[str, float] = field(default_factory=dict)  # figures summed over them
    marked: dict[str, float] = field(default_factory=dict)  # `sums` and `samples` at the last point of the trace
    seconds: float = 0.0  # spent in training so far, over all sessions
    epoch_seconds: float = 0.0  # of these, in the current epoch
    elapsed: float = 0.0  # `seconds` and the time of measurements between epochs
    best_epoch: int | None = None  # with the best monitored figure
    stopped: bool = False  # early


class Interrupted(Exception):
    """Error: the run was stopped and left a checkpoint from which it can be resumed."""


@dataclass
class Interruption:
    """Flag for a request to stop the run; a second request raises KeyboardInterrupt."""

    requested: bool = False

    def request(self, *signal_and_frame: Any) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Context manager: the first Ctrl-C (or SIGTERM, as sent by clusters) is only noted; a second one stops at once.

    An update changes weights in place; a checkpoint of a half-done update could not be resumed to the same result.
    """
    interruption = Interruption()
    signals = stop_signals() if threading.current_thread() is threading.main_thread() else []
    before = {number: signal.signal(number, interruption.request) for number in signals}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Loop:
    """Training of a learner for `schedule.epochs`, from the folder's checkpoint if it has one.

    With `schedule.patience` it stops once the monitored figure has not improved for that many epochs, and returns to
    the best state; with `schedule.goal`, once that figure is as good as the goal. With `schedule.keep_best` the best
    state is stored, but the run continues with the last one. Figures measured on `test` are only written to rows.
    """

    learner: Learner
    train: Split
    validation: Split
    schedule: Training
    data_seed: int
    folder: RunFolder | None  # None: nothing is stored
    meter: Meter
    ledger: Ledger = field(default_factory=Ledger)
    snapshots: Callable[[Step], Sequence[str]] = lambda at: ()
    initial: Initial | None = None  # what a new run starts from
    test: Split | None = None  # measured after each epoch if given

    position: Position = field(default_factory=Position, init=False)
    record: TrainingRecord = field(default_factory=TrainingRecord, init=False)
    best: Mapping[str, Any] | None = field(default=None, init=False)  # the learner's best state
    resumed: bool = field(default=False, init=False)  # training continues that of an earlier session

    def run(self) -> None:
        """Train to the end. Raises Divergence, UserError, and Interrupted after Ctrl-C."""
        self.sign = 1 if larger_is_better(self.schedule.monitor) else -1
        self._begin()
        place = self.position
        self.meter.begin(self.schedule.epochs, self.per_epoch, place.epoch, place.batch)
        with deferred_interrupts() as interruption, closing(self.meter), self.ledger.phase("training"):
            while place.epoch < self.schedule.epochs and not place.stopped:
                self._epoch(interruption)
                self.meter.epoch(self.record.epochs[-1])
            if interruption.requested:  # while the last epoch was measured; its checkpoint is written
                raise Interrupted("after the last epoch")
        if self.best is not None and self.schedule.patience is not None:
            self.learner.load_state_dict(self.best)

    @property
    def per_epoch(self) -> int:
        """Number of updates per epoch; the last batch may be short."""
        return math.ceil(len(self.train) / self.schedule.batch_size)

    def save(self, state: Mapping[str, Any] | None = None) -> None:
        """Write the checkpoint. `state`: that of the learner, if it is at hand; if it is also the best, the file
        contains it once."""
        if self.folder is None:
            return
        updates = {name: torch.tensor(values, dtype=torch.float64) for name, values in self.record.updates.items()}
        self.folder.save_checkpoint(
            {
                "format": CHECKPOINT_FORMAT,
                "position": asdict(self.position),
                "record": {**vars(self.record), "updates": updates},
                "costs": self.ledger.phases,
                "learner": self.learner.state_dict() if state is None else state,
                "best": self.best,
            }
        )

    def _begin(self) -> None:
        schedule = self.schedule
        stops = schedule.patience is not None or schedule.goal is not None
        if stops and schedule.monitor.startswith("validation_") and not len(self.validation):
            raise UserError(
                f"training.monitor={schedule.monitor} decides when to stop, but no samples are held out. "
                "Hold out some (dataset.validation; of an estimator: validation=0.1), or monitor a train_ figure."
            )
        checkpoint = self.folder.load_resumable() if self.folder else None
        if checkpoint is None or self.folder is None:
            self.learner.start(self.train, self.initial)
        else:
            with fitting(self.folder):
                self.learner.load_state_dict(checkpoint["learner"])
                self.position = Position(**checkpoint["position"])
                self.record = unpacked(checkpoint["record"])
                self.ledger.phases.update(checkpoint["costs"])
                self.best = copy.deepcopy(checkpoint["best"])  # it may be the learner's memory, see `save`
            self.resumed = True
        if self.folder is not None:
            self.folder.rewrite_metrics(self.record.epochs)

    def _epoch(self, interruption: Interruption) -> None:
        """Train for the rest of the current epoch."""
        place, saved = self.position, time.monotonic()
        order = epoch_order(len(self.train), self.data_seed, place.epoch) if self.schedule.shuffle else None
        while place.batch < self.per_epoch:
            self._batch(order)
            if interruption.requested or time.monotonic() - saved > self.schedule.checkpoint_every:
                self.save()
                saved = time.monotonic()
            if interruption.requested:
                raise Interrupted(f"after {place.batch} of {self.per_epoch} batches of epoch {place.epoch + 1}")
        row = self._close_epoch()
        is_best = self._is_best()
        if is_best:
            self.best = copy.deepcopy(self.learner.state_dict())
        if self.schedule.goal is not None:
            place.stopped |= self._score(row) >= self.sign * self.schedule.goal
        if self.folder is not None:
            self.folder.append_metrics(row)
        self.save(self.best if is_best else None)

    def _batch(self, order: torch.Tensor | None) -> None:
        place, begun = self.position, working_time()
        first = place.batch * self.schedule.batch_size
        last = min(first + self.schedule.batch_size, len(self.train))
        # Not a slice, which would be a view: a network may change its inputs in place
        chosen = torch.arange(first, last) if order is None else order[first:last]
        done = place.epoch * self.per_epoch + place.batch
        at = Step(done, self.schedule.epochs * self.per_epoch, place.epoch, self.per_epoch)
        sums = self.learner.learn(self.train.batch(chosen), at).named()
        for name, value in sums.items():
            if not math.isfinite(value):
                raise Divergence(f"diverged at update {at.k}: {name} is {value}. Try a smaller learning rate.")
            place.sums[name] = place.sums.get(name, 0.0) + value
        for name, value in means(sums, last - first).items():
            self.record.updates.setdefault(name, []).append(value)
        for label in self.snapshots(at):
            self.record.snapshots[label] = self.learner.snapshot(label)  # type: ignore[attr-defined]
        place.batch += 1
        place.samples += last - first
        if place.batch % max(1, self.per_epoch // TRACE) == 0 or place.batch == self.per_epoch:
            self._mark()
        spent = working_time() - begun
        place.seconds += spent
        place.elapsed += spent
        place.epoch_seconds += spent
        self.meter.batch(place.samples, place.sums, place.epoch_seconds)

    def _mark(self) -> None:
        """Add the means since the last point to the trace."""
        place = self.position
        samples = place.samples - place.marked.get("samples", 0)
        since = {name: value - place.marked.get(name, 0.0) for name, value in place.sums.items()}
        epoch = place.epoch + place.batch / self.per_epoch
        self.record.trace.append({"epoch": epoch, **means(since, int(samples))})
        place.marked = {**place.sums, "samples": place.samples}

    def _close_epoch(self) -> dict[str, Any]:
        """Close the epoch and return its row: means over samples, on train while learning, on validation after it."""
        place, begun = self.position, working_time()
        row: dict[str, Any] = {"epoch": place.epoch + 1}
        row |= {f"train_{name}": value for name, value in means(place.sums, place.samples).items()}
        if len(self.validation):
            with self.ledger.phase("validation"):
                measured = mean_sums(self.learner, self.validation)
            row |= {f"validation_{name}": value for name, value in measured.items()}
        if self.test is not None:
            with self.ledger.phase("tutorial"):
                row |= {f"test_{name}": value for name, value in mean_sums(self.learner, self.test).items()}
        for name, value in row.items():  # the last update of an epoch may be the one that diverges
            if not math.isfinite(value):
                raise Divergence(f"diverged in epoch {row['epoch']}: {name} is {value}. Try a smaller learning rate.")
        place.elapsed += working_time() - begun
        speed = round(place.samples / place.epoch_seconds, 1)
        times = {"seconds": place.epoch_seconds, "elapsed": place.elapsed}
        row |= {**{name: round(value, 4) for name, value in times.items()}, "samples_per_s": speed}
        self.record.epochs.append(row)
        place.epoch, place.batch, place.samples, place.epoch_seconds = place.epoch + 1, 0, 0, 0.0
        place.sums, place.marked = {}, {}
        return row

    def _is_best(self) -> bool:
        """Whether the epoch just closed is the best so far and its state must be stored; sets `stopped` once patience
        has run out."""
        place, patience = self.position, self.schedule.patience
        measured = bool(len(self.validation)) or not self.schedule.monitor.startswith("validation_")
        keeps_best = self.schedule.keep_best and measured
        if patience is None and not keeps_best:
            return False
        scores = [self._score(row) for row in self.record.epochs]
        improved = len(scores) == 1 or scores[-1] > max(scores[:-1])
        if patience is not None:
            place.best_epoch = place.epoch if improved else place.best_epoch
            place.stopped = place.epoch - (place.best_epoch or 0) >= patience
        return improved

    def _score(self, row: Mapping[str, Any]) -> float:
        """Monitored figure of an epoch, with its sign such that larger is better."""
        if self.schedule.monitor not in row:
            names = ", ".join(name for name in row if name.startswith(("train_", "validation_")))
            raise UserError(f"training.monitor={self.schedule.monitor} is not a figure of an epoch; available: {names}")
        return self.sign * float(row[self.schedule.monitor])


def epoch_order(n: int, seed: int, epoch: int) -> torch.Tensor:
    """Order of n samples in an epoch, (n,) int64. It depends only on seed and epoch, so a resumed epoch
    continues in the same order."""
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(n))


@contextmanager
def fitting(folder: RunFolder) -> Iterator[None]:
    """Context manager. Raises Damaged if the checkpoint loaded in it does not fit the run's configuration."""
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = f"does not fit this run's configuration ({type(error).__name__}: {error!s:.200})"
        raise Damaged(folder.path / "checkpoint.pt", reason, CHECKPOINT_REMEDY) from error


def unpacked(state: Mapping[str, Any]) -> TrainingRecord:
    """Training record from a checkpoint."""
    updates = {name: values.tolist() for name, values in state["updates"].items()}
    return TrainingRecord(state["epochs"], state["trace"], updates, state["snapshots"])
