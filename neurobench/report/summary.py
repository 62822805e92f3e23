"""Summary of a finished run as text, for a terminal or a notebook."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from neurobench.metrics.catalog import printed

MIME = {".png": "image/png", ".gif": "image/gif"}


def headline(result: Mapping[str, Any]) -> str:
    """Test accuracy with its interval, and the samples it refers to."""
    data = result["data"]
    low, high = result["intervals"]["test_accuracy"]
    accuracy = printed("test_accuracy", result["metrics"]["test_accuracy"])
    figure = f"{accuracy} (95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
    note = "" if result["scale"] == "paper" else f"  (scale {result['scale']}: never a result)"
    return f"test accuracy {figure} on {data['evaluated_on']}, {data['n_test']} samples{note}"


def merits(result: Mapping[str, Any]) -> dict[str, str]:
    """Every other figure of merit as it is printed."""
    rows, metrics = {}, result["metrics"]
    for name, value in metrics.items():
        # Without time a sample is one step, and a figure per step says nothing new.
        repeats = name.endswith("_per_step") and value == metrics.get(name.removesuffix("_per_step"))
        if name != "test_accuracy" and not repeats:
            rows[name.replace("_", " ")] = printed(name, value, digits=6)
    return rows


def remarks(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the costs of each device in the whole run, the source of its joules, warnings, and undefined figures."""
    for name, costs in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:,.6g} {key.replace('_', ' ')}" for key, value in costs.items())
        yield f"device {name}: {figures}"
    for name, machine in result.get("machines", {}).items():
        yield f"machine of {name}: {', '.join(f'{key} {value}' for key, value in machine.items())}"
    for name, source in result.get("energy_source", {}).items():
        yield f"joules of {name}: {source}"
    yield from result.get("warnings", ())
    for name, reason in result["undefined"].items():
        yield f"no {name.replace('_', ' ')}: {reason}"


def pictures(folder: Path) -> list[Path]:
    """The figures of a run folder that a browser can show."""
    return sorted(path for path in (folder / "figures").glob("[!.]*") if path.suffix in MIME and path.is_file())


def embedded(picture: Path) -> str:
    """Data URL of a picture, for the src of an <img>."""
    return f"data:{MIME[picture.suffix]};base64,{base64.b64encode(picture.read_bytes()).decode()}"
