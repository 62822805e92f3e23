"""Records of the runs behind published tables, one line per run in a text file for the repository: what the tables show
of a run, and what is needed to repeat it and compare."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.config.errors import UserError
from neurobench.config.spec import Record
from neurobench.metrics.numbers import is_finite
from neurobench.report.published import Published, Tables
from neurobench.report.table import newest
from neurobench.storage.atomic import write_bytes
from neurobench.storage.store import Entry

PLACE = Path("readme/records.jsonl")  # below the outputs folder
Scale = Literal["paper", "quick"]  # a smoke run proves nothing
RECORDED: tuple[Scale, ...] = ("paper", "quick")
# Recorded besides what rows show: figures by which models are compared, counts and joules in separate columns
COMPARED = ("parameter_count", "effective_macs", "effective_acs", "energy_joules", "mesh_joules")
_OF_DATA = ("source", "sha256", "evaluated_on", "emulated")  # and every key n_...


@dataclass(frozen=True)
class RunRecord(Record):
    """One finished run, identified by its folder's name, setting and seed."""

    experiment: str  # with further choices that select it: "matrix_qrbm_mnist backend=mock"
    name: str  # of the folder of its runs
    scale: Scale
    seed: Annotated[int, Bound(0)]
    metrics: Mapping[str, float]  # those shown in rows of the tables
    intervals: Mapping[str, Sequence[float]]  # 95 %, of the proportions among them
    setting_hash: str
    config_hash: str
    commit: str | None  # with "+changes" if files differed from it
    data: Mapping[str, Any]  # source, sha256, sizes, samples that were tested
    processor: str
    device: str
    threads: Annotated[int, Bound(1)]
    seconds: Annotated[float, Bound(0)]  # of all phases, including compiling kernels

    @property
    def key(self) -> tuple[str, str, int]:
        return self.name, self.setting_hash, self.seed

    def conflicts(self) -> list[Fault]:
        metrics = _items(self.metrics)
        faults = [(f"metrics.{name}", " is not a number") for name, value in metrics if not is_finite(value)]
        for name, ends in _items(self.intervals):
            if name not in self.metrics or not isinstance(ends, list) or [*map(is_finite, ends)] != [True, True]:
                faults.append((f"intervals.{name}", " is not a pair of numbers for one of the metrics"))
        missing = [key for key in ("sha256", "evaluated_on") if not isinstance(dict(_items(self.data)).get(key), str)]
        return faults + [(f"data.{key}", " is missing") for key in missing]

    def entry(self) -> Entry:
        """This record as an entry of the index of runs."""
        machine = {"processor": self.processor, "device": self.device, "threads": self.threads}
        record = {"status": "finished", "commit": self.commit, **machine}
        result = {
            "name": self.name, "scale": self.scale, "seed": self.seed, "metrics": dict(self.metrics),
            "intervals": dict(self.intervals), "undefined": {}, "seconds": {"all": self.seconds},
            "data": dict(self.data), "setting_hash": self.setting_hash, "config_hash": self.config_hash,
        }  # fmt: skip
        return Entry(f"{self.name}/{self.config_hash}", record, result)


def _items(mapping: Any) -> Iterable[tuple[str, Any]]:
    """Items of a mapping; none for any other value, whose missing keys are a separate fault."""
    return mapping.items() if isinstance(mapping, Mapping) else ()


def read_records(path: Path) -> list[RunRecord]:
    """Read a records file. Raises UserError, with every fault, if it cannot be read or a line is not a record."""
    try:
        with path.open(encoding="utf-8") as file:
            lines = list(file)  # not splitlines: the path of a data set may contain U+2028
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}. Records are written by: neurobench table all --record {path}") from error
    faults: list[str] = []
    records = [record for number, line in enumerate(lines, 1) if (record := _parsed(line, f"line {number}", faults))]
    twice = [key for key, n in Counter(record.key for record in records).items() if n > 1]
    faults += [f"{name} ({setting}), seed {seed} has more than one line" for name, setting, seed in sorted(twice)]
    if faults:
        raise UserError(f"{path} is damaged:\n  " + "\n  ".join(faults))
    return records


def _parsed(line: str, where: str, faults: list[str]) -> RunRecord | None:
    try:
        plain = json.loads(line)
    except ValueError:
        plain = None
    if not isinstance(plain, dict):
        faults.append(f"{where} is not a JSON object")
        return None
    known = {field.name for field in fields(RunRecord) if field.default is MISSING}
    faults += [f"{where}: {key} is missing" for key in sorted(known - plain.keys())]
    faults += [f"{where}: {key} is not a key of a record" for key in sorted(plain.keys() - known)]
    if plain.keys() != known:
        return None
    try:
        return RunRecord(**plain)
    except BoundsError as error:
        faults += [f"{where}: {field}{sentence}" for field, sentence in error.faults]
        return None


