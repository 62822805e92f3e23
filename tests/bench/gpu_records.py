"""Measurements of benchmarks, one line of JSON each, and the table made from them."""

import json
import os
from pathlib import Path
from typing import Any

FILE = "NEUROBENCH_BENCH_RECORDS"  # path of the file; nothing is written if it is not set
_WORK = {"train": "training", "predict": "prediction"}


def note(kind: str, **figures: Any) -> None:
    if name := os.environ.get(FILE):
        with Path(name).open("a") as file:
            file.write(json.dumps({"kind": kind, **figures}) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(records: list[dict[str, Any]]) -> str:
    """Text of GPU.md: measurements, and missing ones with their reasons."""
    (machine,) = (one for one in records if one["kind"] == "machine")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        "# Speed on a GPU",
        "",
        "`make bench-gpu` writes this page. Medians of one run, samples/s.",
        "",
        f"{machine['gpu']} beside {machine['threads']} threads of {machine['cpu']}; {versions}.",
        f"Measured {machine['date']}, commit {machine['commit']}.",
    ]
    parts = (_peers, _models, _camera, _tests, _absent)
    return "\n".join([*lines, *(line for part in parts for line in part(records))]) + "\n"


def _rates(records: list[dict[str, Any]], kind: str, device: str) -> dict[tuple[str, str, int], float]:
    """Rates: (name, work, batch) -> samples/s."""
    chosen = (one for one in records if one["kind"] == kind and one["device"] == device)
    return {(one["name"], one["work"], one["batch"]): one["rate"] for one in chosen}


def _peers(records: list[dict[str, Any]]) -> list[str]:
    rates = _rates(records, "slayer", "cuda")
    if not rates:
        return []
    kernels = {one["name"]: f" ({one['kernels']})" for one in records if one["kind"] == "kernels"}
    lines = ["", "## SLAYER beside other libraries, on the GPU", ""]
    lines += ["2312-512-512-10 neurons, 300 steps. Others are handed dense tensors; ours bins the events as well.", ""]
    lines += ["| library | work | batch | samples/s | ours is |", "|---|---|---|---|---|"]
    for (name, work, batch), rate in sorted(rates.items(), key=lambda item: (item[0][2], item[0][1] != "train")):
        label = "slayer_snn" if name == "ours" else name + kernels.get(name, "")
        ratio = "" if name == "ours" else f"{rates['ours', work, batch] / rate:.2f}x"
        lines.append(f"| {label} | {_WORK[work]} | {batch} | {rate:,.0f} | {ratio} |")
    return lines


def _models(records: list[dict[str, Any]]) -> list[str]:
    cpu, gpu = (_rates(records, "model", device) for device in ("cpu", "cuda"))
    if not gpu:
        return []
    lines = ["", "## Every model, GPU beside CPU", ""]
    lines += ["| model | work | batch | CPU | GPU | GPU/CPU |", "|---|---|---|---|---|---|"]
    for (name, work, batch), rate in gpu.items():
        beside = cpu[name, work, batch]
        lines.append(f"| {name} | {_WORK[work]} | {batch} | {beside:,.0f} | {rate:,.0f} | {rate / beside:.2f} |")
    return lines


def _camera(records: list[dict[str, Any]]) -> list[str]:
    rates = [one for one in records if one["kind"] == "camera"]
    if not rates:
        return []
    lines = ["", "## The event camera", "", "| on | recordings/s | 70,000 take |", "|---|---|---|"]
    for one in rates:
        where = f"GPU and {one['threads']} threads" if one["device"] == "cuda" else f"{one['threads']} thread(s)"
        lines.append(f"| {where} | {one['rate']:,.0f} | {70_000 / one['rate']:.1f} s |")
    return lines


def _tests(records: list[dict[str, Any]]) -> list[str]:
    return [line for one in records if one["kind"] == "tests" for line in ("", f"Tests marked gpu: {one['verdict']}.")]


def _absent(records: list[dict[str, Any]]) -> list[str]:
    missing = [f"- {one['name']}: {one['reason']}" for one in records if one["kind"] == "absent"]
    return ["", "Not measured:", "", *missing] if missing else []
