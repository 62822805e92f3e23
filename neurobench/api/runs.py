"""Collections of runs: those of a folder, selected by their configuration, and those of a sweep."""

from __future__ import annotations

import html
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from neurobench.api.overrides import Word, console_for, folder_of, outputs_of, plain, recorded_as, sweep_words
from neurobench.api.run import Run
from neurobench.config.errors import ConfigError, UserError
from neurobench.config.targets import import_extra
from neurobench.storage.differences import flat
from neurobench.storage.files import Damaged
from neurobench.storage.selection import PRESENT, chosen, configurations
from neurobench.storage.store import read_index

if TYPE_CHECKING:
    import pandas as pd

SHOWN, SETTINGS = 50, 8  # most rows of a table in a notebook, and most columns of differing keys


def runs(outputs: str | Path | None = None, settings: Mapping[str, Any] | None = None, **where: Any) -> Runs:
    """Runs below a folder that match `where`, oldest first within a name.

    `where`: `model="qrbm"`, `scale="paper"`, `status="finished"`, `seed=1`, ...; `settings`: any other keys of the
    configuration, `{"model.n_hidden": 300}`. A list matches any of its values, and itself; a section stands for its
    keys. Raises UserError if no run has one of the keys, and warns of each run whose damage hides whether it matches.
    """
    folder = outputs_of(outputs)
    entries = read_index(folder)
    wanted = {**(settings or {}), **where}
    wanted = flat({key: plain(key, value) for key, value in wanted.items()})
    matching, unknown = chosen(entries, folder, wanted)
    for path, damage in unknown.items():
        warnings.warn(f"{path} is left out, since it is damaged: {damage}", stacklevel=2)
    return Runs([Run(entry.folder(folder)) for entry in matching])


def sweep(
    *overrides: Word,
    config_dir: str | Path | None = None,
    progress: bool = True,
    workers: int | None = None,
    launcher: str = "local",
    options: Mapping[str, Any] | None = None,
    fail_fast: bool = False,
    **keys: Any,
) -> Runs:
    """Run every combination once, as `neurobench sweep` does; returns the runs in the order of the combinations.

    `sweep("model=qrbm", {"model.lr": [0.02, 0.05]}, seed=range(3))`. Finished runs are not repeated, half-done ones
    resume from their checkpoint. `workers`: jobs at once, cores / threads if None; `options` are the launcher's.

    Raises ConfigError if none can run, UserError if none finished, and warns of each other run that did not finish.
    """
    from neurobench.config.overrides import RESUME
    from neurobench.experiment.folder_choice import nothing_to_resume
    from neurobench.storage.folder import RunFolder
    from neurobench.sweeps.launch import ONE_MACHINE, Settings, run_jobs
    from neurobench.sweeps.plan import jobs_of

    words, folder = sweep_words(overrides, keys), folder_of(config_dir)
    settings = Settings(launcher, workers, fail_fast, options or {})
    jobs = jobs_of(words, folder, launcher in ONE_MACHINE)
    if all(job.state == "refused" for job in jobs):
        raise ConfigError(list(dict.fromkeys(fault for job in jobs for fault in job.faults)))
    console = console_for(progress)
    plans = [job.plan for job in jobs if job.plan]
    if RESUME in words and (note := nothing_to_resume(plans)):
        console.print(f"note: {note}", soft_wrap=True)
    with recorded_as("sweep", words, folder):
        table = run_jobs(jobs, settings, console)
    reports = [(job, table.report(job)) for job in jobs]
    folders = dict.fromkeys(report["folder"] for _, report in reports if "folder" in report)
    missed = [
        f"{report['status']}: {job.label}\n{report.get('error', '')}".rstrip()
        for job, report in reports
        if report["status"] not in ("finished", "twice")
    ]
    if missed and not any(report["status"] == "finished" for _, report in reports):
        raise UserError("\n".join(["no run of the sweep finished", *missed]))
    for sentence in missed:
        warnings.warn(sentence, stacklevel=2)
    swept = [key for part in (*overrides, keys) if isinstance(part, Mapping) for key in part if _is_swept(part[key])]
    return Runs([Run(RunFolder(Path(place))) for place in folders], swept)


class Runs(Sequence[Run]):
    """Ordered collection of runs, also available as one table. `swept`: keys that are columns of it although their
    values may not differ."""

    def __init__(self, members: Sequence[Run], swept: Sequence[str] = ()):
        self._members, self._swept = list(members), tuple(swept)

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> Runs: ...

    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self._members[index], self._swept) if isinstance(index, slice) else self._members[index]

    def frame(self) -> pd.DataFrame:
        """Table with a row per run. Columns: run, status, model, dataset, backend, encoder, scale, seed, overrides;
        every key of the configuration that was swept or in which two of the runs differ (`model.lr`); every metric.
        Values that a run does not have are missing.

        Raises UserError if pandas is not installed.
        """
        pandas = import_extra("pandas", "frame", "Runs.frame")
        table: pd.DataFrame = pandas.DataFrame.from_records(self.rows())
        return table

    def rows(self) -> list[dict[str, Any]]:
        """The rows of `frame`, without pandas."""
        summaries = [_summary(run) for run in self]
        configs = configurations(run.folder for run in self)
        keys = dict.fromkeys(key for config in configs for key in config)
        swept = tuple(f"{key}." for key in self._swept if key not in PRESENT)  # a section has a column for each key
        differing = [
            key
            for key in keys
            if f"{key}.".startswith(swept) or len({json.dumps(config.get(key)) for config in configs}) > 1
        ]
        metrics = dict.fromkeys(name for summary in summaries for name in summary["metrics"])
        return [
            {
                **{key: _cell(summary[key]) for key in PRESENT},
                **{key: _cell(config.get(key)) for key in differing},
                **{name: summary["metrics"].get(name) for name in metrics},
            }
            for summary, config in zip(summaries, configs, strict=True)
        ]

    def __repr__(self) -> str:
        return f"<Runs: {len(self)}, {sum(run.folder.is_finished for run in self)} finished>"

    def _repr_html_(self) -> str:
        rows = self[:SHOWN].rows()
        settings = [key for key in (rows[0] if rows else ()) if "." in key][:SETTINGS]  # no metric has a dot
        columns = ["run", "status", "model", "dataset", "backend", "scale", "seed", *settings, "test_accuracy"]
        return html_table(columns, rows, len(self))


def html_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], total: int) -> str:
    """HTML table for a notebook; everything in it is escaped."""

    def line(tag: str, cells: Iterator[object]) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    def shown(value: object) -> object:
        return "" if value is None else f"{value:.4g}" if isinstance(value, float) else value

    body = "".join(line("td", (shown(row.get(column)) for column in columns)) for row in rows)
    more = f"<p>and {total - len(rows)} more</p>" if total > len(rows) else ""
    return f"<table><thead>{line('th', iter(columns))}</thead><tbody>{body}</tbody></table>{more}"


def _summary(run: Run) -> dict[str, Any]:
    """Summary of a run; if its files are damaged, one without figures whose status says so."""
    try:
        return run.summary
    except Damaged:
        return {**dict.fromkeys(PRESENT), "run": run.name, "status": run.status, "metrics": {}}


def _is_swept(values: Any) -> bool:
    """Whether a sweep takes these values in turn, even if there is only one."""
    return isinstance(values, list | tuple | range) or bool(getattr(values, "ndim", 0))


def _cell(value: Any) -> Any:
    """Value with lists as tuples, by which tables can group."""
    return tuple(_cell(item) for item in value) if isinstance(value, list) else value
