"""Commands that write files to start from. `new KIND NAME`: a user's own model, data set, device or experiment that
runs unchanged; `cp experiment NAME FILE`: a copy of a shipped experiment, to edit."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import yaml

from neurobench.cli.arguments import verb_parser
from neurobench.config.compose import choices
from neurobench.config.errors import FINE, UserError, did_you_mean
from neurobench.config.overrides import override_of
from neurobench.config.targets import config_places
from neurobench.storage.atomic import writing

GROUPS = {"model": "model", "dataset": "dataset", "device": "backend", "experiment": "experiment"}
SCHEMA = "editors complete and check the YAML after: neurobench schema > schema.json"


def new_command(words: list[str]) -> int:
    """Write a module, its YAML file and a test into the current folder, commented and ready to run. No file is
    overwritten."""
    parser = verb_parser("new", new_command.__doc__, outputs=False)
    parser.add_argument("kind", choices=list(GROUPS))
    parser.add_argument("name", help="name of the module and of the choice: neurobench new model mine, then model=mine")
    args = parser.parse_args(words)
    group = GROUPS[args.kind]
    if fault := _name_fault(args.kind, args.name, args.config_dir):
        raise UserError(f"{args.name!r}: {fault}")
    skeleton = files("neurobench.cli").joinpath("skeletons", args.kind)
    sources = {f"{group}/{args.name}.yaml": "mine.yaml", f"test_{args.name}.py": "test.py.txt"}
    if args.kind != "experiment":
        sources = {f"{args.name}.py": "module.py.txt", **sources}
    texts = {path: skeleton.joinpath(source).read_text("utf-8") for path, source in sources.items()}
    title = _class_name(args.name)
    if args.kind != "experiment" and (keyword.iskeyword(title) or title in _imported(texts.values())):
        taken = "is a word of Python" if keyword.iskeyword(title) else "is imported from elsewhere"
        raise UserError(f"{args.name!r}: its class would be named {title}, which {taken}. Choose another name.")
    _write({Path(path): _named(text, args.name) for path, text in texts.items()})
    flag = "--config-dir ." if args.kind == "experiment" else f"--plugin {args.name}.py"
    print(f"\nneurobench run {flag} {group}={args.name}\npytest test_{args.name}.py\n{SCHEMA}")
    return FINE


def cp_command(words: list[str]) -> int:
    """Copy an experiment to a file of your own, in which its runs and its table are named after the file. No file is
    overwritten."""
    parser = verb_parser("cp", cp_command.__doc__, outputs=False)
    parser.add_argument("kind", choices=["experiment"])
    parser.add_argument("name", help="name of an experiment: neurobench list")
    parser.add_argument("file", type=_recipe_file, help="experiment/MINE.yaml, or MINE alone")
    args = parser.parse_args(words)
    if args.file.stem in choices("experiment"):
        raise UserError(f"{args.file}: experiment {args.file.stem} exists already and would be used instead")
    if fault := _unreadable("experiment", args.file.stem):
        raise UserError(f"{args.file}: {fault}")
    _write({args.file: _renamed(_recipe(args.name, args.config_dir), args.file.stem)})
    words = ["neurobench", "run", "--config-dir", str(args.file.parent.parent), f"experiment={args.file.stem}"]
    print(f"\n{shlex.join(words)}\n{SCHEMA}")
    return FINE


def _name_fault(kind: str, name: str, config_dir: str | None) -> str | None:
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name.startswith("_"):
        return "use letters, digits and underscores, and begin with a letter"
    if fault := _unreadable(GROUPS[kind], name):
        return fault
    if name in choices(GROUPS[kind], config_dir):
        return f"{GROUPS[kind]}={name} exists already and would be used instead. Choose another name."
    if kind != "experiment" and not Path(f"{name}.py").exists() and importlib.util.find_spec(name):
        return f"Python has a module {name} already and would use that one. Choose another name."
    return None


def _unreadable(group: str, name: str) -> str | None:
    """Reason why a name cannot be typed as a choice or stand in a YAML file: both take 2024 for a number and `null` for
    no value. None if it can."""
    with suppress(yaml.YAMLError):
        if override_of(group, name) == f"{group}={name}" and yaml.safe_load(name) == name:
            return None
    return f"{group}={name} and YAML files would not read it as a name. Choose another one."


def _class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _imported(texts: Iterable[str]) -> set[str]:
    """Names that a skeleton imports from elsewhere."""
    lines = [line for text in texts for line in text.splitlines() if line.startswith("from ")]
    return {name for line in lines for name in line.partition(" import ")[2].split(", ")} - {"Mine"}


def _named(text: str, name: str) -> str:
    """Text of a skeleton under another name: `mine` is replaced by the module's name, `Mine` by its class's."""
    names = {"mine": name, "Mine": _class_name(name)}
    return re.sub(r"(?<![A-Za-z])(mine(?![A-Za-z])|Mine(?![a-z]))", lambda match: names[match[1]], text)


def _write(texts: dict[Path, str]) -> None:
    """Write all files, or none if one of them exists already."""
    present = [str(path) for path in texts if path.exists() or path.is_symlink()]
    if present:
        raise UserError(f"there is {', '.join(present)} already: nothing was written. Move it, or choose another name.")
    for path, text in texts.items():
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        print(f"written: {path}")


def _recipe_file(text: str) -> Path:
    """Argument type for an experiment's file, which has to lie in a folder named `experiment`, wherever that is."""
    path = Path(text).with_suffix(".yaml") if Path(text).suffix in ("", ".yaml") else Path(text)
    path = Path("experiment") / path if path.parent == Path() else path
    if path.suffix != ".yaml" or path.absolute().parent.name != "experiment":
        raise argparse.ArgumentTypeError(f"{text}: an experiment is found as FOLDER/experiment/{path.stem}.yaml")
    return path


def _recipe(name: str, config_dir: str | None) -> str:
    for place in config_places(config_dir):
        file = place.joinpath("experiment", f"{name}.yaml")
        if file.is_file():
            return file.read_text("utf-8")
    known = choices("experiment", config_dir)
    if name in known:
        raise UserError(f"experiment={name} is one of several in a file of conf/matrix: copy one that has its own file")
    raise UserError(f"there is no experiment {name}; there is {', '.join(known)}.{did_you_mean(name, known)}")


def _renamed(text: str, name: str) -> str:
    """Rename an experiment's run folder and table, since figures of an edited copy do not belong in a table of the
    original."""
    text = re.sub(r"(?m)^name: .*$", f"name: {name}", text, count=1)
    text = re.sub(r"(?m)^(table:.*\n) +name: .*\n", r"\g<1>", text, count=1)
    return re.sub(r"(?m)^(table:.*\n)", rf"\g<1>  name: {name}\n", text, count=1)
