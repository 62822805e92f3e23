"""Command-line arguments that several commands share."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from neurobench.config.errors import BAD_USAGE, UserError, did_you_mean
from neurobench.config.home import home_path
from neurobench.config.targets import allow_file
from neurobench.storage.store import default_outputs


def verb_parser(
    verb: str,
    description: str | None,
    runs: Sequence[str] = (),
    outputs: bool = True,
    json: str | None = None,
) -> argparse.ArgumentParser:
    """Argument parser of a command. `runs`: positional arguments, each naming a run; `json`: what --json prints."""
    parser = VerbParser(prog=f"neurobench {verb}", description=description)
    for name in runs:
        meant = 'a path, an id or its beginning, a name (its newest run), or "latest"'
        parser.add_argument(name, help=f"{meant}; the newest finished one if the verb needs that")
    if json:
        parser.add_argument("--json", action="store_true", help=f"print {json} as JSON")
    add_common(parser)
    if outputs:
        add_outputs(parser)
    return parser


class VerbParser(argparse.ArgumentParser):
    """Argument parser that answers an unknown option, or an option typed as a key, with a suggestion; if arguments are
    missing, it names only the required ones."""

    given: Sequence[str] = ()

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        action = super().add_argument(*names, **settings)
        if action.nargs == argparse.ZERO_OR_MORE:  # else argparse lists it among the missing arguments
            action.required = False
        return action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.given = max(self.given, list(args or ()), key=len)
        for word in () if self._takes_keys() else self.given:
            name, typed, value = word.partition("=")
            if typed and f"--{name}" in self._option_string_actions:
                meant = f"--{name} {shlex.quote(value)}"
                self.exit(BAD_USAGE, f"{self.prog}: {name} is an option here, not a key: {meant}\n")
        return super().parse_known_args(args, namespace)

    def _takes_keys(self) -> bool:
        return any(action.dest == "overrides" for action in self._actions)

    def error(self, message: str) -> NoReturn:
        word = next(iter(message.removeprefix(UNKNOWN).split()), "") if message.startswith(UNKNOWN) else ""
        if not word.startswith("-"):
            super().error(message)
        hint = option_hint(word, self.given) if self._takes_keys() else ""
        hint = hint or did_you_mean(word, [name for name in self._option_string_actions if name.startswith("--")])
        self.exit(BAD_USAGE, f"{self.prog}: there is no option {word}.{hint} See: {self.prog} --help\n")


UNKNOWN = "unrecognized arguments: "


def option_hint(option: str, words: Sequence[str]) -> str:
    """Hint such as " Keys are set without dashes: model=qrbm." for `--model qrbm`, if the option is named like a key or
    a group; else ""."""
    from neurobench.config.compose import GROUPS, composer
    from neurobench.config.sections import paths

    name, _, value = option.lstrip("-").partition("=")
    name = name.replace("-", "_")
    following = [*words, ""][[*words, option].index(option) + 1 :][:1]
    value = value or next((word for word in following if not word.startswith("-")), "")
    with composer() as compose:
        known = [*GROUPS, *paths(compose([]))]
    keys = [key for key in known if name in (key, key.rpartition(".")[2])]
    return f" Keys are set without dashes: {keys[0]}={value or '...'}." if keys else ""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command accepts."""
    add_own_code(parser)
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--verbose", "-v", action="store_true", help="print more: all figures, all reasons")
    amount.add_argument("--quiet", "-q", action="store_true", help="print less: only the answer and errors")


def add_outputs(parser: argparse.ArgumentParser, may_be_new: bool = False) -> None:
    kind, help_ = _folder if may_be_new else existing_folder, "folder of all runs (%(default)s)"
    parser.add_argument("--outputs", type=kind, default=default_outputs(), metavar="FOLDER", help=help_)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="PATH", help="where the run's data are now, if they have moved")


def add_own_code(parser: argparse.ArgumentParser) -> None:
    """Add the options for a user's own code, which every command accepts. The folder is made absolute, since Hydra
    takes a relative path for one inside a package; a file is allowed as soon as it is parsed, before any configuration
    is read."""

    def absolute(text: str) -> str:
        return str(existing_folder(text).resolve())

    def allowed(text: str) -> str:
        try:
            allow_file(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    code = "your own Python file that configurations may refer to; YAML files in its folder are found too"
    yaml = "a folder with your own YAML files"
    parser.add_argument("--config-dir", "-cd", type=absolute, metavar="FOLDER", help=yaml)
    parser.add_argument("--plugin", type=allowed, action="append", metavar="FILE.py", help=code)


def _folder(text: str) -> Path:
    """Argument type for a folder: most shells leave the ~ of --outputs=~/runs unchanged."""
    return Path(home_path(text))


def existing_folder(text: str) -> Path:
    """Argument type for a folder that has to exist, so that a typing mistake is not taken for an empty folder. The
    default, which is not checked, need not exist yet."""
    if not _folder(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return _folder(text)


def new_file(*suffixes: str) -> Callable[[str], Path]:
    """Argument type for a file to write, with one of the given suffixes, or with any if none is given. Of a link it is
    the file behind it: files are replaced when they are written, and the link remains."""

    def path(text: str) -> Path:
        file = Path(text)
        file = file.resolve() if file.is_symlink() else file
        if file.is_dir():
            raise argparse.ArgumentTypeError(f"{text} is a folder: name a file in it")
        if suffixes and file.suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"{file}: give a file name ending in {' or '.join(suffixes)}")
        if not file.parent.is_dir():
            raise argparse.ArgumentTypeError(f"{text}: there is no folder {file.parent}")
        return file

    return path
