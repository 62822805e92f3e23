"""Table rows that experiments declare: the published figure, and the band that the measured one must fall in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from neurobench.config import targets
from neurobench.config.compose import GROUPS, Composer, choices, composer
from neurobench.config.errors import ConfigError, did_you_mean
from neurobench.config.home import user_cache
from neurobench.config.schema import Row
from neurobench.config.targets import config_places, own_folders, own_options, plugin_targets
from neurobench.experiment.plan import parse
from neurobench.import_time import BEGAN
from neurobench.metrics.catalog import metric
from neurobench.phases import tracked
from neurobench.storage.atomic import write_json
from neurobench.version import __version__

EARLIER = files("neurobench.report").joinpath("earlier_hashes.json")
_CACHED = 8  # sets of tables in the cache: a checkout, an installation and a user's folder do not evict each other


@dataclass(frozen=True)
class Published:
    """One setting that contributes rows to a table."""

    experiment: str  # with further choices that select it: "matrix_qrbm_mnist backend=mock"
    name: str  # of the folder of its runs
    setting_hashes: dict[str, str]  # scale -> hash of the configuration without its seed
    rows: tuple[Row, ...]
    earlier_hashes: dict[str, str] = field(default_factory=dict)  # the same by the previous rule, for old runs
    seeds: tuple[int, ...] = ()  # seeds that are recorded; empty: whichever were run
    options: tuple[str, ...] = ()  # that let a command find the experiment; set by this process, never cached


Tables = dict[str, list[Published]]


def table_names(config_dir: str | None = None) -> list[str]:
    """Names of all tables, read from the YAML files: composing them all would take silent seconds before
    a typing error is reported."""
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
    """Name of the table in the text of an experiment's file, if it has one."""
    config = None
    with contextlib.suppress(yaml.YAMLError, ValueError):  # the fault is reported on composition
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    table = config.get("table") if isinstance(config, dict) else None
    name = table.get("name") if isinstance(table, dict) else None
    return (name,) if isinstance(name, str) else ()


def published_tables(config_dir: str | None = None) -> Tables:
    """Tables by name, with the settings that publish rows in each."""
    options = tuple(own_options(config_dir))
    tables = _cached_tables(config_dir)
    return {name: [replace(entry, options=options) for entry in entries] for name, entries in tables.items()}


def _cached_tables(config_dir: str | None) -> Tables:
    """Tables without the options of their settings, from the cache if it is up to date.

    Composing them all takes seconds; the result is cached until a YAML file, or code that was used, changes.
    """
    stamp = _stamp(config_dir)
    cache = Path(os.environ.get("NEUROBENCH_CACHE") or user_cache()) / f"tables-{stamp[:12]}.json"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError):  # absent, or damaged
        record = json.loads(cache.read_text())
        if record["stamp"] == stamp and record["code"] == _digests(record["code"]):
            for entries in record["tables"].values():
                for entry in entries:
                    entry["rows"] = tuple(Row(**row) for row in entry["rows"])
                    entry["seeds"] = tuple(entry["seeds"])
            return {name: [Published(**entry) for entry in entries] for name, entries in record["tables"].items()}
    with composer(config_dir) as compose:
        tables, is_whole = compose_tables(compose, config_dir)
    if is_whole:  # else the missing experiments may be repaired, and are reported until then
        with contextlib.suppress(OSError):  # a cache that cannot be written costs only time
            _keep(cache, stamp, tables, config_dir)
    return tables


def _keep(cache: Path, stamp: str, tables: Tables, config_dir: str | None) -> None:
    """Write the cache, unless a file has changed since it was read: a notebook keeps using the code it imported."""
    code = _code()
    if stamp != _stamp(config_dir) or max(map(_written, code)) >= BEGAN:
        return
    cache.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: [asdict(entry) for entry in entries] for name, entries in tables.items()}
    write_json(cache, {"stamp": stamp, "code": _digests(code), "tables": plain})
    for old in sorted(cache.parent.glob("tables-*.json"), key=os.path.getmtime, reverse=True)[_CACHED:]:
        old.unlink(missing_ok=True)


