"""Every figure of merit of a run: what belongs together in one group, what differs in a number alone in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from neurobench.metrics.catalog import metric, printed
from neurobench.metrics.meanings import GROUPS, meaning
from neurobench.report.answer import quantity

_NUMBER = re.compile(r"\d+")


class Line(NamedTuple):
    name: str
    value: str  # "" of a series
    text: str  # what the name stands for; of a series its values: "1: 0.05, 2: 0.06"


def grouped(metrics: Mapping[str, float]) -> dict[str, list[Line]]:
    """Group -> lines. "layer1_rate" and "layer2_rate" make one line."""
    families: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        # Without time a sample is one step, and a figure per step says nothing new.
        if not (name.endswith("_per_step") and value == metrics.get(name.removesuffix("_per_step"))):
            families.setdefault(_NUMBER.sub("N", name, count=1), {})[name] = value
    groups: dict[str, list[Line]] = {name: [] for name in GROUPS}
    for family, members in families.items():
        first = next(iter(members))
        line = _series(family, members) if len(members) > 1 else _single(first, members[first])
        groups[meaning(first).group].append(line)
    return {name: lines for name, lines in groups.items() if lines}


def _single(name: str, value: float) -> Line:
    return Line(name.replace("_", " "), _text(name, value), meaning(name).sentence)


def _series(family: str, members: Mapping[str, float]) -> Line:
    numbers = [_NUMBER.findall(name)[0] for name in members]
    values = [_text(name, value) for name, value in members.items()]
    text = ", ".join(f"{number}: {value}" for number, value in zip(numbers, values, strict=True))
    return Line(family.replace("_", " "), "", text)


def _text(name: str, value: float) -> str:
    if metric(name).unit == "J":
        return quantity(value, "J")
    return printed(name, value) if abs(value) < 1000 or metric(name).unit else f"{value:,.0f}"
