"""Mutation testing: each module that determines results is changed in one place, and its tests have to fail.

    make mutate                                              # all modules
    python -m tests.mutation.mutate metrics/paired.py        # one

`modules.yaml` lists the tests of each module, and for each mutant that survives the reason why it computes the same. A
mutant that survives without a reason, and a reason whose mutant is noticed or gone, make the run fail with code 1.

Outcomes are stored in outputs/mutants.jsonl, so that an interrupted run resumes where it stopped; a mutant is examined
again once the module or a file of its tests has changed.

The tests are collected once per module. Each mutant has a separate process, forked from there, in which the code of the
function is replaced by that of the changed one; after changes outside functions, all modules are imported anew.
"""

import ast
import gc
import hashlib
import importlib
import inspect
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import pytest
import yaml

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("modules.yaml")
KNOWN = ROOT / "outputs" / "mutants.jsonl"  # one line per examined mutant
PLUGINS = ("xdist", "cacheprovider", "logging", "unraisableexception", "threadexception", "terminalreporter")
OPTIONS = ("-x", "--assert=plain", *(f"-pno:{plugin}" for plugin in PLUGINS))
SLACK = 2.0  # seconds of CPU time above three times those of the unchanged module: a mutant may never end
OURS = ("neurobench", "neurobench_toy", "tests")
WAIT = 600  # seconds after which a waiting process is ended


class Ended(NamedTuple):
    passed: bool
    seconds: float  # of CPU time


class Examiner:
    """A pytest plugin that runs the collected tests once for every mutant of a module, instead of once."""

    def __init__(self, file: str, tests: list[str], same: dict[str, str], only: list[str]):
        self.file, self.tests, self.same, self.only = file, tests, same, only
        self.noticed, self.of_all, self.wrong = 0, 0, [f"{file}: its tests cannot be collected"]
        self.source = (ROOT / "neurobench" / file).read_text()
        texts = [self.source, *tests, *((ROOT / test.partition("::")[0]).read_text() for test in tests)]
        self.digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
        lines = map(json.loads, KNOWN.read_text().splitlines() if KNOWN.exists() else ())
        self.known = {line["mutant"]: line["passed"] for line in lines if line["of"] == self.digest}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        run_items(session)  # in this process, so that none of its children imports or loads kernels again
        gc.freeze()  # nor collects garbage among all of it
        chosen = [mutant.function for mutant in mutants(self.source) if not self.only or mutant.function in self.only]
        plain = ast.parse(self.source)
        # Replacing code must not make tests fail by itself; otherwise every mutant would be noticed.
        ended = [in_child(lambda: self._passes(session, plain, set(chosen)), WAIT)]
        ended += [in_child(lambda: self._passes_afresh(plain), WAIT)] if not all(map(self._old, chosen)) else []
        if not all(each.passed for each in ended):
            self.wrong = [f"{self.file}: its tests fail without any change"]
            return True
        self.wrong, limit = [], 3 * max(each.seconds for each in ended) + SLACK
        survivors = {mutant.name for mutant in mutants(self.source) if self._survives(mutant, session, limit)}
        self.wrong += [f"{self.file}: a reason for no survivor: {name}" for name in self.same if name not in survivors]
        print(f"{self.file}: {self.noticed} of {self.of_all}; {len(self.same)} compute the same", flush=True)
        return True

    def _survives(self, mutant: Mutant, session: pytest.Session, limit: float) -> bool:
        if self.only and mutant.function not in self.only:
            return False
        if mutant.name not in self.known:
            self._examine(mutant, session, limit)
        passed = self.known[mutant.name]
        self.of_all += mutant.name not in self.same
        self.noticed += not passed
        if passed and mutant.name not in self.same:
            self.wrong.append(f"{self.file}:{mutant.line} survives: {mutant.name}")
            print(f"  {self.wrong[-1]}", flush=True)
        return passed

    def _examine(self, mutant: Mutant, session: pytest.Session, limit: float) -> None:
        if self._old(mutant.function):
            ended = in_child(lambda: self._passes(session, mutant.tree, {mutant.function}), limit)
        else:
            ended = in_child(lambda: self._passes_afresh(mutant.tree), limit)
        self.known[mutant.name] = ended.passed
        KNOWN.parent.mkdir(exist_ok=True)
        with KNOWN.open("a") as file:
            file.write(json.dumps({"of": self.digest, "mutant": mutant.name, "passed": ended.passed}) + "\n")

    def _old(self, name: str) -> FunctionType | None:
        return function(importlib.import_module(self.module), name)

    @property
    def module(self) -> str:
        return f"neurobench.{self.file.removesuffix('.py').replace('/', '.')}"

    def _passes(self, session: pytest.Session, tree: ast.Module, functions: set[str]) -> bool:
        """Whether the tests pass with the functions' code as in `tree`."""
        changed = self._made(tree)
        for value in vars(importlib.import_module(self.module)).values():
            if clear := getattr(value, "cache_clear", None):  # results cached by the unchanged code
                clear()
        for name in functions:
            old, new = self._old(name), function(changed, name)
            if old and new:
                old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
        return run_items(session)

    def _passes_afresh(self, tree: ast.Module) -> bool:
        """Whether the tests pass with `tree` in the module's place wherever it is imported."""
        for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
            del sys.modules[name]
        parent, _, leaf = self.module.rpartition(".")
        setattr(importlib.import_module(parent), leaf, self._made(tree))
        return pytest.main([*OPTIONS, *self.tests]) == 0

    def _made(self, tree: ast.Module) -> ModuleType:
        """Module compiled from a tree; others see it only if the module has not been imported yet."""
        path = str(ROOT / "neurobench" / self.file)
        made = ModuleType(self.module)
        made.__file__, made.__package__ = path, self.module.rpartition(".")[0]
        sys.modules.setdefault(self.module, made)
        exec(compile(tree, path, "exec"), made.__dict__)
        return made


