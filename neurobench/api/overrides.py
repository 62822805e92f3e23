"""Overrides given in Python: words as on the command line, mappings and keywords with plain values."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.config.home import home_path
from neurobench.config.overrides import override_of
from neurobench.config.targets import own_options
from neurobench.report.screen import Screen
from neurobench.storage.store import default_outputs

Word = str | Mapping[str, Any]
COMMAND = "NEUROBENCH_COMMAND"  # variable with the command line that a run's record states
_COMPUTING = threading.RLock()
_NO_RUN = "only a run has that, and an estimator creates none"
UNUSED: Mapping[str, str] = {  # keys and sections without effect on an estimator, and why
    **dict.fromkeys(("outputs", "name", "resume", "wait", "figures", "table", "logger", "host_energy"), _NO_RUN),
    **dict.fromkeys(("training.checkpoint_every", "training.keep_best"), _NO_RUN),
    "training.test_by_epoch": "an estimator runs no test",
    "dataset": "an estimator learns from the X and y passed to fit, not from a data set",
    "scale": "an estimator learns from all of X and y; epochs=... sets the number of epochs",
    "experiment": "the estimator sets data, schedule and seed; an experiment's model keys are parameters here",
}


def override_words(words: Sequence[Word], keys: Mapping[str, Any]) -> list[str]:
    """Overrides for a single run, as command-line words: a list is passed on as the value of its key. Raises UserError
    if an argument is not an override."""
    return [word for part in (*words, keys) for word in _read(part, override_of)]


def sweep_words(words: Sequence[Word], keys: Mapping[str, Any]) -> list[str]:
    """Overrides for a sweep: a list, tuple, range or array contains the values to take in turn."""
    return [word for part in (*words, keys) for word in _read(part, _in_turn)]


def _read(part: Word, written: Callable[[str, Any], str]) -> list[str]:
    if isinstance(part, Mapping):
        return [written(str(key), plain(str(key), value)) for key, value in part.items()]
    if not isinstance(part, str):
        raise UserError(f"{part!r} is not an override: write 'key=value', {{'key': value}}, or key=value as a keyword.")
    return [part]


def _in_turn(key: str, values: Any) -> str:
    if not isinstance(values, list):
        return override_of(key, values)
    if not values:
        raise UserError(f"{key}=[] contains no value. Give at least one, or leave the key out.")
    return f"{key}={','.join(override_of(key, each).partition('=')[2] for each in values)}"


def plain(key: str, value: Any) -> Any:
    """Convert a value of Python or numpy to numbers, texts, lists and dicts. Raises UserError if that is impossible."""
    if hasattr(value, "tolist"):  # an array or scalar of numpy or torch
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple | range):
        return [plain(key, each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): plain(key, each) for name, each in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    remedy = f". Name the class: '{value.__module__}.{value.__qualname__}'" if isinstance(value, type) else ""
    raise UserError(
        f"{key}={value!r} is a {type(value).__name__}: a key takes numbers, strings and lists of them{remedy}"
    )


def folder_of(config_dir: str | Path | None) -> str | None:
    """Absolute path of a user's folder of YAML files. Raises UserError if it does not exist."""
    if config_dir is None:
        return None
    folder = Path(home_path(str(config_dir)))
    if not folder.is_dir():
        raise UserError(f"config_dir={str(config_dir)!r}: there is no such folder")
    return str(folder.resolve())


def outputs_of(outputs: str | Path | None) -> Path:
    """The folder of all runs; the default, which need not exist yet, if None. Raises UserError if it does not exist or
    is a folder within that of all runs, so that a mistake is not taken for an empty folder."""
    if outputs is None:
        return default_outputs()
    folder = Path(home_path(str(outputs)))
    if not folder.is_dir():
        raise UserError(f"there is no folder {outputs}")
    above = folder.absolute().parent
    if (folder / "run.json").is_file():
        raise UserError(f"{outputs} is the folder of one run, which nb.load opens. Give that of all: {above.parent}")
    if any(folder.glob("*/run.json")):
        raise UserError(f"{outputs} contains the runs of one name only. Give the folder of all: {above}")
    return folder


def console_for(progress: bool) -> Console:
    """Console on a notebook cell's output, else on stderr, so that a script's output stays separate."""
    options = {"of_run": True, "highlight": False, "quiet": not progress}
    console = Screen(**options)
    return console if console.is_jupyter else Screen(**options, stderr=True)


@contextmanager
def recorded_as(verb: str, words: Sequence[str], config_dir: str | None) -> Iterator[None]:
    """Context manager: runs record the equivalent command line. Threads enter one after the other, since this, the
    warnings and the times of phases are those of the process."""
    with _COMPUTING:
        before = os.environ.get(COMMAND)
        os.environ[COMMAND] = shlex.join(["neurobench", verb, *own_options(config_dir), *words])
        try:
            yield
        finally:
            if before is None:
                del os.environ[COMMAND]
            else:
                os.environ[COMMAND] = before
