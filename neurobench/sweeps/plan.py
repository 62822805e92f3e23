"""Planning of a sweep: from overrides to jobs, and which of them are done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from pathlib import Path
from typing import Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.compose import GROUPS, Composer, composer, explain, read, set_value
from neurobench.config.errors import ConfigError
from neurobench.config.overrides import RESUME, keys_of, sweep_fault, too_many, values_of
from neurobench.config.sections import paths
from neurobench.data.dataset import stamp
from neurobench.experiment.folder_choice import initial_sha256
from neurobench.experiment.plan import Plan, parse
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import runs_named
from neurobench.sweeps.job import Task
from neurobench.sweeps.queued import queued_tasks

State = Literal["finished", "half-done", "failed", "running elsewhere", "queued elsewhere", "new", "refused", "twice"]

STARTS_FROM_ANOTHER = (
    "model.init_from={} means the run of another {} as soon as that has ended: name one run, as NAME/ID "
    "(neurobench list runs)"
)


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    number: int
    overrides: tuple[str, ...]
    plan: Plan | None  # None if it is refused
    state: State
    folder: Path | None = None  # of a run that is finished or resumes
    faults: tuple[str, ...] = ()  # why it is refused
    queued: Task | None = None  # left in a scheduler's queue by an earlier sweep

    @property
    def hash(self) -> str:
        return "" if self.plan is None else self.plan.config_hash

    @property
    def label(self) -> str:
        return " ".join(self.overrides)


def jobs_of(overrides: Sequence[str], config_dir: str | None = None, here: bool = True) -> list[Job]:
    """Jobs, one for each combination of the swept values, in Hydra's order. Raises ConfigError if they do not compose,
    and for resume=false.

    A sweep always resumes: resume=true is dropped. `here`: False if other machines will run the jobs.
    """
    said = [word for word in overrides if word.startswith("resume=")]
    if others := [word for word in said if word != RESUME]:
        raise ConfigError(
            [
                f"{others[0]} would have no effect: a sweep resumes unfinished jobs and skips finished "
                "ones. To recompute all of them, choose another folder: outputs=FOLDER"
            ]
        )
    overrides = read([word for word in overrides if word not in said], config_dir)
    try:
        with composer(config_dir) as compose:
            jobs = _jobs(overrides, compose, here)
    except (HydraException, OmegaConfBaseException) as error:
        faults, _ = explain(overrides, config_dir, several=True)
        raise ConfigError(faults or [str(error).splitlines()[0]]) from None
    return [_one_start(job) for job in jobs] if len(jobs) > 1 else jobs


def _one_start(job: Job) -> Job:
    """The job, refused if the run from which it starts would depend on which of the other jobs have ended."""
    if job.plan is None or not job.plan.would_start_from_itself or job.state not in ("new", "failed"):
        return job
    return replace(job, plan=None, state="refused", faults=(STARTS_FROM_ANOTHER.format(job.plan.start_from, "job"),))


def combinations(overrides: Sequence[str], compose: Composer) -> Iterator[tuple[tuple[str, ...], DictConfig]]:
    """Yield the overrides of each job and its configuration.

    Hydra composes each choice of groups once; plain values are set on a copy, as Hydra itself sets them last.
    """
    parsed = [OverridesParser.create().parse_override(text) for text in overrides]
    for override in parsed:
        if override.is_sweep_override() and (fault := sweep_fault(override)):
            raise ConfigError([fault])
    if fault := too_many(parsed):
        raise ConfigError([fault])
    if faults := list(_overruled(parsed)):
        raise ConfigError(faults)
    options = [list(values_of(override)) for override in parsed]
    composed: dict[tuple[str, ...], DictConfig] = {}
    for words in product(*options):
        pairs = zip(parsed, options, words, strict=True)
        frame = tuple(values[0] if _is_plain(override) else word for override, values, word in pairs)
        if frame not in composed:
            composed[frame] = compose(frame)
        config = OmegaConf.masked_copy(composed[frame], [str(key) for key in composed[frame]])
        for word, first in zip(words, frame, strict=True):
            if word != first:
                set_value(config, word)
        yield words, config


def _overruled(parsed: Sequence[Override]) -> Iterator[str]:
    """Faults for swept keys that a later word sets again, for all jobs alike: the sweep would have no effect."""
    for place, swept in enumerate(parsed):
        later = (word for word in parsed[place + 1 :] if word.package == swept.package)
        again = next((word for word in later if swept.key_or_group in _keys_of_all_values(word)), None)
        if swept.is_sweep_override() and again is not None:
            yield f"{swept.input_line} would have no effect: {again.input_line} follows it. Leave one of them out."


def _keys_of_all_values(override: Override) -> set[str]:
    """Keys that an override sets, of a sweep with each of its values."""
    values = override.sweep_iterator() if override.is_sweep_override() else ()
    sections = [paths(value, f"{override.key_or_group}.") for value in values if isinstance(value, dict)]
    return {*keys_of(override), *chain.from_iterable(sections)}


def _is_plain(override: Override) -> bool:
    """Whether a swept key takes numbers or strings: then nothing else in the configuration can depend on its choice."""
    return (
        override.is_sweep_override()
        and not (override.is_add() or override.is_force_add() or override.is_delete())
        and override.key_or_group.split("@")[0] not in GROUPS
        and not override.key_or_group.startswith("hydra")
        and all(not isinstance(value, (dict, list)) for value in override.sweep_iterator())
    )


def _jobs(overrides: Sequence[str], compose: Composer, here: bool) -> list[Job]:
    jobs: list[Job] = []
    stamps: dict[str | None, str] = {}  # data root -> stamp of its files
    initial: dict[tuple[str | None, str, str], str | None] = {}  # model.init_from, outputs, name -> its sha256
    planned: set[tuple[str, str, str]] = set()
    recorded: dict[tuple[str, str], dict[str, list[RunFolder]]] = {}  # outputs, name -> config hash -> runs
    queues: dict[str, dict[tuple[str, str], Task]] = {}  # outputs -> name, config hash -> task in a queue
    for number, (words, config) in enumerate(combinations(overrides, compose)):
        try:
            plan = parse(config, words, here=here)
        except ConfigError as error:
            jobs.append(Job(number, words, None, "refused", faults=tuple(error.faults)))
            continue
        place = (plan.run.outputs, plan.run.name)
        if place not in recorded:
            recorded[place] = _runs_by_hash(Path(plan.run.outputs), plan.run.name)
        if plan.root not in stamps:
            stamps[plan.root] = stamp(plan.root)
        start = (plan.start_from, *place)
        if start not in initial:
            initial[start] = initial_sha256(plan)
        now = {"stamp": stamps[plan.root], "initial_sha256": initial[start]}
        state, folder = _state(recorded[place].get(plan.config_hash, ()), now)
        if plan.run.outputs not in queues:
            queues[plan.run.outputs] = queued_tasks(Path(plan.run.outputs))
        key = (*place, plan.config_hash)
        queued = queues[plan.run.outputs].get((plan.run.name, plan.config_hash))
        if key in planned or state == "finished":
            queued = None
        if queued is not None and state != "running elsewhere":
            state = "queued elsewhere"
        jobs.append(Job(number, words, plan, "twice" if key in planned else state, folder, queued=queued))
        planned.add(key)
    return jobs


def _runs_by_hash(outputs: Path, name: str) -> dict[str, list[RunFolder]]:
    """Runs of each configuration, oldest first."""
    runs: dict[str, list[RunFolder]] = {}
    for run in runs_named(outputs, name):
        with contextlib.suppress(Damaged):  # a folder whose run.json cannot be read is ignored
            runs.setdefault(str(run.record().get("config_hash")), []).append(run)
    return runs


def _state(runs: Sequence[RunFolder], now: Mapping[str, str | None]) -> tuple[State, Path | None]:
    """State and folder of a job's run: a finished one before an unfinished one, then the newest. One whose data have
    changed does not count, judged by names, sizes and times (`stamp`; the content is compared when the data are read),
    nor one that started from another network."""
    same = [run for run in runs if _computed_the_same(run, now)]
    if finished := [run for run in same if run.is_finished]:
        return "finished", finished[-1].path
    if not same:
        return "new", None
    folder = same[-1]
    if folder.in_use:
        return "running elsewhere", folder.path
    return ("failed" if folder.record().get("status") == "failed" else "half-done"), folder.path


def _computed_the_same(run: RunFolder, now: Mapping[str, str | None]) -> bool:
    before = {**run.record().get("data", {}), **run.record()}
    return all(value is None or before.get(key, value) == value for key, value in now.items())
