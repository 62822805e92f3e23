"""Promises of the check of locks: a mount whose locks do not reach other machines is detected, a local disk passes."""

import errno
import fcntl
from pathlib import Path

import pytest

from neurobench.storage.locks import lock_fault


def test_a_local_disk_has_locks(tmp_path: Path) -> None:
    assert lock_fault(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "options", "fault"),
    [
        ("nfs4", "rw,vers=4.2,local_lock=none", None),
        ("nfs", "rw,vers=3,nolock,local_lock=all", "nfs, mounted with nolock"),
        ("lustre", "rw,flock", None),
        ("lustre", "rw,localflock", "lustre, mounted with localflock"),
    ],
)
def test_mount_options_say_whether_locks_reach_other_machines(
    kind: str, options: str, fault: str | None, tmp_path: Path
) -> None:
    """Lines have the format of proc(5); the nearest mount counts."""
    (tmp_path / "shared").mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path.resolve()}/shared {kind} {options} 0 0\n")
    told = lock_fault(tmp_path / "shared", mounts)
    assert told is None if fault is None else fault in str(told)


def test_a_file_system_that_grants_a_lock_twice_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert lock_fault(tmp_path) == "its file system grants one lock twice"


def test_a_file_system_without_locks_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert lock_fault(tmp_path) == "its file system does not support locks (Function not implemented)"
