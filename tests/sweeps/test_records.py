"""Damaged files of a sweep: reports are ignored (the scheduler and the run folders decide), tasks are refused."""

from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps.job import Task, read_task
from neurobench.sweeps.outcome import ended

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
