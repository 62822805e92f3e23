import gzip
import os
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.data.dataset import DataError
from neurobench.data.files import BUNDLED, MNIST_RAW
from neurobench.data.mnist import checked_root
from neurobench.data.specs import MNIST, TRAIN_COUNTS
from tests.specs import spec


def plain_images(part: str) -> np.ndarray:
    """Images, (N, 28, 28) uint8, read from the packed file by the format's description."""
    raw = gzip.decompress((BUNDLED / f"mnist/{part}-images-idx3-ubyte.gz").read_bytes())
    magic, n, rows, columns = struct.unpack(">IIII", raw[:16])
    assert magic == 2051
    return np.frombuffer(raw, np.uint8, offset=16).reshape(n, rows, columns)


def plain_labels(part: str) -> np.ndarray:
    raw = gzip.decompress((BUNDLED / f"mnist/{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=8)


@pytest.fixture(scope="module")
def splits():
    return spec("dataset/mnist").load(seed=0)


@pytest.fixture
def raw_root(tmp_path):
    """A user's root folder with the four unpacked files."""
    with checked_root(None) as cache:
        shutil.copytree(cache / "MNIST", tmp_path / "MNIST")
    return tmp_path


def test_samples_are_the_official_ones_in_file_order(splits):
    for split, part in ((splits.train, "train"), (splits.validation, "train"), (splits.test, "t10k")):
        pixels = plain_images(part)[split.ids.numpy()]
        assert np.array_equal((split.x.squeeze(1) * 255).round().to(torch.uint8).numpy(), pixels)
        assert np.array_equal(split.y.numpy(), plain_labels(part)[split.ids.numpy()])
        assert (split.ids.diff() > 0).all()
        assert (split.x.dtype, split.x.shape[1:], split.y.dtype) == (torch.float32, (1, 28, 28), torch.int64)
        assert (split.x.min(), split.x.max()) == (0, 1)


def test_training_and_validation_sets_partition_the_official_one_and_the_test_set_is_whole(splits):
    together = torch.cat([splits.train.ids, splits.validation.ids]).sort().values
    assert torch.equal(together, torch.arange(60_000))
    assert len(splits.validation) == 5000
    assert torch.equal(splits.test.ids, torch.arange(10_000))
    assert (splits.source, splits.evaluated_on, splits.emulated) == ("bundled", "the official test set", False)


def test_class_counts_are_the_official_ones(splits):
    assert tuple(np.bincount(plain_labels("train"))) == TRAIN_COUNTS
    assert splits.test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_seed_decides_which_samples_are_held_out():
    one, again, other = (spec("dataset/mnist", digits=(0, 1)).load(seed) for seed in (3, 3, 4))
    assert torch.equal(one.validation.ids, again.validation.ids)
    assert not torch.equal(one.validation.ids, other.validation.ids)
    smaller = spec("dataset/mnist", digits=(0, 1), validation=100).load(3)
    assert torch.isin(smaller.validation.ids, one.validation.ids).all()


def test_only_the_chosen_digits_are_loaded_and_renumbered_in_the_given_order():
    chosen = spec("dataset/mnist", digits=[7, 3], validation=0)
    splits = chosen.load(0)
    digit = torch.tensor([7, 3])
    assert chosen.n_classes == 2
    assert len(splits.validation) == 0
    assert len(splits.train) == TRAIN_COUNTS[7] + TRAIN_COUNTS[3]
    for split, part in ((splits.train, "train"), (splits.test, "t10k")):
        assert np.array_equal(digit[split.y].numpy(), plain_labels(part)[split.ids.numpy()])
    assert splits.evaluated_on == "the 2038 official test images of digits 7, 3"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"digits": (0, 10)}, r"digits=\[0, 10\] is not in \[0, 9\]"),
        ({"digits": "01"}, "digits='01' is not a list, each an integer"),
        ({"digits": (4,)}, "fewer than two classes"),
        ({"digits": (4, 4)}, "names a class twice"),
        ({"validation": -1}, "validation=-1 is not at least 0"),
        ({"digits": (0, 1), "validation": 12_665}, "validation=12665 is not below 12665"),
        ({"validation": True}, "validation=true is not an integer"),
    ],
)
def test_a_bad_value_is_refused_before_a_file_is_read(fields, sentence):
    with pytest.raises(BoundsError, match=sentence):
        spec("dataset/mnist", **fields)


def test_a_root_with_unpacked_files_is_read_in_place(raw_root, splits):
    read = spec("dataset/mnist", digits=(0, 1), root=str(raw_root)).load(0)
    assert (read.source, read.sha256) == (str(raw_root), splits.sha256)


def test_a_root_with_packed_files_is_read(tmp_path, splits):
    (tmp_path / "MNIST/raw").mkdir(parents=True)
    for packed in (BUNDLED / "mnist").iterdir():
        shutil.copy(packed, tmp_path / "MNIST/raw")
    assert spec("dataset/mnist", digits=(0, 1), root=str(tmp_path)).load(0).sha256 == splits.sha256


