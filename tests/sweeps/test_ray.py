"""Promises of `sweep --launcher ray`, tested on a real cluster of two nodes that is started in another folder."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.config.targets import import_extra
from neurobench.experiment.execute import execute
from neurobench.sweeps.plan import jobs_of
from tests.cli.conftest import command, environment
from tests.sweeps.ray_nodes import ray_nodes
from tests.sweeps.test_sweep import results

try:
    import_extra("ray", "ray", "this test")
except UserError as fault:
    pytest.skip(str(fault), allow_module_level=True)
WORDS = ("model=toy", "seed=range(3)", "training.epochs=4", "training.checkpoint_every=0")


@pytest.mark.slow
def test_a_killed_node_loses_no_results_which_are_stored_where_the_sweep_was_started(tmp_path: Path) -> None:
    """The cluster is started in folder A, the sweep in folder B, with a relative `outputs`; one raylet is killed by
    SIGKILL while its job trains."""
    env = {
        **environment(),
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": os.pathsep.join([environment()["PYTHONPATH"], *_ray_path()]),
    }
    here, calm = tmp_path / "B", tmp_path / "calm"
    here.mkdir()
    calm.mkdir()
    with ray_nodes(tmp_path / "A", env) as (address, nodes):
        words = command("sweep", *WORDS, "model.pause=0.05", "--launcher", "ray")
        child = subprocess.Popen(
            words,
            cwd=here,
            env={**env, "RAY_ADDRESS": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            _await_two(here)
            os.kill(nodes[1].raylet(), signal.SIGKILL)
            told, _ = child.communicate(timeout=300)
        finally:
            child.kill()
    assert child.returncode == 0, told
    assert "3 of 3 jobs finished" in told
    assert not list((tmp_path / "A").glob("outputs*"))
    with contextlib.chdir(calm):
        for job in jobs_of(list(WORDS)):
            assert job.plan is not None
            execute(job.plan, Console(quiet=True))
    assert json.dumps(results(here), sort_keys=True) == json.dumps(results(calm), sort_keys=True)


def _ray_path() -> list[str]:
    """Folders that may contain ray, for processes with another PYTHONPATH."""
    return [word for word in os.environ.get("PYTHONPATH", "").split(os.pathsep) if word]


def _await_two(where: Path) -> None:
    """Wait until both nodes train."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        reports = [json.loads(file.read_text()) for file in where.glob("outputs/.sweeps/*/*.json")]
        if len({report["node"] for report in reports if report["status"] == "running" and report.get("epoch")}) == 2:
            return
        time.sleep(0.1)
    raise AssertionError("no two nodes train")