def _written(path: str) -> float:
    """Time at which a file was put in its place: installers preserve an older modification time."""
    status = Path(path).stat()
    return max(status.st_mtime, status.st_ctime)


def _stamp(config_dir: str | None) -> str:
    """Digest of the YAML files, the code that they may name, user code that is allowed by file, and the hashes by
    earlier rules."""
    places = config_places(config_dir)
    texts = dict(entry for place in places for entry in sorted(_yaml_files(place, str(place))))
    for path in (places[0].joinpath("config.yaml"), *targets.PLUGIN_FILES.values(), EARLIER):
        texts[str(path)] = path.read_text("utf-8")
    names = sorted(set(targets.ALLOWED) - set(targets.PLUGIN_FILES))  # these may lie in the current folder
    code = [*sorted(plugin_targets()), *names, *([str(Path.cwd())] if names else [])]
    return hashlib.sha256(json.dumps([__version__, code, texts]).encode()).hexdigest()


def _code() -> list[str]:
    """Files that may determine rows and hashes: all imported modules of this package, of plugins' packages, of allowed
    code and of its folder. Once everything is composed, modules that have not been imported cannot have had any
    effect."""
    roots = {name.partition(".")[0] for name in ("neurobench", *targets.ALLOWED, *plugin_targets())}
    # Not getattr, which makes some modules import packages that are not installed.
    modules = {name: getattr(module, "__dict__", {}).get("__file__") for name, module in list(sys.modules.items())}
    folders = own_folders()
    imported = {
        file
        for name, file in modules.items()
        if file and (name.partition(".")[0] in roots or Path(file).parent in folders)
    }
    return sorted({*imported, *map(str, targets.PLUGIN_FILES.values())})


def _digests(paths: Iterable[str]) -> dict[str, str]:
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths}


