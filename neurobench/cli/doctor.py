"""`neurobench doctor`: whether this machine and installation are in order."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions

from rich.console import Console

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FAILED, FINE
from neurobench.config.targets import plugin_targets
from neurobench.runs.provenance import cores
from neurobench.runs.store import default_outputs

Finding = tuple[bool, str]


def main(words: list[str]) -> int:
    """Exit code 0 where all is in order, 1 where something needs fixing."""
    verb_parser("doctor", __doc__, outputs=False).parse_args(words)
    console = Console()
    healthy = True
    for check in (_python, _name, _versions, _torch, _machine, _outputs, _plugins, _configs, _data):
        for fine, sentence in _findings(check):
            healthy &= fine
            mark = "[green]fine[/]" if fine else "[bold red]fix [/]"
            console.print(f"{mark}  ", end="")
            console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    return FINE if healthy else FAILED


def _findings(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # a check that breaks is itself a finding
        yield False, f"{check.__name__.strip('_')}: {type(error).__name__}: {error}"


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
    yield True, f"{cores()} cores; runs use threads=1 unless threads=N says otherwise {pinned or ''}".rstrip()


def _outputs() -> Iterator[Finding]:
    folder = default_outputs()
    existing = folder if folder.exists() else folder.absolute().parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free / 2**30
            yield free > 1, f"runs go to {folder.absolute()} ({free:.0f} GiB free)"
    except OSError as error:
        yield False, f"runs cannot be written to {folder.absolute()}: {error.strerror}. Set NEUROBENCH_OUTPUTS."


def _plugins() -> Iterator[Finding]:
    for target, owner in plugin_targets().items():
        yield True, f"plugin {target} from {owner}"


def _configs() -> Iterator[Finding]:
    from neurobench.experiment.catalogue import catalogue

    yield True, "; ".join(f"{group}: {', '.join(names)}" for group, names in catalogue().items())


def _data() -> Iterator[Finding]:
    from neurobench.data.files import verify

    for name, fine, sentence in verify():
        yield fine, f"data {name}: {sentence}"
