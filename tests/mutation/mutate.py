"""Do the tests notice? Each module that decides figures is changed in one place, and its tests have to fail.

    make mutate                                              # all modules; an hour of one core
    python -m tests.mutation.mutate metrics/paired.py        # one

`modules.yaml` says which tests belong to a module, and of each mutant that survives why it computes the same. A mutant
that survives without a reason, and a reason whose mutant is noticed or gone, make the run fail with code 1.
"""

import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import pytest
import yaml

from tests.mutation.mutants import mutants

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("modules.yaml")
# Imported once, before every mutant gets a process of its own: what takes long and is not ours.
LIBRARIES = (
    "torch", "numba", "scipy.stats", "scipy.optimize", "sklearn.linear_model", "sklearn.neural_network", "hydra",
    "matplotlib.figure", "rich.console", "yaml", "torch.optim.lr_scheduler", "torch._dynamo",
    "hypothesis",
)  # fmt: skip
PLUGINS = ("xdist", "cacheprovider", "logging", "unraisableexception", "threadexception", "terminalreporter")
OPTIONS = ("-x", "--assert=plain", *(f"-pno:{plugin}" for plugin in PLUGINS))
SLACK = 10.0  # seconds of CPU time above three times what the unchanged module takes: a mutant may not end at all


class Ended(NamedTuple):
    passed: bool
    seconds: float  # of CPU time


class Overlay(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and makes it of other code."""

    def __init__(self, module: str, path: Path, code: CodeType):
        self.module, self.path, self.code = module, path, code

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.module:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def get_code(self, name: str) -> CodeType:
        return self.code

    def exec_module(self, module: ModuleType) -> None:
        exec(self.code, module.__dict__)


def tested(file: str, tree: ast.Module, tests: list[str], limit: float) -> Ended:
    """The tests in a process of their own, in which the module is `tree`."""
    pid = os.fork()
    if pid == 0:
        os._exit(_child(file, tree, tests, limit))
    _, status, usage = os.wait4(pid, 0)
    return Ended(status == 0, usage.ru_utime + usage.ru_stime)


def _child(file: str, tree: ast.Module, tests: list[str], limit: float) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
    signal.alarm(600)  # of one that waits for ever
    path = ROOT / "neurobench" / file
    module = f"neurobench.{file.removesuffix('.py').replace('/', '.')}"
    sys.meta_path.insert(0, Overlay(module, path, compile(tree, str(path), "exec")))
    return int(pytest.main([*OPTIONS, *tests]))


def examine(file: str, tests: list[str], same: dict[str, str], only: list[str]) -> tuple[int, int, list[str]]:
    """Mutants noticed, mutants that compute something else, and what is wrong. `same`: mutant -> why it computes the
    same; `only`: functions, if not all."""
    source = (ROOT / "neurobench" / file).read_text()
    unchanged = tested(file, ast.parse(source), tests, 600)
    if not unchanged.passed:
        return 0, 0, [f"{file}: its tests fail without any change: {' '.join(tests)}"]
    noticed, of_all, wrong, survivors = 0, 0, [], set()
    for mutant in mutants(source):
        if only and mutant.name.partition(":")[0] not in only:
            continue
        ended = tested(file, mutant.tree, tests, 3 * unchanged.seconds + SLACK)
        if ended.passed:
            survivors.add(mutant.name)
        if ended.passed and mutant.name not in same:
            wrong.append(f"{file}:{mutant.line} survives: {mutant.name}")
            print(f"  {wrong[-1]}", flush=True)
        noticed += not ended.passed
        of_all += mutant.name not in same
    wrong += [f"{file}: a reason for what does not survive: {name}" for name in same if name not in survivors]
    print(f"{file}: {noticed} of {of_all} noticed, {len(same)} compute the same", flush=True)
    return noticed, of_all, wrong


def main(chosen: list[str]) -> int:
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # else each process looks through all of torch for garbage
    modules = yaml.safe_load(FILE.read_text())
    noticed, of_all, wrong = 0, 0, []
    for file in chosen or modules:
        told = modules[file]
        counts = examine(file, told["tests"], told.get("same") or {}, told.get("only") or [])
        noticed, of_all, wrong = noticed + counts[0], of_all + counts[1], wrong + counts[2]
    print("\n".join(wrong))
    print(f"mutation score: {noticed} of {of_all}, {noticed / max(1, of_all):.1%}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
