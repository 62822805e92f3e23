"""Readers of the files in a run folder. Each kind is read by one function, which returns valid values or raises
`Damaged`: a list of runs continues with the others, and a command that needs this run prints the message."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from neurobench.config.errors import UserError
from neurobench.metrics.numbers import is_finite

CHECKPOINT_FORMAT = 2
CHECKPOINT_REMEDY = "Delete it to train again, or run the same command without --resume."
STATUSES = ("running", "finished", "failed", "interrupted", "queued", "pruned")
LARGEST = 256 * 2**20  # bytes of a text file; no run writes a tenth of it
# Key -> type, of required keys and of those that may be absent, as in runs of earlier versions.
Kinds = Mapping[str, type | tuple[type, ...]]
RECORD: Kinds = {"status": str}
RECORD_MAY: Kinds = {
    "schema": int, "created": str, "started": str, "finished": str, "updated": str, "error": str, "config_hash": str,
    "setting_hash": str, "commit": (str, type(None)), "host": str, "device": str, "threads": int, "pid": int,
    "seeds": dict, "data": dict, "own_code": dict, "model": str, "dataset": str, "backend": str, "encoder": str,
    "encoders": list, "scale": str, "overrides": list, "initial_sha256": str,
    "initial_run": str, "kernels": str,
}  # fmt: skip
RESULT: Kinds = {
    "name": str, "scale": str, "seed": int, "metrics": dict, "intervals": dict, "undefined": dict, "seconds": dict,
    "data": dict, "setting_hash": str,
}  # fmt: skip
RESULT_MAY: Kinds = {
    "config_hash": str,
    "model": str,
    "dataset": str,
    "backend": str,
    "encoder": str,
    "encoders": list,
    "overrides": list,
    "device_costs": dict,
    "machines": dict,
    "epochs": int,
    "best_epoch": (int, type(None)),
    "baselines": dict,
    "warnings": list,
    "energy_source": dict,
    "samples_per_s": dict,
    "peak_rss_mb": int,
}
OF_NUMBERS = ("metrics", "seconds", "baselines", "samples_per_s")  # sections of result.json
DATA: Kinds = {  # of run.json
    "source": str, "sha256": str, "n_train": int, "n_validation": int, "n_test": int, "classes": list, "shape": list,
}  # fmt: skip
CHECKPOINT: Kinds = {
    "position": dict, "record": dict, "costs": dict, "learner": dict, "best": (dict, type(None)),
}  # fmt: skip
_STYLES = re.compile(r"\x1b\[[0-9;]*m")  # terminal styles: torch writes parts of its errors in bold
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Damaged(UserError):
    """Error: a file of a run is not as a run writes it. `reason`: "result.json is cut at byte 512"."""

    def __init__(self, path: Path, what: str, remedy: str = "Restore it, or delete the folder and run it again."):
        self.reason = f"{path.name} {what}"
        super().__init__(f"{path.parent} is damaged: {self.reason}. {remedy}")


def read_record(path: Path) -> dict[str, Any]:
    """Read run.json: status, versions, host, seeds and hashes."""
    record = _checked(path, _object(path, _text(path)), RECORD, RECORD_MAY)
    if record["status"] not in STATUSES:
        raise Damaged(path, f"has the unknown status {record['status']!r:.40}")
    if not isinstance(record.get("seeds", {}).get("root", 0), int):
        raise Damaged(path, "has a seed that is not a number")
    _checked(path, record.get("data", {}), {}, DATA, "data.")
    _require_texts(path, record.get("overrides", []))
    return record


def read_result(path: Path) -> dict[str, Any]:
    """Read result.json: figures of merit with their intervals, the data they were measured on, and the time taken."""
    result = _checked(path, _object(path, _text(path)), RESULT, RESULT_MAY)
    _require_texts(path, result.get("overrides", []))
    metrics, intervals = result["metrics"], result["intervals"]
    for name in ("device_costs", "machines"):
        section = result.get(name, {})
        _checked(path, section, {}, dict.fromkeys(section, dict), f"{name}.")
    of_devices = {f"device_costs.{device}": costs for device, costs in result.get("device_costs", {}).items()}
    for name, section in {**{name: result.get(name, {}) for name in OF_NUMBERS}, **of_devices}.items():
        for key, value in section.items():
            if not is_finite(value):
                raise Damaged(path, f"has a {name}.{key} that is not a number")
    for key in ("test_accuracy", *intervals):
        bounds = intervals.get(key)
        if key not in metrics or not isinstance(bounds, list) or [*map(is_finite, bounds)] != [True, True]:
            raise Damaged(path, f"has no {key} with an interval of two numbers")
    if not 0 <= metrics["test_accuracy"] <= 1:  # as after an edit
        raise Damaged(path, f"has a test_accuracy of {metrics['test_accuracy']:g}, which is not a proportion")
    _checked(path, result["data"], {"n_test": int, "evaluated_on": str, "sha256": str}, {"source": str}, "data.")
    return result


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read metrics.jsonl: one row of numbers per epoch."""
    rows, start = [], 0
    for line in _text(path).splitlines(keepends=True):
        row = _object(path, line, start)
        if not line.endswith("\n"):
            raise Damaged(path, f"is cut at byte {start + len(line.encode())}")
        if not isinstance(row.get("epoch"), int) or not all(is_finite(value) for value in row.values()):
            raise Damaged(path, f"has an invalid row at byte {start}")
        rows.append(row)
        start += len(line.encode())
    return rows