def collect(tables: Tables, names: Iterable[str], runs: Sequence[Entry]) -> list[RunRecord]:
    """Collect the newest run of each declared seed of every setting that the tables `names` publish, at the largest
    scale that was run, with the metrics of its rows and of rows in any table that are compared with it."""
    compared: dict[str, set[str]] = {}  # experiment -> metrics
    for row in (row for settings in tables.values() for setting in settings for row in setting.rows):
        for name in row.against:
            compared.setdefault(name, set()).add(row.metric)
    collected: dict[tuple[str, str, int], RunRecord] = {}
    for setting, scale, newest_runs in _recordable(tables, names, runs):
        every = [_record(setting, scale, run, compared.get(setting.experiment, set())) for run in newest_runs]
        collected |= {record.key: record for record in every if _is_declared(setting, record.seed)}
    return list(collected.values())


def undeclared(tables: Tables, names: Iterable[str], runs: Sequence[Entry]) -> dict[str, list[int]]:
    """Seeds that `collect` leaves out of each experiment, though the tables show them: these declare others."""
    left_out: dict[str, list[int]] = {}
    for setting, _, newest_runs in _recordable(tables, names, runs):
        seeds = [run.result["seed"] for run in newest_runs if run.result]
        if others := [seed for seed in seeds if not _is_declared(setting, seed)]:
            left_out[setting.experiment] = others
    return left_out


def _recordable(
    tables: Tables, names: Iterable[str], runs: Sequence[Entry]
) -> Iterator[tuple[Published, Scale, list[Entry]]]:
    """Yield each setting of the tables that was run at a scale that is recorded, with its newest run of each seed."""
    by_name: dict[str, list[Entry]] = {}
    for run in runs:
        by_name.setdefault(run.path.partition("/")[0], []).append(run)
    for setting in (setting for name in names for setting in tables[name]):
        largest, newest_runs = newest(setting, by_name.get(setting.name, []), None)
        for scale in (scale for scale in RECORDED if scale == largest):
            yield setting, scale, newest_runs


def _is_declared(setting: Published, seed: int) -> bool:
    return seed in setting.seeds or not setting.seeds


def _record(setting: Published, scale: Scale, run: Entry, compared: set[str]) -> RunRecord:
    result, record = run.result, run.record
    assert result is not None
    shown = {*(row.metric for row in setting.rows), *COMPARED, *compared}
    data = {key: value for key, value in result["data"].items() if key in _OF_DATA or key.startswith("n_")}
    return RunRecord(
        experiment=setting.experiment,
        name=setting.name,
        scale=scale,
        seed=result["seed"],
        metrics={name: value for name, value in result["metrics"].items() if name in shown},
        intervals={name: ends for name, ends in result["intervals"].items() if name in shown},
        setting_hash=result["setting_hash"],
        config_hash=result.get("config_hash", ""),
        commit=record.get("commit"),
        data=data,
        processor=record.get("processor", ""),
        device=record.get("device", ""),
        threads=record.get("threads", 1),
        seconds=round(sum(result["seconds"].values()), 3),
    )


def write_records(path: Path, records: Sequence[RunRecord]) -> None:
    """Write one line per run, in an order that does not depend on when they ran."""
    ordered = sorted(records, key=lambda record: record.key)
    write_bytes(path, "".join(json.dumps(asdict(record), ensure_ascii=False) + "\n" for record in ordered).encode())


def merged(tables: Tables, old: Sequence[RunRecord], new: Sequence[RunRecord]) -> list[RunRecord]:
    """Replace old records by new ones of the same run, even if its hash was that of an earlier rule; old ones remain
    while a table still has their setting."""
    current = {
        (setting.name, digest): setting.setting_hashes.get(scale)
        for settings in tables.values()
        for setting in settings
        for scale in RECORDED
        for digest in (setting.setting_hashes.get(scale), setting.earlier_hashes.get(scale))
        if digest is not None
    }
    # Of two old ones of a seed the one by the present rule counts: files of earlier versions contain both
    ordered = sorted(old, key=lambda record: record.setting_hash == current.get(record.key[:2]))
    still_valid = (record for record in (*ordered, *new) if record.key[:2] in current)
    return list({(record.name, current[record.key[:2]], record.seed): record for record in still_valid}.values())
