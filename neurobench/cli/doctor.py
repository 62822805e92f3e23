"""`neurobench doctor`: whether this machine and installation are in order."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions

from rich.console import Console

from neurobench.cli.outputs import default_outputs
from neurobench.config.errors import FAILED, FINE
from neurobench.config.targets import plugin_targets
from neurobench.runs.provenance import cores

Finding = tuple[bool, str]


def main(words: list[str]) -> int:
    """Exit code 0 where all is in order, 1 where something needs mending."""
    argparse.ArgumentParser(prog="neurobench doctor", description=__doc__).parse_args(words)
    console = Console()
    sound = True
    for look in (_python, _name, _versions, _torch, _machine, _outputs, _plugins, _configs, _data):
        for fine, sentence in _findings(look):
            sound &= fine
            mark = "[green]fine[/]" if fine else "[bold red]mend[/]"
            console.print(f"{mark}  ", end="")
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    return FINE if sound else FAILED


def _findings(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except Exception as error:  # a doctor who faints helps nobody: what broke is the finding
        yield False, f"{look.__name__.strip('_')}: {type(error).__name__}: {error}"


def _python() -> Iterator[Finding]:
    fine = sys.version_info >= (3, 11)
    yield fine, f"Python {platform.python_version()}" + ("" if fine else ": 3.11 or newer is needed")


def _name() -> Iterator[Finding]:
    """PyPI's `neurobench` is another tool with the same import name."""
    owners = sorted(set(packages_distributions().get("neurobench", [])))
    if "neurobench" in owners:
        yield (
            False,
            (
                "the distribution 'neurobench' (another tool, with the same import name) is installed beside this one; "
                "keep them in separate environments: pip uninstall neurobench"
            ),
        )


def _versions() -> Iterator[Finding]:
    for name in ("hydra-core", "torch", "torchvision", "numpy", "numba", "scikit-learn", "dimod", "tonic"):
        try:
            yield True, f"{name} {metadata(name)['Version']}"
        except PackageNotFoundError:
            yield False, f"{name} is not installed: pip install {name}"


def _torch() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        yield True, f"device=auto takes the GPU: {torch.cuda.get_device_name()}"
    else:
        yield True, "device=auto takes the CPU: torch finds no CUDA device"


def _machine() -> Iterator[Finding]:
    pinned = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ}
    yield True, f"{cores()} cores; runs use threads=1 unless told otherwise {pinned or ''}".rstrip()


def _outputs() -> Iterator[Finding]:
    folder = default_outputs()
    there = folder if folder.exists() else folder.absolute().parent
    try:
        with tempfile.TemporaryFile(dir=there):
            free = shutil.disk_usage(there).free / 2**30
            yield free > 1, f"runs go to {folder.absolute()} ({free:.0f} GiB free)"
    except OSError as error:
        yield False, f"runs cannot be written to {folder.absolute()}: {error.strerror}. Set NEUROBENCH_OUTPUTS."


def _plugins() -> Iterator[Finding]:
    for target, owner in plugin_targets().items():
        yield True, f"plugin {target} from {owner}"


def _configs() -> Iterator[Finding]:
    from neurobench.experiment.catalogue import catalogue

    there = catalogue()
    yield True, "; ".join(f"{group}: {', '.join(names)}" for group, names in there.items())


def _data() -> Iterator[Finding]:
    from neurobench.data.files import verify

    for name, fine, sentence in verify():
        yield fine, f"data {name}: {sentence}"