def _yaml_files(place: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Path and text of each YAML file in the group folders of a place: a user's folder may contain much else."""
    for folder in (place.joinpath(group) for group in (*GROUPS, "matrix", "table", "tune")):
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name.endswith(".yaml"):
                yield f"{prefix}/{folder.name}/{entry.name}", entry.read_text("utf-8", "replace")


def compose_tables(compose: Composer, config_dir: str | None = None) -> tuple[Tables, bool]:
    """Compose all tables anew; also return whether they are complete: a user's experiment that cannot run, or whose
    rows cannot be compared as declared, is reported and left out."""
    tables: Tables = {}
    is_whole = True
    scales = {name: compose([f"scale={name}"]).scale for name in choices("scale", config_dir)}
    earlier = json.loads(EARLIER.read_text())
    for experiment in tracked("composing every experiment, once after a change", choices("experiment", config_dir)):
        try:
            published = list(_published(compose, experiment, scales, earlier))
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            _leave_out(experiment, error, config_dir)
            is_whole = False
            continue
        for table, entry in published:
            tables.setdefault(table, []).append(entry)
    experiments = {entry.experiment for entries in tables.values() for entry in entries}
    for entries in tables.values():
        for entry in list(entries):
            experiment = entry.experiment.split()[0]
            own = [*dangling(entry, entries, experiments), *not_proportions(entry)]
            if faults := [*(own if _is_own(experiment, config_dir) else []), *incomparable(entry, entries)]:
                _leave_out(experiment, ConfigError(faults), config_dir)
                entries.remove(entry)
                is_whole = False
    return tables, is_whole


def _leave_out(experiment: str, error: Exception, config_dir: str | None) -> None:
    """Report that a user's experiment is left out; re-raise the error of one that ships with the package."""
    if not _is_own(experiment, config_dir):
        raise error
    fault = error.faults[0] if isinstance(error, ConfigError) else str(error).splitlines()[0]
    print(f"experiment={experiment} is left out: {fault}", file=sys.stderr)


def _is_own(experiment: str, config_dir: str | None) -> bool:
    return any((folder / f"experiment/{experiment}.yaml").is_file() for folder in own_folders(config_dir))


def dangling(setting: Published, table: Sequence[Published], experiments: Iterable[str]) -> list[str]:
    """One sentence for each row or experiment that a setting's rows name for comparison and that does not exist, as
    "not run" it would be looked for in vain, or for an id that several rows have, as after copying an experiment."""
    ids = [row.id for each in table for row in each.rows]
    either = [*ids, *experiments]
    named = [(row.id, "relation.row", row.relation.row, ids) for row in setting.rows if row.relation]
    named += [(row.id, "against", name, either) for row in setting.rows for name in row.against]
    what = {"relation.row": "no row of its table", "against": "no row of its table, and no experiment with rows"}
    faults = [
        f"row {id}: {key}={name} is {what[key]}.{did_you_mean(name, known)}"
        for id, key, name, known in named
        if name not in known
    ]
    return faults + [
        f"row {id}: {key}={name} is the id of several rows ({_with(name, table)}): give each another one"
        for id, key, name, _ in named
        if ids.count(name) > 1
    ]


def _with(id: str, table: Sequence[Published]) -> str:
    return ", ".join(f"experiment={each.experiment}" for each in table for row in each.rows if row.id == id)


def not_proportions(setting: Published) -> list[str]:
    """One sentence for each published figure, reference or end of a band that a proportion cannot have: per cent."""
    return [
        f"row {row.id}: {key}={value:g} is not a proportion, as {row.metric} is. Write 96 % as 0.96"
        for row in setting.rows
        if metric(row.metric).unit == "proportion"
        for key, value in (
            ("published", row.published), ("reference.value", row.reference.value if row.reference else None),
            *(("band", end) for end in row.band),
        )
        if value is not None and not 0 <= value <= 1
    ]  # fmt: skip


def incomparable(setting: Published, table: Sequence[Published]) -> list[str]:
    """One sentence for each row of a setting that is compared with a row of its table whose metric has another unit or
    direction: their difference would be meaningless."""
    by_id = {row.id: row for each in table for row in each.rows}
    return [
        f"row {_measure(row)} is compared with row {_measure(by_id[name])}: only metrics of the same unit and "
        "direction can be compared; choose another row in `against` or `relation`, or another metric"
        for row in setting.rows
        for name in (*row.against, *([row.relation.row] if row.relation else ()))
        if name in by_id and metric(row.metric) != metric(by_id[name].metric)
    ]


def _measure(row: Row) -> str:
    unit, better = metric(row.metric)
    words = {"proportion": "a proportion", "": "without a unit"}.get(unit, f"in {unit}")
    return f"{row.id} ({row.metric}, {words}, {better} is better)"


def _published(compose: Composer, experiment: str, scales: Any, earlier: Any) -> Iterator[tuple[str, Published]]:
    """Yield each setting of an experiment that publishes rows, with the name of its table."""
    for selection, config in _settings(compose, experiment):
        config.scale = scales["paper"]
        plan = parse(config, to_run=False)
        table = plan.config["table"]
        config.table.rows = []  # no hash depends on them, and they take half of the time to resolve
        hashes = {}
        for name, scale in scales.items():
            config.scale = scale
            hashes[name] = plan.setting_hash if name == "paper" else parse(config, to_run=False).setting_hash
        rows, seeds = tuple(Row(**row) for row in table["rows"]), tuple(table.get("seeds", ()))
        yield table["name"], Published(selection, plan.run.name, hashes, rows, earlier.get(plan.run.name, {}), seeds)


def _settings(compose: Composer, experiment: str) -> Iterator[tuple[str, DictConfig]]:
    """Yield each combination of the choices in `over` of an experiment's table; else the experiment alone."""
    config = compose([f"experiment={experiment}"])
    if config.table is None:
        return
    over = config.table.get("over")
    if not over:
        yield experiment, config
        return
    if not (isinstance(over, DictConfig) and _are_choices(over)):
        raise ConfigError([f"table.over={over} is not a mapping from groups to lists of choices"])
    for values in product(*over.values()):
        words = [f"{group}={value}" for group, value in zip(over, values, strict=True)]
        as_composed = all(config[group].name == value for group, value in zip(over, values, strict=True))
        yield " ".join([experiment, *words]), config if as_composed else compose([f"experiment={experiment}", *words])


def _are_choices(over: DictConfig) -> bool:
    return all(group in GROUPS and isinstance(names, ListConfig) for group, names in over.items())
