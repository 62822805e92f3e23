"""Damaged files of a sweep: reports are ignored (the scheduler and the run folders decide), tasks are refused."""

import time
from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps.job import Task, read_task
from neurobench.sweeps.outcome import ended
from neurobench.sweeps.record import new_sweep_folder

DAMAGED = ["", '{"status": "finis', "garbage \x00", "[1, 2]", "null", '{"epoch": 3}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_report_is_read_as_an_empty_one(text: str, tmp_path: Path) -> None:
    task = Task(0, {}, (), "", str(tmp_path))
    task.write_report({"status": "finished"})
    assert ended(task.last_report())
    (tmp_path / "0.json").write_text(text)
    assert task.last_report() == {}
    assert not ended(task.last_report())


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_task_is_refused_with_the_name_of_its_file(text: str, tmp_path: Path) -> None:
    task = Task(0, {"seed": 1}, ("seed=1",), "h", str(tmp_path))
    task.write()
    assert read_task(tmp_path, 0) == task
    (tmp_path / "queue" / "0.json").write_text(text)
    with pytest.raises(UserError, match=r"queue/0\.json is damaged: "):
        read_task(tmp_path, 0)


def test_the_newest_sweep_is_the_last_one_begun_whatever_the_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the clocks went back, and from machines of two zones, --status and --cancel once meant an earlier one."""
    folders = []
    for zone in ("Etc/GMT-10", "Etc/GMT+10"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        folders.append(new_sweep_folder(tmp_path).name)
    monkeypatch.undo()
    time.tzset()
    assert folders[0] < folders[1]
