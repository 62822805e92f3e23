"""The rows that experiments publish: the figure in print, and the band that ours must fall in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from platformdirs import user_cache_path

from neurobench.config.compose import GROUPS, Composer, choices, composer
from neurobench.config.errors import ConfigError
from neurobench.config.schema import Row
from neurobench.config.targets import PLUGIN_FILES, config_places, own_folders
from neurobench.experiment.plan import parse
from neurobench.metrics.catalog import metric
from neurobench.phases import tracked
from neurobench.storage.atomic import write_json
from neurobench.version import __version__

HASHING = (
    "experiment/plan.py", "experiment/combine.py", "models/learner.py", "devices/spec.py",
    "data/dataset.py", "data/encoders.py", "report/earlier_hashes.json",
)  # fmt: skip
_CACHED = 8  # sets of tables: a checkout, an installation and a folder of one's own do not push each other out
SPEC_MODULE = re.compile(r"_target_: *neurobench\.([\w.]+)\.\w+")


@dataclass(frozen=True)
class Published:
    """One setting that contributes rows to a table."""

    experiment: str  # and what else selects it: "matrix_qrbm_mnist backend=mock"
    name: str  # of its runs' folder
    setting_hashes: dict[str, str]  # scale -> hash of the configuration without its seed
    rows: tuple[Row, ...]
    earlier_hashes: dict[str, str] = field(default_factory=dict)  # the same by the rule before this one, for old runs
    seeds: tuple[int, ...] = ()  # that are recorded; none: whichever were run


Tables = dict[str, list[Published]]


def table_names(config_dir: str | None = None) -> list[str]:
    """The tables that there are, as the YAML files name them: composing them all would take half a minute of silence
    before a slip of the pen is answered."""
    names = set()
    for place in config_places(config_dir):
        for path, text in _yaml_files(place, ""):
            if path.startswith("/table/"):
                names.add(path.rpartition("/")[2].removesuffix(".yaml"))
            elif path.startswith("/experiment/") and "\ntable:" in text:
                names.update(_table_of(text))
    return sorted(names)


@lru_cache(maxsize=512)
def _table_of(text: str) -> tuple[str, ...]:
    """The table that an experiment's file names, if it does."""
    with contextlib.suppress(yaml.YAMLError):  # it is named where it is composed
        table = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["table"]
        return (table["name"],) if "name" in table else ()
    return ()


def published_tables(config_dir: str | None = None) -> Tables:
    """Table name -> the settings that publish rows in it.

    Composing them all takes seconds; the result is cached until a file changes that decides on them.
    """
    stamp = _stamp(config_dir)
    cache = Path(os.environ.get("NEUROBENCH_CACHE", user_cache_path("neurobench"))) / f"tables-{stamp[:12]}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # absent, or of another version
        record = json.loads(cache.read_text())
        if record["stamp"] == stamp:
            for entries in record["tables"].values():
                for entry in entries:
                    entry["rows"] = tuple(Row(**row) for row in entry["rows"])
                    entry["seeds"] = tuple(entry["seeds"])
            return {name: [Published(**entry) for entry in entries] for name, entries in record["tables"].items()}
    with composer(config_dir) as compose:
        tables = compose_tables(compose, config_dir)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        cache.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: [asdict(entry) for entry in entries] for name, entries in tables.items()}
        write_json(cache, {"stamp": stamp, "tables": plain})
        for old in sorted(cache.parent.glob("tables-*.json"), key=os.path.getmtime, reverse=True)[_CACHED:]:
            old.unlink(missing_ok=True)
    return tables


def _stamp(config_dir: str | None) -> str:
    """Of everything that decides which rows are published and how a setting is hashed: the YAML files, what reads
    them, and the modules of the specs that they name."""
    texts = dict(entry for place in config_places(config_dir) for entry in sorted(_yaml_files(place, str(place))))
    texts |= {str(path): path.read_text() for path in PLUGIN_FILES.values()}
    specs = {module for text in texts.values() for module in SPEC_MODULE.findall(text)}
    room = files("neurobench")
    readers = {f"config/{entry.name}" for entry in room.joinpath("config").iterdir() if entry.name.endswith(".py")}
    for path in sorted({*HASHING, *readers, *(f"{module.replace('.', '/')}.py" for module in specs)}):
        texts[path] = room.joinpath(path).read_text()
    return hashlib.sha256(json.dumps([__version__, texts]).encode()).hexdigest()


def _yaml_files(place: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Path and text of each file in the groups' folders of a place: a user's own folder may hold much else."""
    for folder in (place.joinpath(group) for group in (*GROUPS, "matrix", "table", "tune")):
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name.endswith(".yaml"):
                yield f"{prefix}/{folder.name}/{entry.name}", entry.read_text()


def compose_tables(compose: Composer, config_dir: str | None = None) -> Tables:
    """The same, composed afresh. An experiment of the user's own that cannot run, or whose rows cannot be compared as
    they say, is named and left out."""
    tables: Tables = {}
    scales = {name: compose([f"scale={name}"]).scale for name in choices("scale", config_dir)}
    earlier = json.loads(files("neurobench.report").joinpath("earlier_hashes.json").read_text())
    for experiment in tracked("composing every experiment, once after a change", choices("experiment", config_dir)):
        try:
            published = list(_published(compose, experiment, scales, earlier))
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            _leave_out(experiment, error, config_dir)
            continue
        for table, entry in published:
            tables.setdefault(table, []).append(entry)
    for entries in tables.values():
        for entry in list(entries):
            if faults := incomparable(entry, entries):
                _leave_out(entry.experiment.split()[0], ConfigError(faults), config_dir)
                entries.remove(entry)
    return tables


def _leave_out(experiment: str, error: Exception, config_dir: str | None) -> None:
    """Name one of the user's own; a fault of one that ships is raised."""
    if not any((folder / f"experiment/{experiment}.yaml").is_file() for folder in own_folders(config_dir)):
        raise error
    fault = error.faults[0] if isinstance(error, ConfigError) else str(error).splitlines()[0]
    print(f"experiment={experiment} is left out: {fault}", file=sys.stderr)


def incomparable(setting: Published, table: Sequence[Published]) -> list[str]:
    """A sentence for each row of a setting that is held against a row of its table with a metric of another unit or
    direction: their difference would mean nothing."""
    by_id = {row.id: row for each in table for row in each.rows}
    return [
        f"row {_measure(row)} is held against row {_measure(by_id[name])}: only metrics of one unit and direction "
        "can be compared; take another row in `against`, or another metric"
        for row in setting.rows
        for name in row.against
        if name in by_id and metric(row.metric) != metric(by_id[name].metric)
    ]


def _measure(row: Row) -> str:
    unit, better = metric(row.metric)
    words = {"proportion": "a proportion", "": "without a unit"}.get(unit, f"in {unit}")
    return f"{row.id} ({row.metric}, {words}, {better} is better)"


def _published(compose: Composer, experiment: str, scales: Any, earlier: Any) -> Iterator[tuple[str, Published]]:
    """Each setting of an experiment that publishes rows, with the name of its table."""
    for selection, config in _settings(compose, experiment):
        hashes = {}
        for name, scale in scales.items():
            config.scale = scale
            hashes[name] = parse(config).setting_hash
        plain: Any = OmegaConf.to_container(config.table.rows, resolve=True)
        rows = tuple(Row(**row) for row in plain)
        seeds = tuple(config.table.get("seeds", ()))
        yield config.table.name, Published(selection, config.name, hashes, rows, earlier.get(config.name, {}), seeds)


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
