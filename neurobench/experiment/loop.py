"""The only loop over epochs."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

from neurobench.config.errors import UserError
from neurobench.config.schema import Training
from neurobench.data.dataset import Split
from neurobench.experiment.evaluate import mean_measures
from neurobench.experiment.interrupt import Interrupted, Interruption
from neurobench.experiment.progress import Meter
from neurobench.experiment.seeds import epoch_order
from neurobench.metrics.costs import Costs, Totals
from neurobench.metrics.means import means
from neurobench.models.learner import Divergence, Learner, Step
from neurobench.runs.folder import RunFolder

TRACE = 50  # points an epoch of the learning curve: one epoch alone still draws a curve


@dataclass
class Position:
    """How far training is; with the learner's state, all that a checkpoint needs."""

    epoch: int = 0  # epochs done
    batch: int = 0  # batches done in the epoch under way
    samples: int = 0  # samples seen in the epoch under way
    sums: dict[str, float] = field(default_factory=dict)  # figures summed over them
    seconds: float = 0.0  # spent in training so far, over all sittings
    epoch_seconds: float = 0.0  # of it, in the epoch under way
    history: list[dict[str, Any]] = field(default_factory=list)  # a row an epoch, as in metrics.jsonl
    trace: list[dict[str, float]] = field(default_factory=list)  # the finer curve: TRACE points an epoch
    marked: dict[str, float] = field(default_factory=dict)  # `sums` and `samples` at the last point of the trace
    best_epoch: int | None = None  # where the monitored figure was best
    stopped: bool = False  # early
    costs: Totals = field(default_factory=dict)  # of the devices so far


def fit(
    learner: Learner,
    train: Split,
    validation: Split,
    plan: Training,
    data_seed: int,
    folder: RunFolder,
    meter: Meter,
    costs: Costs | None = None,
) -> Position:
    """Train for `plan.epochs`, from the folder's checkpoint where it has one.

    With `plan.patience`, stops once the monitored figure has not improved for so many epochs, and goes back to the
    state that was best. With `plan.goal`, stops once that figure is as good as the goal. Raises Divergence, and
    Interrupted after Ctrl-C.
    """
    _require_watched(plan, validation)
    place, best_state = _begin(learner, train, folder)
    if costs is not None:
        for device, entries in place.costs.items():
            costs.add(device, entries)
        place.costs = costs.totals
    per_epoch = math.ceil(len(train) / plan.batch_size)
    meter.begin(plan.epochs, per_epoch, place.epoch, place.batch)
    with Interruption() as interruption, closing(meter):
        saved = time.monotonic()
        while place.epoch < plan.epochs and not place.stopped:
            order = epoch_order(len(train), data_seed, place.epoch) if plan.shuffle else None
            while place.batch < per_epoch:
                _one_batch(learner, train, plan, order, place, per_epoch, meter)
                if interruption.asked or time.monotonic() - saved > plan.checkpoint_every:
                    _save(folder, learner, place, best_state)
                    saved = time.monotonic()
                if interruption.asked:
                    raise Interrupted(f"after {place.batch} of {per_epoch} batches of epoch {place.epoch + 1}")
            row = _close_epoch(learner, validation, place)
            if plan.patience is not None and _watch(place, plan):
                best_state = copy.deepcopy(learner.state_dict())
            if plan.goal is not None:
                place.stopped |= _score(place.history[-1], plan) >= _sign(plan) * plan.goal
            folder.append_metrics(row)
            _save(folder, learner, place, best_state)
            saved = time.monotonic()
            meter.epoch(row)
    if best_state is not None:
        learner.load_state_dict(best_state)
    return place


def _require_watched(plan: Training, validation: Split) -> None:
    stops = plan.patience is not None or plan.goal is not None
    if stops and plan.monitor.startswith("validation_") and not len(validation):
        raise UserError(
            f"training.monitor={plan.monitor} decides when to stop, and dataset.validation holds no sample out. "
            "Hold some out (dataset.validation=100), or watch a train_ figure."
        )


