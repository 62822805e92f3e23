"""A finished run on one screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from neurobench.metrics.catalog import printed
from neurobench.runs.folder import RunFolder


def print_result(folder: RunFolder, console: Console, brief: bool = False) -> None:
    """Accuracy with its interval, every other figure, seconds, and where the files are."""
    result = folder.result()
    assert result is not None
    headline = f"test accuracy {headline_figure(result)}"
    note = "" if result["scale"] == "paper" else f"  (scale {result['scale']}: never a result)"
    console.print(f"{headline}{note}", style="bold", highlight=False, soft_wrap=True)
    if brief:
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in result["metrics"].items():
        per_step = name.endswith("_per_step") and value == result["metrics"].get(name.removesuffix("_per_step"))
        if name != "test_accuracy" and not per_step:  # without time a sample is one step
            table.add_row(name.replace("_", " "), printed(name, value, digits=6))
    console.print(table)
    for told in (*_devices(result), *_undefined(result)):
        console.print(told, highlight=False, soft_wrap=True)
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in result["seconds"].items())
    console.print(f"seconds: {seconds}; peak memory {result['peak_rss_mb']} MB", highlight=False)
    figures = sorted(path.name for path in (folder.path / "figures").glob("[!.]*"))
    console.print(f"{folder.path}: result.json, figures/{{{', '.join(figures)}}}", highlight=False, soft_wrap=True)


def _devices(result: dict[str, Any]) -> Iterator[str]:
    """What was asked of each device in the whole run, and where its joules come from."""
    for name, entries in result.get("device_costs", {}).items():
        figures = ", ".join(f"{value:,.6g} {key.replace('_', ' ')}" for key, value in entries.items())
        yield f"device {name}: {figures}"
    for name, source in result.get("energy_source", {}).items():
        yield f"joules of {name}: {source}"


def _undefined(result: dict[str, Any]) -> Iterator[str]:
    for name, why in result["undefined"].items():
        yield f"no {name.replace('_', ' ')}: {why}"


def headline_figure(result: dict[str, Any]) -> str:
    """ "96.01 % (95 % interval 95.61 to 96.38) on the official test set"."""
    low, high = result["intervals"]["test_accuracy"]
    data = result["data"]
    words = f"{result['metrics']['test_accuracy']:.2%} (95 % interval {low:.2%} to {high:.2%})"
    return f"{words} on {data['evaluated_on']}, {data['n_test']} samples"
