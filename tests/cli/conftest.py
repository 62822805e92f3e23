"""Commands as a user types them, in a folder of their own, with the toy plugin installed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "plugin"
Neurobench = Callable[..., subprocess.CompletedProcess]


def environment() -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if key != "NEUROBENCH_OUTPUTS"}
    return {**plain, "PYTHONPATH": str(PLUGIN), "COLUMNS": "200"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "neurobench", *words]


@pytest.fixture
def neurobench(tmp_path: Path) -> Neurobench:
    """Call it with words; the process has ended when it returns."""

    def call(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command(*words), cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
        )

    return call
