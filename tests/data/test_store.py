import urllib.error
import zipfile
from pathlib import Path

import pytest

from neurobench.data import files
from neurobench.data.dataset import DataError
from neurobench.data.files import ALL_BUNDLED, MNIST_RAW
from neurobench.data.mnist import checked_root
from tests.data.test_aer import encode
from tests.specs import spec


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def archive(path, members):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


RECORDING = encode(1, 2, 3, 1) + encode(4, 5, 6, 0)


def test_verify_lists_every_bundled_file_as_intact(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path))
    assert [(verdict.name, verdict.ok) for verdict in files.verify()] == [(known.name, True) for known in ALL_BUNDLED]


def test_verify_names_an_altered_copy_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path))
    with checked_root(None):
        pass
    (tmp_path / MNIST_RAW[1].name).write_bytes(b"short")
    bad = [verdict for verdict in files.verify() if not verdict.ok]
    assert [verdict.name for verdict in bad] == [MNIST_RAW[1].name]
    assert "found 5 bytes, expected 60008 bytes" in bad[0].sentence


def test_verify_names_missing_bundled_files_and_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BUNDLED", tmp_path)
    assert [verdict.ok for verdict in files.verify()[: len(ALL_BUNDLED)]] == [False] * len(ALL_BUNDLED)
    assert "Reinstall the package" in files.verify()[0].sentence


def test_bundled_folder_contains_the_files_of_a_set_and_unknown_names_are_refused():
    assert (files.bundled_folder("mnist") / "train-images-idx3-ubyte.gz").is_file()
    assert (files.bundled_folder("nmnist") / "Train.zip").is_file()
    with pytest.raises(DataError, match="there are no data files named 'nmist'.* Did you mean nmnist"):
        files.bundled_folder("nmist")
    with pytest.raises(DataError, match="there are no data files named 'yin_yang'"):
        files.fetch("yin_yang", "/nowhere")


@pytest.mark.parametrize("name", ["mnist", "nmnist"])
def test_a_fetch_without_a_network_is_refused_and_leaves_no_files(name, offline, tmp_path):
    with pytest.raises(DataError, match=r"the download from http.* failed: .*Name or service not known.*try again"):
        files.fetch(name, str(tmp_path / "root"))
    assert list((tmp_path / "root").rglob("*")) == []


def test_a_fetched_set_is_read_from_its_root_and_not_downloaded_again(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "OFFICIAL", {"Train": 12, "Test": 2})
    sizes = iter([12, 2])

    def download(url, folder, filename, md5):
        split = filename.removesuffix(".zip")
        recording = RECORDING if split == "Train" else RECORDING + encode(7, 5, 6, 0)  # no sample may be in both
        archive(f"{folder}/{filename}", {f"{split}/{k % 10}/{k:05d}.bin": recording for k in range(1, next(sizes) + 1)})

    monkeypatch.setattr("tonic.download_utils.download_url", download)
    root = files.fetch("nmnist", str(tmp_path / "root"))
    splits = spec("dataset/nmnist", root=str(root)).load(0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (11, 1, 2)
    assert sorted(path.name for path in (root / "NMNIST").iterdir()) == ["Test", "Train"]
    files.fetch("nmnist", str(root))  # nothing is downloaded again: `sizes` is used up
    next((root / "NMNIST").glob("Test/*/*.bin")).unlink()
    with pytest.raises(DataError, match="Test: exists with 1 of 2 recordings"):
        files.fetch("nmnist", str(root))


def test_a_broken_download_is_refused_and_leaves_no_files(tmp_path, monkeypatch):
    def download(url, folder, filename, md5):
        Path(folder, filename).write_bytes(b"PK half of an archive")

    monkeypatch.setattr("tonic.download_utils.download_url", download)
    with pytest.raises(DataError, match="Train.zip: is not a zip archive"):
        files.fetch("nmnist", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../Train/1/00001.bin", "/etc/Train", "Train/../../x", "..\\x", "C:\\x"])
def test_an_archive_that_would_write_outside_its_folder_is_refused_as_a_whole(tmp_path, name):
    (tmp_path / "in").mkdir()
    made = archive(tmp_path / "bad.zip", {"Train/1/00001.bin": RECORDING, name: RECORDING})
    with pytest.raises(DataError, match="would be written outside the folder. Nothing was unpacked"):
        files.extract(made, "Train", tmp_path / "in", 1)
    assert list((tmp_path / "in").iterdir()) == []


def test_an_archive_with_too_few_recordings_or_a_damaged_member_is_refused(tmp_path):
    made = archive(tmp_path / "few.zip", {"Train/1/00001.bin": RECORDING, "Train/readme.txt": b""})
    with pytest.raises(DataError, match="contains 1 recordings, expected 2"):
        files.extract(made, "Train", tmp_path, 2)
    raw = made.read_bytes()
    made.write_bytes(raw.replace(RECORDING, RECORDING[::-1]))
    with pytest.raises(DataError, match="could not be unpacked"):
        files.extract(made, "Train", tmp_path, 1)
