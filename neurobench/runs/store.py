"""Finding runs."""

import os
from collections.abc import Iterator
from pathlib import Path

from neurobench.config.errors import UserError, did_you_mean
from neurobench.runs.folder import RunFolder


def all_runs(outputs: Path) -> Iterator[RunFolder]:
    """Every run below `outputs`, oldest first within a name."""
    for name in sorted(_folders(outputs)):
        yield from runs_named(outputs, name)


def runs_named(outputs: Path, name: str) -> Iterator[RunFolder]:
    """Every run of a name, oldest first."""
    for stem in sorted(_folders(outputs / name)):
        if os.path.exists(f"{outputs}/{name}/{stem}/run.json"):  # noqa: PTH110 - thousands of paths cost a second
            yield RunFolder(outputs / name / stem)


def _folders(where: Path) -> list[str]:
    try:
        with os.scandir(where) as entries:
            return [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []


def find_run(outputs: Path, reference: str) -> RunFolder:
    """The run meant by a path, an id, the beginning of an id (or of name/id), a name (its newest run), or "latest"."""
    path = Path(reference)
    if (path / "run.json").is_file():
        return RunFolder(path)
    runs = list(all_runs(outputs))
    if not runs:
        raise UserError(f"there are no runs below {outputs}. Start one with: neurobench run")
    by_time = sorted(runs, key=lambda run: run.path.name)
    if reference == "latest":
        return by_time[-1]
    named = [run for run in by_time if run.path.parent.name == reference]
    if named:
        return named[-1]
    told = _qualified if "/" in reference else lambda run: run.path.name
    matching = [run for run in runs if told(run).startswith(reference)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        there = ", ".join(_qualified(run) for run in matching[:5])
        raise UserError(f"run '{reference}' is not one run: it can be {there}. Give more of the id.")
    known = ["latest", *{run.path.parent.name for run in runs}, *(run.path.name for run in runs)]
    raise UserError(
        f"there is no run '{reference}' below {outputs} ({len(runs)} runs).{did_you_mean(reference, known)} "
        "See: neurobench list runs"
    )


def identities(outputs: Path, name: str) -> Iterator[tuple[str, RunFolder]]:
    """The config hash of each run below a name, oldest first."""
    for run in runs_named(outputs, name):
        yield str(run.record().get("config_hash")), run


def same_setting(outputs: Path, name: str, config_hash: str) -> list[RunFolder]:
    """Runs of one configuration, newest first."""
    likely = [run for run in runs_named(outputs, name) if f"-{config_hash[:6]}" in run.path.name]
    return [run for run in likely if run.record().get("config_hash") == config_hash][::-1]


def _qualified(run: RunFolder) -> str:
    return f"{run.path.parent.name}/{run.path.name}"
