"""Errors that a user can fix: they contain sentences, not tracebacks."""

import difflib
from collections.abc import Iterable

FINE, FAILED, BAD_USAGE, OUT_OF_BAND, QUEUED = 0, 1, 2, 3, 4  # exit codes of every command


class UserError(Exception):
    """Error for a user's request that cannot be fulfilled. The message says what, why and what to do."""

    exit_code = BAD_USAGE  # of the command; FAILED once a run has begun
    stops_sweep = False  # whether the rest of a sweep is to be skipped too


class ConfigError(UserError):
    """Error for a configuration that cannot run. `faults` are whole sentences, one for each thing to fix; `note` is
    additional information."""

    def __init__(self, faults: list[str], note: str | None = None):
        self.faults = faults
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = [f"cannot run this configuration ({count}):", *(f"  {fault}" for fault in faults)]
        super().__init__("\n".join([*lines, f"note: {note}"] if note else lines))


def not_installed(owner: str, module: str, extra: str) -> str:
    """Sentence on a missing package that an optional extra of this distribution installs."""
    return f"{owner} needs {module}, which is not installed: in a checkout, pip install -e '.[{extra}]'"


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Hint " Did you mean x?" for the nearest known word (after a prefix), with a leading space; or "" if none is near.
    Case is ignored."""
    words = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return f" Did you mean {prefix}{words[near[0]]}?" if near else ""
