"""Promises of the run folder: complete files, one writer, and runs that can be found again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from matplotlib.figure import Figure

from neurobench.config.errors import UserError
from neurobench.figures.style import files_of
from neurobench.storage.atomic import write_json
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import find_run, read_index, same_setting
from tests.cli.test_system import files_end_at
from tests.draws import normal
from tests.storage.sound import sound_checkpoint, sound_result

WRITER = """
import sys
from pathlib import Path
from neurobench.storage.atomic import write_json
for number in range(10**9):
    write_json(Path(sys.argv[1]), {"number": number, "ballast": list(range(20_000))})
    if number == 0:
        print("written once", flush=True)
"""

HOLDER = """
import sys, time
from pathlib import Path
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
folder.acquire()
print("held", flush=True)
time.sleep(60)
"""


def start(script: str, path: Path) -> subprocess.Popen:
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline()
    return child


def test_a_kill_during_writes_never_leaves_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    moments = random.Random(1)
    for _ in range(15):
        child = start(WRITER, path)
        time.sleep(moments.uniform(0.02, 0.08))
        child.kill()
        child.wait()
        assert len(json.loads(path.read_text())["ballast"]) == 20_000


def test_a_value_that_json_cannot_represent_is_refused_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"loss": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"loss": float("nan")})
    assert json.loads(path.read_text()) == {"loss": 1.0}
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_result_has_the_permissions_of_any_file_that_the_user_writes(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_json(tmp_path / "result.json", {})
    assert (tmp_path / "result.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_runs_created_in_the_same_second_get_different_folders(tmp_path: Path) -> None:
    folders = [RunFolder.create(tmp_path, "toy", "ab" * 6, "x: 1\n") for _ in range(5)]
    assert len({folder.path for folder in folders}) == 5


def test_a_second_process_cannot_write_to_a_run_and_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "toy", "ab" * 6, "")
    folder.update(status="running", pid=4711)
    folder.release()
    child = start(HOLDER, folder.path)
    try:
        with pytest.raises(UserError, match="being written by process 4711"):
            folder.acquire()
        assert folder.in_use
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        folder.acquire()
    finally:
        child.kill()
    folder.release()


def test_checkpoints_are_loaded_bit_by_bit_and_refused_if_they_contain_code(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "toy", "ab" * 6, "")
    assert folder.load_checkpoint() is None
    state = {**sound_checkpoint(W=normal(3, 4)), "position": {"epoch": 2, "history": [{"loss": 0.1}]}}
    folder.save_checkpoint(state)
    back = folder.load_checkpoint()
    assert back is not None
    assert torch.equal(back["learner"]["W"], state["learner"]["W"])
    assert back["position"] == state["position"]
    torch.save({**state, "position": print}, folder.path / "checkpoint.pt")
    with pytest.raises(Damaged, match="cannot be read as plain data"):
        folder.load_checkpoint()


@pytest.fixture
def three(tmp_path: Path) -> list[RunFolder]:
    runs = []
    for place in ("a/20260101-000000-aaaaaa", "a/20260102-000000-aaaaaa", "b/20260103-000000-cccccc"):
        path = tmp_path / place
        path.mkdir(parents=True)
        runs.append(RunFolder(path))
        runs[-1].update(status="finished", config_hash=place[-6:])
    return runs


def test_a_run_is_found_by_path_id_start_of_its_id_name_and_latest(tmp_path: Path, three: list[RunFolder]) -> None:
    found = {
        reference: find_run(tmp_path, reference).path
        for reference in (str(three[0].path), "20260101-000000-aaaaaa", "20260101", "a/20260102", "a", "latest")
    }
    assert list(found.values()) == [three[i].path for i in (0, 0, 0, 1, 1, 2)]


def test_a_full_id_means_its_run_even_if_another_started_in_the_same_second(
    tmp_path: Path, three: list[RunFolder]
) -> None:
    second = tmp_path / "a/20260101-000000-aaaaaa-2"
    second.mkdir()
    RunFolder(second).update(status="finished", config_hash="aaaaaa")
    for name in ("20260101-000000-aaaaaa", "20260101-000000-aaaaaa-2"):
        assert find_run(tmp_path, name).path == find_run(tmp_path, f"a/{name}").path == tmp_path / "a" / name


def test_a_run_that_is_named_from_within_its_folder_keeps_its_name_and_place(
    tmp_path: Path, three: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = three[0].path
    for here, reference in ((run, "."), (run.parent, run.name), (tmp_path / "b", f"../a/{run.name}")):
        monkeypatch.chdir(here)
        assert find_run(tmp_path, reference).label == f"a/{run.name}", reference
        assert find_run(tmp_path, reference).path.parent.parent == tmp_path, "where `rerun` makes the new folder"


def test_a_run_that_may_only_be_read_is_in_use_while_a_process_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user's run, whose lock this user cannot open for writing; permissions do not bind root."""
    writer = RunFolder.create(tmp_path, "toy", "ab" * 6, "")

    def refused(lock: FileLock) -> None:
        raise PermissionError(13, "Permission denied", lock.lock_file)

    monkeypatch.setattr(FileLock, "_acquire", refused)
    reader = RunFolder(writer.path)
    assert (reader.in_use, reader.status) == (True, "running")
    with pytest.raises(UserError, match="cannot write to the run folder .*: Permission denied"):
        reader.acquire()
    writer.release()
    assert (reader.in_use, reader.status) == (False, "killed")
    (writer.path / ".lock").unlink()
    assert reader.status == "killed"


