"""The option that says where past runs lie."""

import argparse
import os
from pathlib import Path


def default_outputs() -> Path:
    """The folder of all runs, as `outputs` in conf/config.yaml: NEUROBENCH_OUTPUTS, or ./outputs."""
    return Path(os.environ.get("NEUROBENCH_OUTPUTS", "outputs"))


def add_outputs(parser: argparse.ArgumentParser, new: bool = False) -> None:
    """`new`: it may be made."""
    kind = Path if new else _folder
    parser.add_argument(
        "--outputs", type=kind, default=default_outputs(), metavar="FOLDER", help="folder of all runs (%(default)s)"
    )


def _folder(text: str) -> Path:
    """One that is named has to be there: a slip of the pen is no empty folder. The default may not be there yet."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)