def _begin(learner: Learner, train: Split, folder: RunFolder) -> tuple[Position, Mapping[str, Any] | None]:
    checkpoint = folder.load_checkpoint()
    if checkpoint is None:
        learner.start(train)
        folder.rewrite_metrics([])
        return Position(), None
    learner.load_state_dict(checkpoint["learner"])
    place = Position(**checkpoint["position"])
    folder.rewrite_metrics(place.history)
    return place, checkpoint["best"]


def _save(folder: RunFolder, learner: Learner, place: Position, best: Mapping[str, Any] | None) -> None:
    folder.save_checkpoint({"position": asdict(place), "learner": learner.state_dict(), "best": best})


def _one_batch(
    learner: Learner, train: Split, plan: Training, order: Any, place: Position, per_epoch: int, meter: Meter
) -> None:
    begun = time.perf_counter()
    first = place.batch * plan.batch_size
    last = min(first + plan.batch_size, len(train))
    chosen = slice(first, last) if order is None else order[first:last]
    step = Step(k=place.epoch * per_epoch + place.batch, n=plan.epochs * per_epoch, epoch=place.epoch)
    for name, value in learner.learn(train.batch(chosen), step).items():
        if not math.isfinite(value):
            raise Divergence(f"diverged at update {step.k}: {name} is {value}. Try a smaller learning rate.")
        place.sums[name] = place.sums.get(name, 0.0) + value
    place.batch += 1
    place.samples += last - first
    if place.batch % max(1, per_epoch // TRACE) == 0 or place.batch == per_epoch:
        _mark(place, per_epoch)
    spent = time.perf_counter() - begun
    place.seconds += spent
    place.epoch_seconds += spent
    meter.batch(place.samples, place.sums, place.epoch_seconds)


def _mark(place: Position, per_epoch: int) -> None:
    """Add the means since the last point to the trace."""
    samples = place.samples - place.marked.get("samples", 0)
    since = {name: value - place.marked.get(name, 0.0) for name, value in place.sums.items()}
    place.trace.append({"epoch": place.epoch + place.batch / per_epoch, **means(since, int(samples))})
    place.marked = {**place.sums, "samples": place.samples}


def _close_epoch(learner: Learner, validation: Split, place: Position) -> dict[str, Any]:
    """The epoch's row: means over its samples, on train as they were while learning, on validation after it."""
    row: dict[str, Any] = {"epoch": place.epoch + 1}
    row |= {f"train_{name}": value for name, value in means(place.sums, place.samples).items()}
    if len(validation):
        row |= {f"validation_{name}": value for name, value in mean_measures(learner, validation).items()}
    row |= {"seconds": round(place.epoch_seconds, 4), "samples_per_s": round(place.samples / place.epoch_seconds, 1)}
    place.history.append(row)
    place.epoch, place.batch, place.samples, place.epoch_seconds = place.epoch + 1, 0, 0, 0.0
    place.sums, place.marked = {}, {}
    return row


def _watch(place: Position, plan: Training) -> bool:
    """Whether the epoch just closed is the best so far; sets `stopped` once patience has run out."""
    scores = [_score(past, plan) for past in place.history]
    improved = len(scores) == 1 or scores[-1] > max(scores[:-1])
    if improved:
        place.best_epoch = place.epoch
    assert plan.patience is not None
    place.stopped = place.epoch - (place.best_epoch or 0) >= plan.patience
    return improved


def _score(row: Mapping[str, Any], plan: Training) -> float:
    """The monitored figure of an epoch, its sign such that more is better."""
    if plan.monitor not in row:
        there = ", ".join(name for name in row if name.startswith(("train_", "validation_")))
        raise KeyError(f"training.monitor={plan.monitor} is not a figure of an epoch; there is {there}")
    return _sign(plan) * float(row[plan.monitor])


def _sign(plan: Training) -> int:
    return 1 if plan.monitor.endswith("accuracy") else -1
