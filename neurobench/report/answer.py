"""Summary of a finished run in at most ten lines of 80 columns: accuracy, baselines, speed, cost and run folder."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from neurobench.metrics.catalog import printed

LABEL, WIDTH = 15, 80  # columns
BASELINES = {"majority_class": "majority class", "logistic_regression": "logistic regression"}
PREFIXES = ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def answer(result: Mapping[str, Any], folder: str, next_command: str) -> list[str]:
    """Return one line per item, so at most ten; `neurobench show` prints what is shortened or left out."""
    lines = [
        f"{label:{LABEL}}{textwrap.shorten(text, WIDTH - LABEL, placeholder=' ...')}" for label, text in _lines(result)
    ]
    return [*lines, f"{'run folder':{LABEL}}{folder}", f"{'next:':{LABEL}}{next_command}"]


def _lines(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    accuracy = printed("test_accuracy", result["metrics"]["test_accuracy"])
    yield "test accuracy", f"{accuracy} (95 % interval {interval(result)})"
    yield "  tested on", _tested_on(result["data"])
    if baselines := baselines_of(result):
        yield (
            "  baselines",
            ", ".join(
                f"{BASELINES.get(name, name)} {value:.2%}".replace("%", " %") for name, value in baselines.items()
            ),
        )
    yield "training", _training(result)
    if cost := device_cost(result):
        yield "device", cost
    if joules := energy(result):
        yield "energy", joules
    yield from _notes(result)


def interval(result: Mapping[str, Any]) -> str:
    """The 95 % interval of the test accuracy as text, e.g. "95.89 to 96.63 %"."""
    low, high = result["intervals"]["test_accuracy"]
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def baselines_of(result: Mapping[str, Any]) -> Mapping[str, float]:
    """Baseline accuracies of a result; for older results, which store none, the one that class counts determine."""
    if "baselines" in result:
        return result["baselines"]
    counts = result["data"].get("class_counts")
    if not counts:
        return {}
    train, test = counts["train"], counts["test"]
    commonest = max(range(len(train)), key=train.__getitem__)
    return {"majority_class": (test[commonest] if commonest < len(test) else 0) / max(1, sum(test))}


def _tested_on(data: Mapping[str, Any]) -> str:
    n = f"{data['n_test']:,}"
    named = data["evaluated_on"]
    return named if n in named or str(data["n_test"]) in named else f"{n} samples: {named}"


def _training(result: Mapping[str, Any]) -> str:
    seconds, epochs = result["seconds"], result.get("epochs")
    parts = [] if epochs is None else [f"{epochs} epoch{'' if epochs == 1 else 's'}"]
    if "train" in seconds:
        parts.append(duration(seconds["train"]))
    text = " in ".join(parts)
    speed = result.get("samples_per_s", {}).get("train")
    text += f" ({speed:,.0f} samples/s)" if speed else ""
    if seconds.get("finalize", 0) >= 0.05:
        text += f", finalizing {duration(seconds['finalize'])}"
    return text


def device_cost(result: Mapping[str, Any]) -> str:
    """Costs of the whole run on each device: "sampler: 1,100 reads, 0.12 s modelled", or measured if a machine
    reports its time."""
    devices = []
    for name, costs in result.get("device_costs", {}).items():
        timed = result.get("machines", {}).get(name, {}).get("device_seconds", "modelled")
        parts = [_cost(key, value, timed) for key, value in costs.items() if key not in ("calls", "device_joules")]
        devices.append(f"{name}: {', '.join(part for part in parts if part)}")
    return "; ".join(devices)


def _cost(key: str, value: float, timed: str) -> str:
    if key == "device_seconds":
        return f"{duration(value)} {timed}"
    number = f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
    return f"{number} {key.replace('_', ' ')}" if value else ""


def energy(result: Mapping[str, Any]) -> str:
    joules = [
        f"{quantity(costs['device_joules'], 'J')} in total"
        for costs in result.get("device_costs", {}).values()
        if "device_joules" in costs
    ]
    if "energy_joules" in result["metrics"]:
        joules.append(f"{quantity(result['metrics']['energy_joules'], 'J')} per prediction")
    return f"{', '.join(joules)}: an estimate" if joules else ""


def _notes(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    warnings = result.get("warnings", ())
    if warnings:
        more = f" ({len(warnings) - 1} more: neurobench show)" if len(warnings) > 1 else ""
        yield "warning", f"{warnings[0]}{more}"
    if result["scale"] != "paper":
        yield "note", f"scale={result['scale']} only shows that it runs; it is never a result"


def duration(seconds: float) -> str:
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def quantity(value: float, unit: str) -> str:
    """Value with the SI prefix that leaves one to three digits before the point: "46 uJ"."""
    value = float(f"{value:.3g}")  # before the prefix is chosen: 999.9 uJ is 1 mJ, not 1e+03 uJ
    size, prefix = next(((size, prefix) for size, prefix in PREFIXES if abs(value) >= size), PREFIXES[-1])
    return f"{value / size:.3g} {prefix}{unit}"
