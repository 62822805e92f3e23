"""What a sweep finds damaged in its own folder stops nothing: the scheduler and the runs' folders decide."""

from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps.outcome import ended
from neurobench.sweeps.work import Task, read_task

DAMAGED = ["", '{"status": "finis', "garbage \x00", "[1, 2]", "null", '{"epoch": 3}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_report_is_none(text: str, tmp_path: Path) -> None:
    task = Task(0, {}, (), "", str(tmp_path))
    task.write_report({"status": "finished"})
    assert ended(task.last_report())
    (tmp_path / "0.json").write_text(text)
    assert task.last_report() == {}
    assert not ended(task.last_report())


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_task_is_refused_by_the_name_of_its_file(text: str, tmp_path: Path) -> None:
    task = Task(0, {"seed": 1}, ("seed=1",), "h", str(tmp_path))
    task.write()
    assert read_task(tmp_path, 0) == task
    (tmp_path / "queue" / "0.json").write_text(text)
    with pytest.raises(UserError, match=r"queue/0\.json is damaged: "):
        read_task(tmp_path, 0)
