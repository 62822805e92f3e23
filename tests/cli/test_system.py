"""Tests of failures of the operating system during a run: one sentence, and nothing that existed is lost."""

import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neurobench.config.errors import FAILED, FINE
from tests.cli.conftest import Neurobench, command, environment
from tests.cli.test_run import result, runs, start_slow

WORDS = ("run", "model=toy", "scale=smoke", "training.checkpoint_every=0", "name=full")


@contextmanager
def files_end_at(n_bytes: int) -> Iterator[None]:
    """Context manager: no file of this process grows beyond n_bytes; writing more is an OSError, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_reported_without_a_traceback_and_no_result_is_lost(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    """There is room for none of a run's files, for some of them, for all but its figures."""
    assert neurobench(*WORDS).returncode == FINE
    (whole,) = runs(tmp_path, "full")
    metrics = json.dumps(result(whole)["metrics"])
    for seed, room in enumerate((600, 1000, 4000, 12000), start=1):
        with files_end_at(room):
            done = neurobench(*WORDS, f"seed={seed}")
        assert done.returncode == FAILED, (room, done.stdout, done.stderr)
        assert "File too large" in done.stderr, room
        assert "Traceback" not in done.stdout + done.stderr, room
        assert neurobench(*WORDS, f"seed={seed}", "--resume").returncode == FINE, "now there is room"
    assert json.dumps(result(whole)["metrics"]) == metrics
    rows = json.loads(neurobench("list", "runs", "--json").stdout)
    assert sorted(row["seed"] for row in rows if row["status"] == "finished") == [0, 1, 2, 3, 4]


def test_outputs_deleted_during_a_run_are_reported_without_a_traceback(tmp_path: Path) -> None:
    child, folder = start_slow(tmp_path)
    (tmp_path / "outputs").rename(tmp_path / "gone")  # in one step, since the run keeps writing
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    told = child.communicate(timeout=240)[0].decode()
    assert child.returncode == FAILED, told
    assert folder.name in told
    assert "Traceback" not in told


def test_two_studies_that_start_at_once_on_a_new_database_leave_it_intact(
    neurobench: Neurobench, tmp_path: Path
) -> None:
    """Both studies propose the same first trial; the one that finds it in progress says so."""
    pytest.importorskip("optuna")
    space = "overrides: [model=toy, scale=smoke, threads=1]\nfigure: validation_accuracy\n"
    (tmp_path / "s.yaml").write_text(space + "space: {model.lr: {low: 0.1, high: 1.0}}\n")
    words = ("tune", "s.yaml", "--trials", "2", "--json")
    both = [
        subprocess.Popen(
            command(*words), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    told = [child.communicate(timeout=240)[1] for child in both]
    for child, err in zip(both, told, strict=True):
        assert child.returncode == FINE or "is being written by process" in err
        assert "Traceback" not in err
    assert FINE in [child.returncode for child in both]
    done = neurobench(*words)
    assert done.returncode == FINE, done.stderr
    assert [trial["state"] for trial in json.loads(done.stdout)].count("complete") >= 2
    assert len(list((tmp_path / "outputs/.tune").glob("*.db"))) == 1


@pytest.mark.parametrize("module", ["neurobench.data.dataset", "neurobench.cli."])
def test_ctrl_c_while_modules_are_imported_prints_no_traceback(module: str, tmp_path: Path) -> None:
    """Modules tried: the first of this package that a verb needs, and the verb's own."""
    script = (
        "import os, signal, sys\n"
        "from neurobench.cli.main import main\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name.startswith({module!r}):\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "sys.exit(main(['list']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 130
    assert "neurobench list: stopped" in done.stderr
    assert "Traceback" not in done.stderr
