"""A search space, as its YAML declares it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.compose import choices
from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.targets import config_packages
from neurobench.metrics.catalog import larger_is_better

KEYS = ("overrides", "figure", "prune_on", "space")
RANGE, CHOICE = {"low", "high", "log", "step"}, {"choices"}


@dataclass(frozen=True)
class Space:
    """What may vary, and by which figure of held-out samples a trial is judged."""

    overrides: tuple[str, ...]  # of every trial
    figure: str
    prune_on: str | None  # a figure of each epoch
    space: dict[str, dict[str, Any]]  # key -> {low, high[, log][, step]} or {choices}

    @property
    def larger_wins(self) -> bool:
        return larger_is_better(self.figure)

    @property
    def identity(self) -> str:
        """Eight hex digits: trials of another space do not belong to the same study."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:8]


def load_space(name: str, more: list[str]) -> Space:
    """A space that ships, one of a plugin, or a file. `more`: overrides from the command line, which win."""
    try:
        plain = OmegaConf.to_container(OmegaConf.create(_text(name)))
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{name}: {str(error).splitlines()[0]}") from None
    faults = _faults(plain)
    if faults:
        raise UserError(f"the search space {name} cannot be used:\n" + "\n".join(f"  {fault}" for fault in faults))
    assert isinstance(plain, dict)
    return Space((*plain["overrides"], *more), plain["figure"], plain.get("prune_on"), plain["space"])


def _text(name: str) -> str:
    if name.endswith(".yaml"):
        try:
            return Path(name).read_text()
        except OSError as error:
            raise UserError(f"{name}: {error.strerror}") from None
    for package in config_packages():
        file = files(package).joinpath("tune", f"{name}.yaml")
        if file.is_file():
            return file.read_text()
    known = choices("tune")
    raise UserError(f"there is no search space '{name}'; there is {', '.join(known)}.{did_you_mean(name, known)}")


def _faults(plain: Any) -> list[str]:
    if not isinstance(plain, dict):
        return ["it is not a section of keys"]
    faults = [f"{key}: there is no such key; there is {', '.join(KEYS)}." for key in plain if key not in KEYS]
    faults += [f"{key} is missing" for key in ("overrides", "figure", "space") if not plain.get(key)]
    for key in ("figure", "prune_on"):
        if plain.get(key) and "validation" not in str(plain[key]):
            faults.append(f"{key}={plain[key]}: only figures of held-out samples may decide (validation_...)")
    for key, entry in (plain.get("space") or {}).items():
        fits = isinstance(entry, dict) and (set(entry) == CHOICE or {"low", "high"} <= set(entry) <= RANGE)
        if not fits:
            faults.append(f"space.{key}: write {{low: , high: [, log: true][, step: ]}} or {{choices: [...]}}")
        elif any(isinstance(choice, dict) for choice in entry.get("choices") or ()):
            faults.append(f"space.{key}: a choice is a number, a text, true, false, null or a list of these")
        elif "low" in entry and not entry["low"] < entry["high"]:
            faults.append(f"space.{key}: low={entry['low']} is not below high={entry['high']}")
    return faults
