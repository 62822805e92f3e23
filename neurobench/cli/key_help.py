"""Screen output of `neurobench help model=qrbm`."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Iterator

from neurobench.config.key_help import ChoiceHelp, KeyHelp, choice_help
from neurobench.config.targets import own_options

WIDEST = 100  # columns, however wide the terminal is


def print_choice(group: str, name: str, config_dir: str | None) -> None:
    width = min(WIDEST, shutil.get_terminal_size().columns)
    choice = choice_help(group, name, config_dir)
    for line in _lines(group, name, choice, width):
        print(line)
    if choice.keys:
        words = shlex.join(["neurobench", "run", *own_options(config_dir), f"{group}={name}"])
        print(f"\nSet any of them with KEY=VALUE:\n    {words}{_example(choice)}")


def _lines(group: str, name: str, choice: ChoiceHelp, width: int) -> Iterator[str]:
    yield f"{group}={name}" + (f"    (with {' '.join(choice.parts)})" if choice.parts else "")
    yield from textwrap.wrap(choice.about, width)
    for section, source in choice.sources.items():
        yield ""
        paragraphs = (source if section == group else f"{section}: {source}").split("\n\n")
        for paragraph in paragraphs:
            yield from textwrap.wrap(paragraph, width)
    yield ""
    for key in choice.keys:
        yield from _key_lines(key, width)


def _key_lines(key: KeyHelp, width: int) -> Iterator[str]:
    """Lines on a key: its default and permitted values, and below them its meaning."""
    head = f"{key.key}={key.default}{' ' * bool(key.unit)}{key.unit}"
    line = f"{head:30}  {key.accepts}".rstrip()
    fits = len(line) <= width
    yield line if fits else head
    for text in (key.meaning,) if fits else (key.accepts, key.meaning):
        yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")


def _example(choice: ChoiceHelp) -> str:
    plain = [key for key in choice.keys if key.default.replace(".", "").isdigit()]
    return f" {plain[0].key}={plain[0].default}" if plain else ""
