"""Tests of what a run imports, since users wait for it: nothing large but torch until it has trained and answered."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, os, sys
from neurobench.experiment.execute import execute
from neurobench.experiment.request import plan_of
from rich.console import Console

HEAVY = ("torch._dynamo", "torchvision", "sympy", "tonic", "matplotlib", "PIL", "sklearn", "scipy.stats")
heavy = lambda: [name for name in HEAVY if name in sys.modules]

class Epoch:
    def begin(self, plan, folder): ...
    def epoch(self, row): print(json.dumps(heavy()))
    def end(self, folder): ...

def answer(folder, result):
    print(json.dumps(heavy()))
    sys.stdout.flush()
    os._exit(0)

words = ["model=qrbm", "scale=smoke", "dataset.digits=[0,1]", "dataset.validation=100", f"outputs={sys.argv[1]}"]
execute(plan_of(words, None)[0], Console(quiet=True), [Epoch()], answer)
"""


def test_a_run_trains_fits_its_readout_and_answers_before_it_imports_large_packages(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    trained, answered = (json.loads(line) for line in done.stdout.splitlines())
    assert trained == []
    assert answered == []
