"""Tests of the measured memory of a run, which result.json states."""

import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from neurobench.storage.provenance import peak_mb


@pytest.mark.parametrize(("system", "reported"), [("darwin", 300 * 2**20), ("linux", 300 * 2**10)])
def test_peak_memory_is_in_megabytes_on_systems_without_proc(
    system: str, reported: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """getrusage reports bytes on macOS, kilobytes elsewhere."""

    def absent(*_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda who: SimpleNamespace(ru_maxrss=reported))
    assert peak_mb() == 300
