"""`neurobench help`: documentation pages, and every key of a model, data set, encoder, backend or experiment."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE, UserError, did_you_mean
from neurobench.docs import TOPICS, page
from neurobench.version import __version__

WIDEST = 100  # columns of a page, however wide the terminal is
HINTS = """
neurobench help TOPIC          one of these pages: neurobench help data
neurobench help model=qrbm     every key of a model; likewise dataset=, encoder=, backend=, experiment=
neurobench help run            the options of a command, as neurobench run --help"""


def help_command(words: list[str]) -> int:
    """Show the documentation: without a topic, the list of topics; with a topic, its page; with GROUP=NAME
    (model=qrbm), every key of that choice with its default, permitted values and meaning."""
    parser = verb_parser("help", help_command.__doc__, outputs=False)
    parser.add_argument("topic", nargs="?", help="a topic, a command, or GROUP=NAME")
    args = parser.parse_args(words)
    if args.topic is None:
        print_topics()
    elif args.topic in TOPICS:
        print_page(page(args.topic))
    else:
        return _other(args.topic, args.config_dir)
    return FINE


def version_command(words: list[str]) -> int:
    """Print the version."""
    verb_parser("version", version_command.__doc__, outputs=False).parse_args(words)
    print(f"neurobench {__version__}")
    return FINE


def print_topics() -> None:
    """Print each topic with the line that follows the title of its page."""
    for topic in TOPICS:
        print(f"  {topic:16} {page(topic).splitlines()[2]}")
    print(HINTS)


def print_page(text: str) -> None:
    """Print a page: typeset on a terminal, else as Markdown, for pipes and files."""
    if not sys.stdout.isatty():
        print(text, end="")
        return
    from rich.markdown import Markdown

    from neurobench.report.screen import Screen

    width = min(WIDEST, shutil.get_terminal_size().columns)
    Screen(width=width).print(Markdown(text, code_theme="ansi_dark"))


def _other(word: str, config_dir: str | None) -> int:
    """Show help on a word that is not a topic: a command, or a choice with or without its group."""
    from neurobench.cli.main import VERBS, main

    if word in VERBS:
        return main([word, "--help"])
    from neurobench.cli.key_help import print_choice
    from neurobench.config.compose import all_choices
    from neurobench.config.suggestions import choice_hint, groups_of

    names = all_choices(config_dir)
    groups = groups_of(word, names)
    if "=" in word:
        group, _, name = word.partition("=")
        print_choice(group, name, config_dir)
    elif groups:
        print_choice(groups[0], _choice(word, names[groups[0]]), config_dir)
    else:
        hint = did_you_mean(word, TOPICS) or choice_hint(word, names)
        raise UserError(f"there is no topic {word!r}; there is {', '.join(TOPICS)}.{hint}")
    return FINE


def _choice(word: str, known: Sequence[str]) -> str:
    """Name of the choice in its original spelling, whatever the case of `word`."""
    return next(name for name in known if name.lower() == word.lower())
