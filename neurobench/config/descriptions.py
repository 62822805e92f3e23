"""Description of a choice in the first lines of its YAML file: what it is, and how long it takes."""

from __future__ import annotations

import re

from neurobench.config.compose import choices
from neurobench.config.explanations import opening
from neurobench.config.sources import matrix_cells
from neurobench.config.targets import config_packages, config_places

_END = re.compile(r"[.;](?= |$)")  # end of the first clause; not the point of a number
_TARGET = re.compile(r"^_target_: *([\w.]+)", re.MULTILINE)
_NUMBER = r"\d+(?:\.\d+)?|half an?|an?|two|three|four|five"
_TIME = re.compile(rf"\b({_NUMBER}) (s|seconds?|minutes?|hours?)\b")
_WORDS = {"a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5, "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0}
_SECONDS = {"s": 1, "second": 1, "minute": 60, "hour": 3600}


def _texts(group: str, config_dir: str | None) -> dict[str, str]:
    """Each choice of a group that has its own file -> the text of the file."""
    folders = [place.joinpath(group) for place in config_places(config_dir)]
    descriptions = {}
    for name in choices(group, config_dir):
        files = (folder.joinpath(f"{name}.yaml") for folder in folders)
        file = next((file for file in files if file.is_file()), None)
        if file is not None:
            descriptions[name] = file.read_text("utf-8-sig", "replace")
    return descriptions


def comments(group: str, config_dir: str | None = None) -> dict[str, str]:
    """Each choice of a group -> the comment at the top of its file, as one string."""
    texts = {name: opening(text) for name, text in _texts(group, config_dir).items()}
    if group == "experiment":
        texts |= {name: _of_cell(name) for package in config_packages() for name in matrix_cells(package)}
    return texts


def _of_cell(name: str) -> str:
    model, _, dataset = name.removeprefix("matrix_").partition("_")
    return f"{model} on {dataset}, for the matrix of models, data sets and backends"


def choice_of_class(group: str, config_dir: str | None = None) -> dict[str, str]:
    """Class name in the `_target_` of a choice -> the choice, as it can be typed; the first of several."""
    targets = {name: _TARGET.search(text) for name, text in _texts(group, config_dir).items()}
    return {match[1].rpartition(".")[2]: name for name, match in reversed(targets.items()) if match}


def first_clause(comment: str) -> str:
    """Text before the first full stop or semicolon."""
    return _END.split(comment, maxsplit=1)[0].strip()


def stated_seconds(comment: str) -> float | None:
    """Time in seconds that a comment states, on one core: the last one, since it comes at the end. None if it states
    none."""
    durations = _TIME.findall(comment)
    if not durations:
        return None
    number, unit = durations[-1]
    value = _WORDS[number] if number in _WORDS else float(number)
    return value * _SECONDS[unit if unit == "s" else unit.removesuffix("s")]
