"""Which rows experiments declare: what was published, and the band that ours must fall in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from platformdirs import user_cache_path

from neurobench import __version__
from neurobench.config.compose import Composer, choices, composer
from neurobench.config.schema import Row
from neurobench.config.targets import config_packages
from neurobench.experiment.plan import parse
from neurobench.runs.atomic import write_json


@dataclass(frozen=True)
class Declared:
    """An experiment that contributes rows to a table."""

    experiment: str
    name: str  # of its runs' folder
    setting_hashes: dict[str, str]  # scale -> hash of the configuration without its seed
    rows: tuple[Row, ...]


Tables = dict[str, list[Declared]]


def declared_tables() -> Tables:
    """Table name -> the experiments that declare rows for it.

    Composing them all takes seconds; what came out is kept in the user's cache for as long as no YAML file and no
    module that it depends on changes.
    """
    stamp = _stamp()
    kept = Path(os.environ.get("NEUROBENCH_CACHE", user_cache_path("neurobench"))) / "tables.json"
    try:
        told = json.loads(kept.read_text())
        if told["stamp"] == stamp:
            return {name: [_restored(entry) for entry in entries] for name, entries in told["tables"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not there, or of another version
    with composer() as compose:
        found = compose_tables(compose)
    tables = {name: [asdict(entry) for entry in entries] for name, entries in found.items()}
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, {"stamp": stamp, "tables": tables})
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return found


def _restored(entry: dict[str, Any]) -> Declared:
    return Declared(**{**entry, "rows": tuple(Row(**row) for row in entry["rows"])})


def _stamp() -> str:
    """Of everything that decides which rows are declared and how a setting is hashed."""
    digest = hashlib.sha256(__version__.encode())
    for package in (*config_packages(), "neurobench.config"):
        for path, text in sorted(_texts(files(package), package)):
            digest.update(f"{path}\0{text}\0".encode())
    return digest.hexdigest()


def _texts(folder: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _texts(entry, f"{prefix}/{entry.name}")
        elif entry.name.endswith((".yaml", ".py")):
            yield f"{prefix}/{entry.name}", entry.read_text()


def compose_tables(compose: Composer) -> Tables:
    """The same, composed afresh."""
    found: Tables = {}
    scales = {name: compose([f"scale={name}"]).scale for name in choices("scale")}
    for experiment in choices("experiment"):
        config = compose([f"experiment={experiment}"])
        if config.table is None:
            continue
        hashes = {name: _hash(config, scale) for name, scale in scales.items()}
        rows = tuple(Row(**row) for row in OmegaConf.to_container(config.table.rows, resolve=True))  # type: ignore
        found.setdefault(config.table.name, []).append(Declared(experiment, config.name, hashes, rows))
    return found


def _hash(config: DictConfig, scale: DictConfig) -> str:
    config.scale = scale
    return parse(config).setting_hash
