"""Fixtures for commands as a user types them, in a separate folder, with the toy plugin installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neurobench.cli.main import main

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "tests" / "plugin"
Neurobench = Callable[..., subprocess.CompletedProcess]


def environment() -> dict[str, str]:
    """Environment of a process that runs the code of this checkout, wherever it is started."""
    plain = {key: value for key, value in os.environ.items() if key != "NEUROBENCH_OUTPUTS"}
    paths = [str(ROOT), str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**plain, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "neurobench", *words]


@pytest.fixture
def neurobench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Neurobench:
    """Function that runs a verb in this process, which has imported torch already, as if typed in `tmp_path`.

    Tests that need a process (signals, terminals, a fresh interpreter) start it with `command`.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NEUROBENCH_OUTPUTS", raising=False)

    def call(*words: str) -> subprocess.CompletedProcess:
        capfd.readouterr()
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)

    return call
