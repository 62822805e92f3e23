"""Fixtures for runs in a temporary folder, with the toy plugin installed."""

from pathlib import Path

import pytest

import neurobench as nb


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEUROBENCH_OUTPUTS", raising=False)
    return tmp_path


@pytest.fixture
def toy(here: Path) -> nb.Run:
    """A finished run of a model that trains quickly."""
    return nb.run("model=toy", "scale=smoke", seed=1, progress=False)
