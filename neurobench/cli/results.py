"""`results [FILTER ...]`: finished runs by setting, over their seeds, as a table, and a figure plotted against a
parameter."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from neurobench.cli.arguments import new_file, verb_parser
from neurobench.config.errors import FINE, UserError
from neurobench.report.results import results_of, settings_of
from neurobench.report.results_table import FORMATS, print_results
from neurobench.report.screen import Screen
from neurobench.storage.atomic import write_bytes
from neurobench.storage.selection import Chosen, chosen
from neurobench.storage.store import Entry, read_index

PLOTS = (".png", ".pdf", ".svg")


def results_command(words: list[str]) -> int:
    """Show finished runs as a table of settings: mean and standard deviation over seeds, interval, and the best setting
    by its validation figure."""
    parser = verb_parser("results", results_command.__doc__)
    filters = "key=value[,value ...] of the configuration, or the name of a run's folder (a pattern: 'qrbm*')"
    parser.add_argument("filters", nargs="*", metavar="FILTER", help=filters)
    keys = "keys that distinguish settings, as model.lr,model.n_hidden; default: those given several values"
    parser.add_argument("--by", type=_keys, action="extend", default=[], metavar="KEY,KEY", help=keys)
    parser.add_argument("--metric", default="test_accuracy", help="the figure to show (%(default)s)")
    parser.add_argument("--judge", metavar="FIGURE", help="validation figure by which the best setting is chosen")
    parser.add_argument("--format", choices=FORMATS, help="for papers and programs; default: for the screen")
    plot = "plot the figure against the keys: lines with bands over seeds, a heat map for two keys"
    parser.add_argument("--plot", type=new_file(*PLOTS), metavar="FILE.png|pdf|svg", help=plot)
    args = parser.parse_intermixed_args(words)
    matching, unknown = _chosen(args.filters, args.outputs)
    entries = [entry for entry in matching if entry.result is not None]
    for path, damage in {**{entry.path: entry.damage for entry in matching if entry.damage}, **unknown}.items():
        print(f"note: {path} is left out, since it is damaged: {damage}", file=sys.stderr)
    if not entries:
        which = " ".join(args.filters)
        raise UserError(
            f"no finished run below {args.outputs}{' is ' + which if which else ''}. See: neurobench list runs"
        )
    results = results_of(*settings_of(entries, args.outputs, args.by), args.by, args.metric, args.judge)
    if args.plot:
        from neurobench.report.results_plot import drawn

        write_bytes(args.plot, drawn(results, args.plot.suffix[1:]))
        print(args.plot, file=sys.stderr if args.format else sys.stdout)
    if args.format:
        print(FORMATS[args.format](results))
    elif not args.plot:
        print_results(results, Screen())
    return FINE


def _keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def _chosen(filters: list[str], outputs: Path) -> Chosen:
    """Runs that match the filters. Raises UserError if one names no run and no key."""
    where: dict[str, Any] = {}
    names = [word for word in filters if "=" not in word]
    for word in filters:
        key, equals, text = word.partition("=")
        if equals and key in where:
            raise UserError(f"{key} is given twice. Write all of its values in one filter: {key}=VALUE,VALUE")
        if equals:
            where[key] = _values(text)
    entries = read_index(outputs)
    for name in names:
        if not any(_is_named(entry, name) for entry in entries):
            raise UserError(f"no run below {outputs} is named {name}. See: neurobench list runs")
    named = [entry for entry in entries if not names or any(_is_named(entry, name) for name in names)]
    return chosen(named, outputs, where)


def _is_named(entry: Entry, name: str) -> bool:
    return fnmatchcase(entry.path.partition("/")[0], name) or entry.path.startswith(f"{name}/") or entry.path == name


def _values(text: str) -> list[Any]:
    """Values that a filter allows, read as YAML: "0.1,0.2", "[64, 64]" or "null"."""
    try:
        whole = yaml.safe_load(f"[{text}]")
    except yaml.YAMLError:
        raise UserError(f"{text}: write a value, or several separated by commas") from None
    return [_number(value) for value in whole]


def _number(value: Any) -> Any:
    """Number for a numeric text: YAML reads 1e-3 as a text."""
    try:
        return float(value) if isinstance(value, str) and value[:1] in "+-.0123456789" else value
    except ValueError:
        return value