def read_config(path: Path) -> dict[str, Any]:
    """Read config.yaml as plain values: nothing in it is resolved or executed. Runs write no aliases, and a file that
    has some can expand without bound."""
    text = _text(path)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_LOADER)):
            raise Damaged(path, "contains YAML aliases, which runs never write")
        plain = yaml.load(text, Loader=_LOADER)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Damaged(path, f"is not valid YAML{where}") from None
    if not isinstance(plain, dict) or not all(isinstance(plain.get(key), dict) for key in ("model", "dataset")):
        raise Damaged(path, "is not a configuration: it has no model and dataset")
    return {str(key): value for key, value in plain.items()}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read checkpoint.pt as plain data: nothing in it is executed."""
    import torch

    remedy = CHECKPOINT_REMEDY
    try:
        with warnings.catch_warnings(action="ignore"):  # about foreign pickles, which are refused anyway
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError,
            TypeError, AssertionError, MemoryError) as error:  # fmt: skip
        said = _STYLES.sub("", str(error)).strip()
        reason = said.splitlines()[0] if said else type(error).__name__
        raise Damaged(path, f"cannot be read as plain data ({reason:.200})", remedy) from None
    if not isinstance(state, dict):
        raise Damaged(path, f"contains a {type(state).__name__}, not the state of a run", remedy)
    if state.get("format") != CHECKPOINT_FORMAT:
        raise UserError(
            f"{path} was written by another version of neurobench (format {state.get('format', 1)!r:.20}, this one "
            f"reads {CHECKPOINT_FORMAT}). {remedy}"
        )
    return _checked(path, state, CHECKPOINT, {}, remedy=remedy)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise Damaged(path, f"has {path.stat().st_size} bytes, more than any run writes")
        data = path.read_bytes()
        text = data.decode()
    except FileNotFoundError:
        raise Damaged(path, "is missing") from None
    except OSError as error:
        raise Damaged(path, f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise Damaged(path, f"is not text at byte {error.start}") from None
    if not text.strip() and path.name != "metrics.jsonl":
        raise Damaged(path, "is empty")
    return text


def _object(path: Path, text: str, start: int = 0) -> dict[str, Any]:
    """Parse a JSON object and make its strings printable; `start`: byte of the file at which `text` begins."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a number")

    try:
        value = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        end = len(text.rstrip())
        is_cut = error.pos >= end or error.msg.startswith("Unterminated")
        byte = start + len(text[: end if is_cut else error.pos].encode())
        raise Damaged(path, f"is cut at byte {byte}" if is_cut else f"is not valid JSON at byte {byte}") from None
    except (ValueError, RecursionError):
        raise Damaged(path, "is not JSON that a run writes") from None
    if not isinstance(value, dict):
        raise Damaged(path, f"contains a {type(value).__name__}, not an object")
    return printable(value)


def _checked(
    path: Path,
    value: dict[str, Any],
    must: Kinds,
    may: Kinds,
    prefix: str = "",
    remedy: str | None = None,
) -> dict[str, Any]:
    more = () if remedy is None else (remedy,)
    for key, kind in {**must, **may}.items():
        if key not in value and key in must:
            raise Damaged(path, f"has no {prefix}{key}", *more)
        if key in value and (not isinstance(value[key], kind) or isinstance(value[key], bool)):
            raise Damaged(path, f"has a {type(value[key]).__name__} as {prefix}{key}", *more)
    return value


def _require_texts(path: Path, overrides: list[Any]) -> None:
    if not all(isinstance(word, str) for word in overrides):
        raise Damaged(path, "has an override that is not a string")


def printable(value: Any) -> Any:
    """Escape control characters in foreign text, so that a terminal shows and never executes them."""
    if isinstance(value, str):
        return (
            value
            if value.isprintable()
            else "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in value)
        )
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value
