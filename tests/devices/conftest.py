"""Fixtures shared by several files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neurobench.config import secrets
from neurobench.devices import jobs


@pytest.fixture
def braket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stand-in for Amazon Braket on the loopback address, with an account, reached by AWS's own client."""
    from tests.devices.braket_server import reachable

    monkeypatch.setattr(jobs, "FIRST_PAUSE", 1e-4)
    monkeypatch.setattr(secrets, "_hidden", set())
    (tmp_path / "aws").mkdir()
    with reachable(monkeypatch, tmp_path / "aws") as service:
        yield service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a run. Its name is part of its jobs' tags, from which faults are drawn."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"
