"""`neurobench list`: the available choices, a line each, which combinations run, and past runs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping

from neurobench.cli.arguments import verb_parser
from neurobench.cli.chip_list import chip_lines, chips_as_plain
from neurobench.cli.grid import cell_as_plain, grid_lines, model_lines
from neurobench.cli.past_runs import list_runs
from neurobench.config.compose import GROUPS, composer
from neurobench.config.descriptions import comments, first_clause, stated_seconds
from neurobench.config.errors import FINE, did_you_mean
from neurobench.config.targets import own_options
from neurobench.experiment.catalogue import Cell, catalogue, matrix
from neurobench.phases import phase
from neurobench.report.answer import duration

SHOWN = ("model", "dataset", "encoder", "backend")  # groups with a line for each choice in the list of everything
WIDEST_NAME = 30  # columns


def list_command(words: list[str]) -> int:
    """List the available choices: models, datasets, encoders, backends, experiments, scales, loggers; `grid`: what runs
    with what; `chips`: snapshots of quantum processors; `runs`: past runs."""
    parser = verb_parser("list", list_command.__doc__, json="the list")
    plurals = {f"{group}s": group for group in GROUPS}
    known = ["all", *plurals, "grid", "chips", "runs"]
    parser.add_argument("what", nargs="?", default="all", help=f"one of {', '.join(known)}")
    matching = "only names that contain this; for `grid`, a model, whose reasons are then shown"
    parser.add_argument("filter", nargs="?", default="", help=matching)
    args = parser.parse_args(words)
    what = f"{args.what}s" if f"{args.what}s" in known else args.what
    if what not in known:
        hint = did_you_mean(what, known)
        parser.error(f"there is no list of {what}; there is {', '.join(known)}.{hint}")
    if what == "runs":
        list_runs(args.outputs, args.json, args.filter)
    elif what == "chips":
        _print(iter([json.dumps(chips_as_plain(args.filter), indent=2)]) if args.json else chip_lines(args.filter))
    elif what in plurals:
        _list_group(plurals[what], args.filter, args.json, args.config_dir)
    elif args.json:
        cells = _cells(args.config_dir)
        groups = {f"{group}s": names for group, names in catalogue(args.config_dir).items()}
        print(json.dumps({**groups, "matrix": [cell_as_plain(cell) for cell in cells]}, indent=2))
    elif what == "grid":
        cells = _cells(args.config_dir)
        if args.filter and args.filter not in {cell.model for cell in cells}:
            models = sorted({cell.model for cell in cells})
            parser.error(f"there is no model {args.filter}.{did_you_mean(args.filter, models)}")
        _print(model_lines(args.filter, cells, _width(), args.config_dir) if args.filter else grid_lines(cells))
    else:
        _print(_everything(args.config_dir))
    return FINE


def _cells(config_dir: str | None) -> list[Cell]:
    with phase("composing all combinations"), composer(config_dir) as compose:
        return matrix(compose, catalogue(config_dir))


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        print(line.rstrip())


def _everything(config_dir: str | None) -> Iterator[str]:
    for group in SHOWN:
        yield f"{group}s"
        yield from _described({name: first_clause(text) for name, text in comments(group, config_dir).items()})
    families = Counter(name.partition("_")[0] for name in comments("experiment", config_dir))
    yield "experiments"
    named = ", ".join(f"{family} ({n})" for family, n in families.items())
    yield from textwrap.wrap(named, _width(), initial_indent="  ", subsequent_indent="  ")
    yield "neurobench list models             one list; also chips, scales, loggers, runs"
    yield "neurobench list experiments dynex  experiments named like that, with times"
    yield "neurobench list grid [qrbm]        what runs with what, and why not"


def _list_group(group: str, wanted: str, as_json: bool, config_dir: str | None) -> None:
    matches = {name: text for name, text in comments(group, config_dir).items() if wanted in name}
    times = {name: stated_seconds(text) if group == "experiment" else None for name, text in matches.items()}
    if as_json:
        entries = [{"name": name, "description": text, "seconds": times[name]} for name, text in matches.items()]
        print(json.dumps(entries, indent=2))
    elif not matches:
        print(f"no {group} has {wanted!r} in its name: neurobench list {group}s shows all")
    else:
        texts = {name: first_clause(text) for name, text in matches.items()}
        _print(_described({name: f"{_time(times[name])}{text}" for name, text in texts.items()}))
        some_alone = group in ("backend", "encoder")  # these suit only some models and data
        command = (
            "neurobench list grid  what runs with what"
            if some_alone
            else shlex.join(["neurobench", "run", *own_options(config_dir), f"{group}={next(iter(matches))}"])
        )
        print(f"\n{command}")


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{duration(seconds).replace('.0 ', ' ')}: "


def _described(texts: Mapping[str, str]) -> Iterator[str]:
    """One line for each name, shortened to the width of the terminal."""
    indent = 4 + min(WIDEST_NAME, max(map(len, texts), default=0))
    for name, text in texts.items():
        room = max(20, _width() - max(indent, len(name) + 4))
        yield f"  {name:{indent - 4}}  {_cut(text, room)}"


def _cut(text: str, room: int) -> str:
    """Text cut to `room` characters: at a comma, colon or bracket if that uses at least half the room, else at a
    word."""
    if len(text) <= room:
        return text
    ends = [match.start() for match in re.finditer(r"[,:](?= )| \(", text) if room / 2 <= match.start() <= room]
    return text[: ends[-1]] if ends else textwrap.shorten(text, room, placeholder=" ...")


def _width() -> int:
    return shutil.get_terminal_size((80, 24)).columns