def test_an_altered_file_of_a_root_is_refused(raw_root):
    labels = raw_root / MNIST_RAW[3].name
    content = bytearray(labels.read_bytes())
    content[-1] ^= 1
    labels.write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: found sha256 \w+, expected sha256 ff7b.* not used"):
        spec("dataset/mnist", root=str(raw_root)).load(0)


def test_a_root_without_files_is_refused_with_the_missing_file_and_the_remedy(tmp_path, splits):
    # `splits` filled the cache: its copies must not replace the root's files.
    with pytest.raises(DataError, match=r"raw/train-images-idx3-ubyte: is missing, .* data fetch mnist"):
        spec("dataset/mnist", root=str(tmp_path)).load(0)


def test_torchvisions_old_processed_files_are_not_read_in_place_of_the_checked_ones(raw_root):
    (raw_root / "MNIST/processed").mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(9, 28, 28, dtype=torch.uint8), torch.zeros(9)), raw_root / "MNIST/processed" / name)
    assert len(spec("dataset/mnist", digits=(0, 1), root=str(raw_root)).load(0).test) == 2115


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw[:-1] + b"\xff", lambda raw: b""])
def test_a_damaged_copy_in_the_cache_is_made_anew_and_never_used(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path))
    with checked_root(None) as root:
        intact = {raw.name: (root / raw.name).read_bytes() for raw in MNIST_RAW}
    (tmp_path / MNIST_RAW[2].name).write_bytes(damage(intact[MNIST_RAW[2].name]))
    with checked_root(None) as root:
        assert all((root / name).read_bytes() == content for name, content in intact.items())


def test_processes_that_unpack_at_once_all_see_whole_files_and_leave_nothing_behind(tmp_path):
    program = (
        "import sys; from neurobench.data.mnist import checked_root\n"
        "sys.stdin.readline()\n"
        "with checked_root(None) as root: pass\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            env={**os.environ, "NEUROBENCH_DATA": str(tmp_path)},
        )
        for _ in range(3)
    ]
    for process in processes:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {raw.name for raw in MNIST_RAW}


def test_a_configured_cache_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match="file: cannot be written. Set NEUROBENCH_DATA"), checked_root(None):
        pass


def test_a_configured_cache_folder_that_contains_the_files_may_be_read_only(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROBENCH_DATA", str(tmp_path))
    with checked_root(None):
        pass
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    with checked_root(None) as root:
        assert root == tmp_path
    (tmp_path / MNIST_RAW[0].name).unlink()
    with pytest.raises(DataError, match="cannot be written. Set NEUROBENCH_DATA"), checked_root(None):
        pass


def test_a_temporary_folder_is_used_if_the_default_cache_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.delenv("NEUROBENCH_DATA")
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "file" / name))
    with checked_root(None) as root:
        assert (root / MNIST_RAW[0].name).stat().st_size == MNIST_RAW[0].size
    assert not root.exists()


def test_train_per_class_takes_the_first_of_each_class_and_validation_comes_from_the_rest():
    splits = spec("dataset/mnist", digits=(1, 0), validation=50, train_per_class=30).load(0)
    labels = plain_labels("train")
    wanted = np.sort(np.concatenate([np.flatnonzero(labels == digit)[:30] for digit in (0, 1)]))
    assert np.array_equal(splits.train.ids.numpy(), wanted)
    assert len(splits.validation) == 50
    assert not torch.isin(splits.validation.ids, splits.train.ids).any()
    assert len(splits.test) == 2115


@pytest.mark.parametrize(("bug", "per_class"), [(False, 20), (True, 30)])
def test_test_as_validation_validates_on_the_first_test_samples_of_each_class(bug, per_class):
    asked = MNIST(
        digits=(0, 1), validation=0, train_per_class=30, test_as_validation=True, test_per_class=20, test_slice_bug=bug
    )
    splits = asked.load(0)
    labels = plain_labels("t10k")
    wanted = np.sort(np.concatenate([np.flatnonzero(labels == digit)[:per_class] for digit in (0, 1)]))
    assert np.array_equal(splits.validation.ids.numpy(), wanted)
    assert len(splits.test) == 2115


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"train_per_class": 5422}, "train_per_class=5422 is more than the 5421 images of digit 5"),
        ({"train_per_class": 0}, "train_per_class=0 is not"),
        ({"test_per_class": 893}, "test_per_class=893 is more than the 892 images of digit 5"),
        ({"test_as_validation": True}, "validation=5000 with test_as_validation=true; set validation=0"),
        ({"test_slice_bug": True}, "test_slice_bug=True takes train_per_class"),
        ({"train_per_class": 5421, "validation": 5790}, "validation=5790 is not below 5790"),
    ],
)
def test_subset_settings_that_exceed_the_data_or_conflict_are_refused(fields, sentence):
    with pytest.raises(BoundsError, match=sentence):
        spec("dataset/mnist", **fields)