def test_the_error_of_a_run_that_failed_is_not_that_of_its_next_session(tmp_path: Path) -> None:
    """`show` stated it for a run that had been resumed and finished, `list runs` for one that was then interrupted."""
    run = RunFolder.create(tmp_path, "toy", "ab" * 6, "")
    run.update(status="failed", error="OSError: No space left on device")
    run.update(model="toy")
    assert run.record()["error"] == "OSError: No space left on device", "it is still the last session's"
    for status in ("running", "interrupted", "queued", "finished"):
        run.update(status="failed", error="OSError: No space left on device")
        run.update(status=status)
        assert run.record().keys() & {"status", "error", "model"} == {"status", "model"}
    run.release()


@pytest.mark.parametrize("recorded", ["running", "interrupted", "finished"])
def test_a_run_with_a_result_has_finished_whatever_run_json_says(tmp_path: Path, recorded: str) -> None:
    """One that was killed between the two files was "finished" in lists, but `show` said to resume it."""
    run = RunFolder.create(tmp_path, "toy", "ab" * 6, "")
    run.update(status=recorded)
    run.write_result(sound_result())
    assert run.status == "finished"
    run.release()
    (entry,) = read_index(tmp_path)
    assert run.status == entry.status(tmp_path) == "finished"


def test_a_row_for_which_there_is_no_room_leaves_the_rows_before_it(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.append_metrics({"epoch": 1, "train_loss": 0.5})
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with files_end_at(len(before) + 5), pytest.raises(OSError, match=r"metrics\.jsonl cannot be written to"):
        run.append_metrics({"epoch": 2, "train_loss": 0.25})
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    (tmp_path / "metrics.jsonl").write_bytes(before + b'{"epo')  # the machine itself has crashed
    run.clean()
    assert run.metrics() == [{"epoch": 1, "train_loss": 0.5}]


def test_a_reference_to_no_run_or_to_several_is_refused(tmp_path: Path, three: list[RunFolder]) -> None:
    with pytest.raises(UserError, match=r"is ambiguous.*20260101.*Give more"):
        find_run(tmp_path, "202601")
    with pytest.raises(UserError, match=r"no run 'latst'.*3 runs"):
        find_run(tmp_path, "latst")
    with pytest.raises(UserError, match="no runs below.*neurobench run"):
        find_run(tmp_path / "nowhere", "a")


def test_runs_of_one_setting_come_newest_first(tmp_path: Path, three: list[RunFolder]) -> None:
    assert [run.path for run in same_setting(tmp_path, "a", "aaaaaa")] == [three[1].path, three[0].path]
    assert same_setting(tmp_path, "b", "aaaaaa") == []


def test_a_run_whose_folder_was_renamed_is_still_one_of_its_setting(tmp_path: Path, three: list[RunFolder]) -> None:
    """A sweep called it finished, but `run -m` repeated it, and an interrupted one began anew."""
    renamed = three[0].path.rename(three[0].path.parent / "best")
    assert [run.path for run in same_setting(tmp_path, "a", "aaaaaa")] == [three[1].path, renamed]
    assert same_setting(tmp_path, "a", "bbbbbb") == []


def test_the_runs_of_one_setting_are_found_without_a_look_at_any_other(
    tmp_path: Path, three: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job of a sweep searches them: two looks at every run would grow with the square of the number of jobs."""
    looked_at: list[str] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **options: (looked_at.append(str(path)), stat(path, **options))[1])
    same_setting(tmp_path, "a", "bbbbbb")
    assert [path for path in looked_at if path.startswith(f"{tmp_path}/a/")] == []


def test_clean_removes_half_written_files_of_a_killed_process_and_no_file_of_the_user(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "toy", "ab" * 6, "")
    folder.update(status="running")
    (folder.path / "figures").mkdir()
    for name in ("result.json", "checkpoint.pt", "figures/confusion.png"):
        killed = f"with replacing(Path({str(folder.path / name)!r})): os.kill(os.getpid(), 9)"
        script = f"import os\nfrom pathlib import Path\nfrom neurobench.storage.atomic import replacing\n{killed}"
        subprocess.run([sys.executable, "-c", script], check=False)
    assert len(list(folder.path.rglob(".*.*.*"))) == 3
    (folder.path / ".notes.d").mkdir()
    users = {".notes.txt", ".notes.markdown", ".config.yaml.swp", ".notes.d/.a.txt", "figures/.thumbs.db"}
    for name in users:
        (folder.path / name).write_text("mine")
    folder.clean()
    present = {str(path.relative_to(folder.path)) for path in folder.path.rglob("*") if path.is_file()}
    assert present == {".lock", "config.yaml", "run.json"} | users
    folder.release()


def test_a_figure_is_saved_as_png_and_also_in_the_chosen_vector_format(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 1), layout="constrained")
    figure.subplots().plot([0, 1])
    run = RunFolder(tmp_path)
    assert run.save_figure("plain", files_of(figure, "png")).name == "plain.png"
    assert run.save_figure("vector", files_of(figure, "pdf")).name == "vector.png", "the one that a page shows"
    assert run.save_figure("moving", files_of(b"GIF89a", "pdf")).read_bytes() == b"GIF89a"
    run.save_figure("drawing", files_of(figure, "svg"))
    files = {path.name: path.read_bytes()[:4] for path in (tmp_path / "figures").iterdir()}
    png = b"\x89PNG"
    assert files == {
        "plain.png": png, "vector.png": png, "vector.pdf": b"%PDF", "drawing.png": png, "drawing.svg": b"<?xm",
        "moving.gif": b"GIF8",
    }  # fmt: skip
