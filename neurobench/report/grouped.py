"""All figures of merit of a run: related ones in one group, those whose names differ only in a number in one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from neurobench.metrics.catalog import metric, printed
from neurobench.metrics.meanings import grouped, sentence
from neurobench.report.answer import quantity

_NUMBER = re.compile(r"\d+")


class Line(NamedTuple):
    name: str
    value: str  # "" for a series
    text: str  # meaning of the name; for a series its values: "1: 0.05, 2: 0.06"


def lines_by_group(metrics: Mapping[str, float]) -> dict[str, list[Line]]:
    """Lines by title of their group. "layer1_rate" and "layer2_rate" share one line."""
    return {title: _lines({name: metrics[name] for name in names}) for title, names in grouped(_news(metrics)).items()}


def _news(metrics: Mapping[str, float]) -> list[str]:
    """Names of the figures, without those per step that repeat those per sample, as a model without time has them."""
    return [
        name
        for name, value in metrics.items()
        if not (name.endswith("_per_step") and value == metrics.get(name.removesuffix("_per_step")))
    ]


def _lines(metrics: Mapping[str, float]) -> list[Line]:
    families: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        families.setdefault(_NUMBER.sub("N", name, count=1), {})[name] = value
    return [
        _series(family, members) if len(members) > 1 else _single(*next(iter(members.items())))
        for family, members in families.items()
    ]


def _single(name: str, value: float) -> Line:
    return Line(name.replace("_", " "), number(name, value), sentence(name))


def _series(family: str, members: Mapping[str, float]) -> Line:
    numbers = [_NUMBER.findall(name)[0] for name in members]
    values = [number(name, value) for name, value in members.items()]
    text = ", ".join(f"{at}: {value}" for at, value in zip(numbers, values, strict=True))
    return Line(family.replace("_", " "), "", text)


def number(name: str, value: float) -> str:
    """Value printed as elsewhere, but joules with a readable SI prefix, and large numbers with thousands separators."""
    if metric(name).unit == "J":
        return quantity(value, "J")
    is_large = not metric(name).unit and 1e4 <= abs(value) < 1e15
    return f"{value:,.0f}" if is_large else printed(name, value)
