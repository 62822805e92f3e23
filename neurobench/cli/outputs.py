"""The option that says where past runs lie."""

import argparse
import os
from pathlib import Path


def default_outputs() -> Path:
    """The folder of all runs, as `outputs` in conf/config.yaml: NEUROBENCH_OUTPUTS, or ./outputs."""
    return Path(os.environ.get("NEUROBENCH_OUTPUTS", "outputs"))


def add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--outputs", type=Path, default=default_outputs(), metavar="FOLDER", help="folder of all runs (%(default)s)"
    )
