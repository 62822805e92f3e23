"""Content of a finished run's result.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from neurobench.config.targets import load
from neurobench.data.dataset import Split, Splits
from neurobench.experiment.build import energies, mesh_of
from neurobench.experiment.loop import Loop
from neurobench.experiment.plan import Plan
from neurobench.metrics.costs import Totals, energy_sources, with_joules
from neurobench.storage.provenance import peak_mb


class Outcome(NamedTuple):
    """Measurements of a run."""

    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]  # 95 %, of the proportions among the metrics
    undefined: Mapping[str, str]  # metric -> why this run has none
    seconds: Mapping[str, float]  # phase -> wall time
    baselines: Mapping[str, float]  # baseline without the model -> its test accuracy


def divergence(epochs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Warning if the losses of a training stayed finite but grew beyond all reason; else empty."""
    losses = [row["train_loss"] for row in epochs if "train_loss" in row]
    if not losses or losses[-1] < 1e6 or (losses[-1] < losses[0] and losses[-1] < 1e9):  # a falling loss learns
        return []
    return [f"the training diverged: its loss ended at {losses[-1]:.3g}. Try a smaller learning rate."]


def result(plan: Plan, splits: Splits, loop: Loop, outcome: Outcome, device: torch.device) -> dict[str, Any]:
    """Content of result.json. Device costs are those of training, validation, finalizing and tests; those of tutorial
    metrics, counts and figures are listed next to them by phase."""
    costs = with_joules(energies(plan), loop.ledger.of_run())
    undefined = {}
    if not len(splits.validation):
        undefined["validation_accuracy"] = "nothing was held out for validation"
    elif not any("validation_accuracy" in row for row in loop.record.epochs):
        reason = "this model predicts no classes until it is finalized, after the last epoch"
        undefined["validation_accuracy"] = reason
    # Samples per second: learned over all sessions, and predicted.
    samples = {"train": loop.position.epoch * len(splits.train), "test": len(splits.test)}
    speeds = {name: n / outcome.seconds[name] for name, n in samples.items() if n and outcome.seconds[name] > 0}
    return {
        "name": plan.run.name,
        **plan.choices,
        "seed": plan.run.seed,
        "metrics": outcome.metrics,
        "intervals": outcome.intervals,
        "baselines": outcome.baselines,
        "undefined": {**undefined, **outcome.undefined},
        "warnings": [*divergence(loop.record.epochs), *loop.ledger.notes.values()],
        "device_costs": costs,
        "device_costs_by_phase": loop.ledger.phases,
        **({"machines": loop.ledger.machines} if loop.ledger.machines else {}),
        "energy_source": _sources(plan, outcome.metrics, costs),
        "epochs": loop.position.epoch,
        "best_epoch": loop.position.best_epoch,
        "data": describe(splits),
        "config_hash": plan.config_hash,
        "setting_hash": plan.setting_hash,
        "seconds": {name: round(value, 3) for name, value in outcome.seconds.items()},
        "samples_per_s": {name: round(speed, 1) for name, speed in speeds.items()},
        "peak_rss_mb": peak_mb(),
        **({} if device.type == "cpu" else {"peak_device_mb": round(torch.cuda.max_memory_allocated(device) / 2**20)}),
    }


def _sources(plan: Plan, metrics: Mapping[str, float], costs: Totals) -> dict[str, str]:
    """Source of each estimate of joules that the run has: of its devices, and of the chip's architecture model."""
    sources = {
        name: source
        for name, source in energy_sources(energies(plan)).items()
        if "energy_joules" in metrics or "device_joules" in costs.get(name, {})
    }
    mesh = mesh_of(plan) if "mesh_joules" in metrics else None
    return {**sources, "mesh": load(mesh).source} if mesh else sources


def _counts(split: Split) -> list[int]:
    """Number of samples of each class."""
    return split.y.bincount().tolist()


def describe(splits: Splits) -> dict[str, Any]:
    """Description of the data that a reader needs to judge a figure."""
    return {
        "source": splits.source,
        "sha256": splits.sha256,
        "n_train": len(splits.train),
        "n_validation": len(splits.validation),
        "n_test": len(splits.test),
        "evaluated_on": splits.evaluated_on,
        "emulated": splits.emulated,
        "class_counts": {
            "train": _counts(splits.train),
            "validation": _counts(splits.validation),
            "test": _counts(splits.test),
        },
        **({"classes": list(splits.classes)} if splits.classes else {}),
        **({"validation_is_tested": True} if splits.validation_is_tested else {}),
        **({} if splits.bytes_read is None else {"bytes": splits.bytes_read}),
        **{f"n_{name}": len(split) for name, split in splits.others.items()},
    }
