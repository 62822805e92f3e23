"""The rows that experiments publish: the figure in print, and the band that ours must fall in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from itertools import product
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

HASHING = (
    "experiment/plan.py", "experiment/combine.py", "models/learner.py", "devices/spec.py",
    "data/dataset.py", "data/encoders.py", "report/earlier_hashes.json",
)  # fmt: skip
SPEC_MODULE = re.compile(r"_target_: *neurobench\.([\w.]+)\.\w+")


@dataclass(frozen=True)
class Published:
    """One setting that contributes rows to a table."""

    experiment: str  # and what else selects it: "matrix_qrbm_mnist backend=mock"
    name: str  # of its runs' folder
    setting_hashes: dict[str, str]  # scale -> hash of the configuration without its seed
    rows: tuple[Row, ...]
    earlier_hashes: dict[str, str] = field(default_factory=dict)  # the same by the rule before this one, for old runs


Tables = dict[str, list[Published]]


def published_tables() -> Tables:
    """Table name -> the settings that publish rows in it.

    Composing them all takes seconds; the result is cached until a file changes that decides on them.
    """
    stamp = _stamp()
    cache = Path(os.environ.get("NEUROBENCH_CACHE", user_cache_path("neurobench"))) / "tables.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # absent, or of another version
        record = json.loads(cache.read_text())
        if record["stamp"] == stamp:
            return {name: [_restored(entry) for entry in entries] for name, entries in record["tables"].items()}
    with composer() as compose:
        tables = compose_tables(compose)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        cache.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: [asdict(entry) for entry in entries] for name, entries in tables.items()}
        write_json(cache, {"stamp": stamp, "tables": plain})
    return tables


def _restored(entry: dict[str, Any]) -> Published:
    return Published(**{**entry, "rows": tuple(Row(**row) for row in entry["rows"])})


def _stamp() -> str:
    """Of everything that decides which rows are published and how a setting is hashed: the YAML files, what reads
    them, and the specs that they name."""
    digest = hashlib.sha256(__version__.encode())
    for package in config_packages():
        for path, text in sorted(_yaml_files(files(package), package)):
            digest.update(f"{path}\0{text}\0".encode())
    room = files("neurobench")
    for path in sorted(_hashing_modules()):
        digest.update(f"{path}\0{room.joinpath(path).read_text()}\0".encode())
    return digest.hexdigest()


def _yaml_files(folder: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _yaml_files(entry, f"{prefix}/{entry.name}")
        elif entry.name.endswith(".yaml"):
            yield f"{prefix}/{entry.name}", entry.read_text()


def _hashing_modules() -> set[str]:
    """Files of this package, relative to it, that read a configuration, or that hold a spec or what it derives from."""
    texts = [text for package in config_packages() for _, text in _yaml_files(files(package), package)]
    named = {module for text in texts for module in SPEC_MODULE.findall(text)}
    config = {f"config/{entry.name}" for entry in files("neurobench.config").iterdir() if entry.name.endswith(".py")}
    return {*HASHING, *config, *(f"{module.replace('.', '/')}.py" for module in named)}


def compose_tables(compose: Composer) -> Tables:
    """The same, composed afresh."""
    tables: Tables = {}
    scales = {name: compose([f"scale={name}"]).scale for name in choices("scale")}
    earlier = json.loads(files("neurobench.report").joinpath("earlier_hashes.json").read_text())
    for experiment in choices("experiment"):
        for selection, config in _settings(compose, experiment):
            hashes = {name: _setting_hash(config, scale) for name, scale in scales.items()}
            plain: Any = OmegaConf.to_container(config.table.rows, resolve=True)
            rows = tuple(Row(**row) for row in plain)
            entry = Published(selection, config.name, hashes, rows, earlier.get(config.name, {}))
            tables.setdefault(config.table.name, []).append(entry)
    return tables


def _settings(compose: Composer, experiment: str) -> Iterator[tuple[str, DictConfig]]:
    """Each combination of the choices that an experiment's table is `over`; else the experiment alone."""
    config = compose([f"experiment={experiment}"])
    if config.table is None:
        return
    over = config.table.get("over")
    if not over:
        yield experiment, config
        return
    for values in product(*over.values()):
        words = [f"{group}={value}" for group, value in zip(over, values, strict=True)]
        as_composed = all(config[group].name == value for group, value in zip(over, values, strict=True))
        yield " ".join([experiment, *words]), config if as_composed else compose([f"experiment={experiment}", *words])


def _setting_hash(config: DictConfig, scale: DictConfig) -> str:
    config.scale = scale
    return parse(config).setting_hash