def run_items(session: pytest.Session) -> bool:
    """Whether all tests pass; those after the first failure are not run."""
    for k, item in enumerate(session.items):
        after = session.items[k + 1] if k + 1 < len(session.items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed:
            return False
    return bool(session.items)


def function(module: ModuleType, name: str) -> FunctionType | None:
    """Outermost function on the path of a dotted name, without its wrappers; None outside functions."""
    found: Any = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part, None)
        found = getattr(found, "fget", None) or getattr(found, "__func__", None) or found
        inner = inspect.unwrap(found) if callable(found) else found
        if isinstance(inner, FunctionType):
            return inner
    return None


def in_child(run: Callable[[], bool], limit: float) -> Ended:
    """Outcome of `run` in a separate process, which may take `limit` seconds of CPU time and prints nothing."""
    pid = os.fork()
    if pid == 0:
        passed = False
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
            signal.alarm(WAIT)
            passed = run()
        finally:
            os._exit(not passed)
    _, status, usage = os.wait4(pid, 0)
    return Ended(status == 0, usage.ru_utime + usage.ru_stime)


def main(chosen: list[str]) -> int:
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["NUMBA_THREADING_LAYER"] = "workqueue"  # which survives a fork
    modules = yaml.safe_load(FILE.read_text())
    noticed, of_all, wrong = 0, 0, []
    if unknown := [file for file in chosen if file not in modules]:
        sys.exit(f"no tests are named for {', '.join(unknown)}; there is {', '.join(modules)}")
    for file in chosen or modules:
        told = modules[file]
        examiner = Examiner(file, told["tests"], told.get("same") or {}, told.get("only") or [])
        pytest.main([*OPTIONS, *told["tests"]], plugins=[examiner])
        noticed, of_all, wrong = noticed + examiner.noticed, of_all + examiner.of_all, wrong + examiner.wrong
    print("\n".join(wrong))
    print(f"mutation score: {noticed} of {of_all}, {noticed / max(1, of_all):.1%}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
