"""Export of a search's best trial as an experiment: a YAML file that `--config-dir FOLDER experiment=NAME` finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from neurobench.config.compose import GROUPS, GROUPS_OF_SEVERAL
from neurobench.config.errors import UserError
from neurobench.config.overrides import parse_word
from neurobench.storage.atomic import make_folder, write_bytes

NOT_COMPUTED = ("outputs", "name", "resume", "device", "threads")


def write_experiment(folder: Path, name: str, words: Sequence[str], comment: str) -> Path:
    """Write FOLDER/experiment/NAME.yaml, replacing an earlier one. `words`: the overrides of the best trial.

    Raises UserError for overrides that a file cannot express (`~key`).
    """
    path = folder / "experiment" / f"{name}.yaml"
    make_folder(path.parent)
    write_bytes(path, experiment_yaml(name, words, comment).encode())
    return path


def experiment_yaml(name: str, words: Sequence[str], comment: str) -> str:
    groups: list[Any] = []
    keys: dict[str, Any] = {"name": name, "table": None}  # no row in the table of an experiment that it builds on
    for word in words:
        override = parse_word(word)
        if override is None or override.is_delete():
            raise UserError(f"{word} cannot be written into an experiment: take the command instead")
        key, value = override.get_key_element().lstrip("+"), override.value()
        if key in GROUPS:
            groups += _group(key, value)
        elif key not in NOT_COMPUTED:
            _set(keys, key.split("."), _plain(value))
    # An experiment that this one builds on comes first, its overrides of other groups last.
    groups.sort(key=lambda group: next(iter(group)).startswith("override"))
    body = yaml.safe_dump({"defaults": groups, **keys}, sort_keys=False, allow_unicode=True, default_flow_style=None)
    lines = [f"# {line}" for line in comment.splitlines()]
    return "\n".join(["# @package _global_", *lines, body])


def _group(key: str, value: Any) -> list[dict[str, Any]]:
    names = [_plain(each) for each in (value if isinstance(value, list) else [value])]
    if key == "experiment":
        return [{"/experiment@_global_": each} for each in names if each is not None]
    return [{f"override /{key}": names if key in GROUPS_OF_SEVERAL else names[0]}]


def _set(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for part in parents:
        tree = tree.setdefault(part, {})
    tree[last] = value


def _plain(value: Any) -> Any:
    """Convert Hydra's quoted strings to plain strings."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else value.text
