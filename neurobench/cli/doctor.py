"""`neurobench doctor`: check whether this machine and installation are in order."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FAILED, FINE
from neurobench.config.targets import broken_plugins, load, own_code_findings, plugin_targets
from neurobench.experiment.threads import MOST
from neurobench.phases import phase
from neurobench.report.screen import Screen
from neurobench.storage.provenance import cores
from neurobench.storage.store import default_outputs

PACKAGES = ("hydra-core", "torch", "torchvision", "numpy", "numba", "scipy", "scikit-learn", "dimod", "tonic")
Finding = tuple[bool, str]  # whether it is in order, and a sentence


def doctor_command(words: list[str]) -> int:
    """Run `neurobench doctor`. Exit code 0 if all is in order, 1 if something needs fixing."""
    parser = verb_parser("doctor", __doc__, outputs=False)
    args = parser.parse_args(words)
    checks = {
        "installation": _installation(),
        "machine": _machine(),
        "outputs": _outputs(),
        "plugins": _plugins(),
        "configurations": _configs(args.config_dir),
        "data": _data(),
    }
    console, passed, faults = Screen(), 0, 0
    for name, check in checks.items():
        with phase(f"checking the {name}"):
            try:
                findings = list(check)
            except Exception as error:  # a check that breaks is itself a finding
                findings = [(False, f"{name}: {type(error).__name__}: {error}")]
        passed += sum(fine for fine, _ in findings)
        faults += sum(not fine for fine, _ in findings)
        for fine, sentence in findings:
            if args.verbose or not fine:
                console.print("fine  " if fine else "fix   ", end="", style="green" if fine else "bold red")
                console.print(sentence, highlight=False, soft_wrap=True)
    if faults:
        print(f"{faults} to fix, {passed} checks are fine: neurobench doctor -v shows them")
    else:
        print(f"fine: all {passed} checks of installation, machine, plugins, files and data; -v shows them")
    return FAILED if faults else FINE


def _installation() -> Iterator[Finding]:
    fine = sys.version_info >= (3, 11)
    yield fine, f"Python {platform.python_version()}" + ("" if fine else ": 3.11 or newer is needed")
    if "neurobench" in packages_distributions().get("neurobench", []):
        yield (
            False,
            "the distribution 'neurobench' (another tool, with the same import name) is installed as well as this one; "
            "keep them in separate environments: pip uninstall neurobench",
        )
    for name in PACKAGES:
        try:
            yield True, f"{name} {metadata(name)['Version']}"
        except PackageNotFoundError:
            yield False, f"{name} is not installed: pip install {name}"


def _machine() -> Iterator[Finding]:
    pinned = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS") if name in os.environ}
    kernels = f"for compiled kernels of the QRBM, SLAYER and e-prop up to {MOST}"
    yield True, f"{cores()} cores; threads=auto uses 1, {kernels} {pinned or ''}".rstrip()
    import torch

    present = torch.cuda.is_available()
    processor = f"GPU: {torch.cuda.get_device_name()}" if present else "CPU: torch finds no CUDA device"
    yield True, f"device=auto uses the {processor}"


def _outputs() -> Iterator[Finding]:
    yield _writable(default_outputs(), "runs", "NEUROBENCH_OUTPUTS")


def _writable(folder: Path, what: str, variable: str) -> Finding:
    """Finding on whether a file can be created in a folder or, before it exists, in its nearest parent that does."""
    try:
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing):
            free = shutil.disk_usage(existing).free / 2**30
            return free > 1, f"{what} are written to {folder.absolute()} ({free:.0f} GiB free)"
    except OSError as error:
        return False, f"{what} cannot be written to {folder.absolute()}: {error.strerror}. Set {variable}."


def _plugins() -> Iterator[Finding]:
    """Findings on installed plugins and on the code that the user allows."""
    for name, sentence in broken_plugins().items():
        yield False, f"plugin {name}: {sentence}"
    for target, owner in plugin_targets().items():
        try:
            load(target)
        except Exception as error:  # third-party code may raise anything
            yield False, f"plugin {target} from {owner}: {type(error).__name__}: {error}"
        else:
            yield True, f"plugin {target} from {owner}"
    yield from own_code_findings()


def _configs(config_dir: str | None) -> Iterator[Finding]:
    from neurobench.experiment.catalogue import broken_files, catalogue

    groups = catalogue(config_dir)
    yield True, "; ".join(f"{group}: {', '.join(names)}" for group, names in groups.items())
    for file, fault in broken_files(config_dir).items():
        yield False, f"{file}: {fault}"


def _data() -> Iterator[Finding]:
    from neurobench.data.files import cache_folder, verify

    yield _writable(cache_folder(), "unpacked and emulated data", "NEUROBENCH_DATA")
    for name, fine, sentence in verify():
        yield fine, f"data {name}: {sentence}"
