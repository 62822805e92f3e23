"""Estimate of a run's device usage and its price, before the run is started."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from neurobench.data.dataset import Batch, Split, Splits
from neurobench.devices.jobs import Jobs, exceeds
from neurobench.experiment.build import build_learner, load_splits, pick_device, require_memory
from neurobench.experiment.evaluate import BATCH
from neurobench.experiment.plan import Plan
from neurobench.experiment.reload import find_initial
from neurobench.experiment.threads import pin_threads, threads_of
from neurobench.metrics.costs import Ledger, Price, Totals
from neurobench.models.learner import Learner, Step, TrainingRecord
from neurobench.storage.journal import Journal

_REHEARSAL = "rehearsal"  # phase of the ledger
_FITTED = 1000  # samples for the fit after training: the rehearsed test needs one, whatever its quality


class Estimate(NamedTuple):
    phases: dict[str, Totals]  # "training", "validation", "test", "tutorial" (tests by epoch) -> device -> its costs
    prices: dict[str, Price | str]  # device -> list price, or why there is none


def estimate(plan: Plan) -> Estimate:
    """Estimate a run by rehearsing its start, three updates of each range that uses the device alike (the first, one in
    the middle, the last; likewise with an epoch's last batch, if it is smaller) and one batch of each split, and its
    last one if that is smaller, scaled up.

    Devices that answer later are opened, but nothing is sent to them. Not counted: what a model does once, between
    training and test, the test's loss, which repeats the requests of its predictions, and the drawing of figures.
    """
    pin_threads(threads_of(plan))
    splits, ledger = load_splits(plan), Ledger()
    require_memory(plan, splits)
    jobs = Jobs(Journal(None), rehearsed=True)
    with warnings.catch_warnings(action="ignore"):
        learner = build_learner(plan, pick_device(plan.run.device, plan.model, plan.training.batch_size), ledger, jobs)
        phases = _rehearse(plan, learner, splits, ledger)
    prices = {name: plan.devices[field].price() for field, name in plan.wiring.items()}
    return Estimate(phases, prices)


def _rehearse(plan: Plan, learner: Learner, splits: Splits, ledger: Ledger) -> dict[str, Totals]:
    """Rehearse a run; return its costs by phase."""
    phases: dict[str, Totals] = {}

    @contextmanager
    def rehearsed(name: str, factor: float) -> Iterator[None]:
        """Context manager: add the costs of what is done in it, times a factor, to a phase."""
        with ledger.phase(_REHEARSAL):
            yield
        phases[name] = _together(phases.get(name, {}), _scaled(ledger.phases.pop(_REHEARSAL, {}), factor))

    size, epochs = min(plan.training.batch_size, len(splits.train)), plan.training.epochs
    per, rest = math.ceil(len(splits.train) / size), len(splits.train) % size  # samples in an epoch's last batch
    with rehearsed("training", 1):
        learner.start(splits.train, find_initial(plan))
    for updates in plan.model.device_updates(epochs * per):
        shorter = [k for k in updates if rest and (k + 1) % per == 0]
        whole = [k for k in updates if not rest or (k + 1) % per]
        for alike, samples in ((whole, size), (shorter, rest)):
            chosen = sorted({alike[0], alike[len(alike) // 2], alike[-1]}) if alike else []
            with rehearsed("training", len(alike) / max(1, len(chosen))):
                for k in chosen:
                    learner.learn(splits.train.batch(slice(0, samples)), Step(k, epochs * per, k // per, per))
    for batch, times in _batches(splits.validation):
        with rehearsed("validation", epochs * times):
            learner.measure(batch)
    for batch, times in _batches(splits.test) if plan.training.test_by_epoch else ():
        with rehearsed("tutorial", epochs * times):
            learner.measure(batch)
    with ledger.phase("finalize"):
        learner.finalize(splits.train.head(_FITTED), splits.validation.head(_FITTED), TrainingRecord())
    for split in (splits.test, *splits.others.values()):
        for batch, times in _batches(split):
            with rehearsed("test", times):
                learner.predict(batch.x)
    return phases


def _batches(split: Split) -> list[tuple[Batch, int]]:
    """A batch of each size in which a split is evaluated, and the number of such batches."""
    whole, rest = divmod(len(split), BATCH)
    return [(split.batch(slice(0, size)), times) for size, times in ((BATCH, whole), (rest, 1)) if size and times]


def _together(*parts: Totals) -> Totals:
    total = Ledger()
    for devices in parts:
        for name, costs in devices.items():
            total.add(name, costs)
    return total.of_run()


def _scaled(totals: Totals, factor: float) -> Totals:
    return {name: {key: value * factor for key, value in costs.items()} for name, costs in totals.items()}


def lines(made: Estimate, limits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Text lines of an estimate; `limits`: device -> its keys max_shots (a sampler's reads) and max_seconds."""
    said = []
    for phase, devices in made.phases.items():
        said += [f"{phase:11}{name}: {_words(costs)}" for name, costs in devices.items()]
    for name, costs in _together(*made.phases.values()).items():
        said.append(f"{'all':11}{name}: {_words(costs)}")
        price = made.prices[name]
        said.append(f"{'price':11}{name}: {price if isinstance(price, str) else price.words(costs)}")
        said += [
            f"{'limit':11}{name}: {limit}={most:g} would be exceeded"
            for limit, keys in (("max_shots", ("shots", "reads")), ("max_seconds", ("device_seconds",)))
            if (most := limits.get(name, {}).get(limit)) and exceeds(sum(costs.get(key, 0) for key in keys), most)
        ]
    uncounted = [f"{'all':11}{name}: no counted calls" for name in made.prices]
    return said or uncounted or ["this run uses no device"]


def _words(costs: Mapping[str, float]) -> str:
    counted = [f"{value:,.0f} {key}" for key, value in costs.items() if key != "device_seconds"]
    if (seconds := costs.get("device_seconds")) is not None:
        counted.append(f"{seconds:{',.1f' if seconds >= 10 else '.3g'}} s of device time, modelled")
    return ", ".join(counted)
