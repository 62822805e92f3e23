"""An unwritable folder is named, with the file to be written to it and a remedy; never a temporary file.

Permissions do not bind root, who runs the tests in many containers: a folder is made read-only by replacing the
functions that open a file or make a folder in it by ones that raise the system's error. If a file is in the place of a
folder, the system itself refuses every user.
"""

import errno
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from neurobench.cli.main import main
from neurobench.config.errors import FAILED
from neurobench.storage.atomic import Unwritable, make_folder, require_writable, write_bytes, write_json
from neurobench.storage.checkpoint import write_checkpoint
from neurobench.storage.store import read_index
from tests.cli.test_system import files_end_at


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Function that makes a folder into which nothing can be written from then on."""

    def close(number: int = errno.EROFS) -> Path:
        folder = tmp_path / "outputs"
        folder.mkdir()

        def refusing(make: Callable[..., Any], place: Callable[..., Any]) -> Callable[..., Any]:
            def call(*words: Any, **named: Any) -> Any:
                path = Path(place(*words, **named))
                if folder in (path, *path.parents):
                    raise OSError(number, os.strerror(number), str(path / ".report.html.8oi5gsov"))
                return make(*words, **named)

            return call

        for name in ("mkstemp", "TemporaryFile"):
            make = getattr(tempfile, name)
            monkeypatch.setattr(tempfile, name, refusing(make, lambda *_, dir=None, **__: dir or "/"))
        monkeypatch.setattr(Path, "mkdir", refusing(Path.mkdir, lambda path, **_: path))
        return folder

    return close


READ_ONLY = "Read-only file system. Make it writable, or "


def test_an_unwritable_file_is_reported_with_its_folder_and_no_temporary_file(closed: Callable[..., Path]) -> None:
    folder = closed()
    for write in (lambda file: write_bytes(file, b"x"), lambda file: write_json(file, {})):
        with pytest.raises(Unwritable) as raised:
            write(folder / "result.json")
        wanted = f"result.json cannot be written to {folder}: {READ_ONLY}name another folder."
        assert str(raised.value) == wanted
    assert (raised.value.errno, raised.value.filename) == (errno.EROFS, str(folder))


def test_a_full_disk_is_reported_with_the_advice_to_make_room(closed: Callable[..., Path]) -> None:
    folder = closed(errno.ENOSPC)
    with pytest.raises(Unwritable, match=r"No space left on device\. Make room there, or name another folder\.$"):
        write_bytes(folder / "a", b"x")


def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_the_previous_one(tmp_path: Path) -> None:
    """Whether its first byte does not fit, or one amid the writer of torch."""
    path = tmp_path / "checkpoint.pt"
    write_checkpoint(path, {"w": torch.zeros(3)})
    before = path.read_bytes()
    for room in (0, 100_000):
        with files_end_at(room), pytest.raises(Unwritable, match=r"^checkpoint.pt cannot be .*File too large\."):
            write_checkpoint(path, {"w": torch.zeros(100_000), "moments": [torch.zeros(100_000)]})
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_reported_with_the_nearest_existing_folder(closed: Callable[..., Path]) -> None:
    folder = closed()
    with pytest.raises(Unwritable, match=f"^a/b cannot be written to {folder}: {READ_ONLY}set outputs=FOLDER.$"):
        make_folder(folder / "a" / "b", "set outputs=FOLDER")


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for write in (lambda path: write_bytes(path, b"x"), make_folder):
        with pytest.raises(Unwritable, match=f"^result.json cannot be written to {tmp_path}/file: Not a directory"):
            write(tmp_path / "file" / "result.json")


def test_a_link_to_a_disk_that_is_not_mounted_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The system says only that it exists."""
    (tmp_path / "runs").symlink_to("/not/mounted")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "name").symlink_to("/not/mounted")
    reason = "is a link to /not/mounted, which does not exist"
    with pytest.raises(Unwritable, match=f"^runs/.tune cannot be written to {tmp_path}: {tmp_path}/runs {reason}. C"):
        make_folder(tmp_path / "runs" / ".tune")
    words = ["run", "model=mlp", "dataset=yin_yang", "scale=smoke"]
    for options, link in (["runs"], "runs"), (["model", "name=name"], "model/name"):
        for resume in ([], ["--resume"]):
            outputs = f"outputs={tmp_path / options[0]}"
            assert main([*words, outputs, *options[1:], *resume]) == 2
            assert f"{tmp_path / link} {reason}. Set outputs=FOLDER." in capsys.readouterr().err


def test_checking_whether_a_file_can_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    require_writable(tmp_path / "a", "look elsewhere")
    assert list(tmp_path.iterdir()) == []


def test_runs_are_listed_even_if_their_index_cannot_be_written(closed: Callable[..., Path]) -> None:
    """The index of runs is a cache."""
    folder = closed()
    os.mkdir(folder / "toy")  # noqa: PTH102 - Path's is closed
    os.mkdir(folder / "toy" / "20260101-000000-aaaaaa")  # noqa: PTH102
    (folder / "toy" / "20260101-000000-aaaaaa" / "run.json").write_text('{"status": "failed"}')
    assert [entry.path for entry in read_index(folder)] == ["toy/20260101-000000-aaaaaa"]


def test_the_unwritable_error_survives_pickling_to_another_process(closed: Callable[..., Path]) -> None:
    with pytest.raises(Unwritable) as raised:
        make_folder(closed() / "a")
    received = pickle.loads(pickle.dumps(raised.value))
    assert (str(received), received.errno) == (str(raised.value), errno.EROFS)


def test_a_report_into_an_unwritable_folder_is_refused_before_runs_are_read(
    closed: Callable[..., Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = closed()
    monkeypatch.setattr("neurobench.cli.tables.read_index", lambda _: pytest.fail("runs were read"))
    assert main(["report", "--outputs", str(folder)]) == FAILED
    wanted = f"report.html cannot be written to {folder}: {READ_ONLY}name a file elsewhere: --to FILE.html"
    assert wanted in capsys.readouterr().err


SWEPT = ("model=mlp", "dataset=yin_yang", "scale=smoke", "seed=0,1")


@pytest.mark.parametrize("verb", [["sweep"], ["run", "-m"]], ids=" ".join)
def test_a_sweep_into_an_unwritable_folder_is_refused_before_its_first_job(
    verb: list[str], closed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = closed()
    assert main([*verb, *SWEPT, f"outputs={folder}"]) == FAILED
    error = capsys.readouterr().err
    assert f" cannot be written to {folder}: {READ_ONLY}set outputs=FOLDER." in error
    assert ".sweeps/" in error


def test_a_search_into_an_unwritable_folder_is_refused_before_its_first_trial(
    closed: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    folder = closed()
    assert main(["tune", "hxtorch_mlp", "--trials", "1", "--outputs", str(folder)]) == FAILED
    wanted = f".tune cannot be written to {folder}: {READ_ONLY}name another folder: --outputs FOLDER."
    assert wanted in capsys.readouterr().err
