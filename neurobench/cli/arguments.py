"""The arguments that verbs share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from neurobench.config.errors import UserError
from neurobench.config.targets import allow_file
from neurobench.storage.store import default_outputs


def verb_parser(
    verb: str,
    description: str | None,
    runs: Sequence[str] = (),
    outputs: bool = True,
    json: str | None = None,
) -> argparse.ArgumentParser:
    """A verb's parser. `runs`: positional arguments that refer to a run each; `json`: what --json prints."""
    parser = argparse.ArgumentParser(prog=f"neurobench {verb}", description=description)
    for name in runs:
        meant = 'a path, an id or its beginning, a name (its newest run), or "latest"'
        parser.add_argument(name, help=f"{meant}; the newest finished one where the verb needs that")
    if json:
        parser.add_argument("--json", action="store_true", help=f"{json} for programs")
    add_own_code(parser)
    if outputs:
        add_outputs(parser)
    return parser


def add_outputs(parser: argparse.ArgumentParser, may_be_new: bool = False) -> None:
    kind, help_ = Path if may_be_new else existing_folder, "folder of all runs (%(default)s)"
    parser.add_argument("--outputs", type=kind, default=default_outputs(), metavar="FOLDER", help=help_)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="PATH", help="where the run's data lie now, if they have moved")


def add_own_code(parser: argparse.ArgumentParser) -> None:
    """Every verb takes them. The folder becomes an absolute path, since Hydra takes a relative one for one of its own
    package; a file is allowed as soon as it is read, before any configuration."""

    def absolute(text: str) -> str:
        return str(existing_folder(text).resolve())

    def allowed(text: str) -> str:
        try:
            allow_file(text)
        except UserError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return text

    code = "a Python file of your own that configurations may name; YAML files are found in its folder"
    yaml = "a folder of YAML files of your own"
    parser.add_argument("--config-dir", "-cd", type=absolute, metavar="FOLDER", help=yaml)
    parser.add_argument("--plugin", type=allowed, action="append", metavar="FILE.py", help=code)


def existing_folder(text: str) -> Path:
    """One that is named has to exist: a slip of the pen is no empty folder. The default need not exist yet."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)
