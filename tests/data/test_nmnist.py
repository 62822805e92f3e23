import shutil
import zipfile

import numpy as np
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.data import files, nmnist
from neurobench.data.dataset import DataError
from tests.data.test_aer import encode
from tests.specs import spec

BUNDLED = {split: files.BUNDLED / f"nmnist_1k/{split}.zip" for split in ("Train", "Test")}


@pytest.fixture(scope="module")
def splits():
    return spec("dataset/nmnist").load(seed=0)


@pytest.fixture
def root(tmp_path):
    """The first 20 training and 5 test recordings, laid out as tonic leaves the full set."""
    for split, n in (("Train", 20), ("Test", 5)):
        with zipfile.ZipFile(BUNDLED[split]) as archive:
            archive.extractall(tmp_path / "NMNIST", sorted(archive.namelist(), key=lambda name: name[-9:])[:n])
    return tmp_path


def recording(root, split, number):
    return next((root / "NMNIST" / split).glob(f"*/{number:05d}.bin"))


def test_the_bundled_recordings_have_the_known_lengths_times_and_class_counts(splits):
    every = (splits.train.x, splits.validation.x, splits.test.x)
    lengths = torch.cat([events.start.diff() for events in every])
    assert (len(lengths), lengths.min(), lengths.max()) == (1100, 1069, 7152)
    assert round(lengths.double().mean().item()) == 4108
    assert max(events.t.max() for events in every) == 336_040
    assert max(max(events.x.max(), events.y.max()) for events in every) == 33
    assert splits.test.y.bincount().tolist() == [8, 14, 8, 11, 14, 7, 10, 15, 2, 11]
    assert splits.test.x.sensor == spec("dataset/nmnist").shape == (2, 34, 34)
    assert splits.evaluated_on == "the first 100 of the 10,000 official test recordings"


def test_recording_k_has_the_label_of_mnist_image_k(splits):
    images = spec("dataset/mnist", validation=0).load(0)
    for events, shown in ((splits.train, images.train), (splits.validation, images.train), (splits.test, images.test)):
        assert torch.equal(events.y, shown.y[events.ids])


def test_events_fall_where_the_edges_of_the_paired_image_are(splits):
    """Labels alone would not prove it: of all hundred images, a recording resembles its own most, without rotation."""
    counts = torch.zeros(100, 34, 34)
    for k in range(100):
        own = splits.test.x[k : k + 1]
        counts[k].index_put_((own.y.long(), own.x.long()), torch.tensor(1.0), accumulate=True)
    images = torch.nn.functional.pad(spec("dataset/mnist", validation=0).load(0).test.x[:100], (3, 3, 3, 3))
    edges = sum((images.roll(1, axis) - images.roll(-1, axis)).abs() for axis in (2, 3))
    for _ in range(2):
        edges = torch.nn.functional.avg_pool2d(edges, 3, stride=1, padding=1)  # the camera moves by some pixels
    likeness = torch.corrcoef(torch.cat([counts.flatten(1), edges.flatten(1)]))[:100, 100:]
    assert (likeness.argmax(1) == torch.arange(100)).sum() >= 95


def test_splits_partition_the_training_recordings_and_depend_on_the_seed(splits):
    together = torch.cat([splits.train.ids, splits.validation.ids]).sort().values
    assert torch.equal(together, torch.arange(1000))
    assert torch.equal(splits.test.ids, torch.arange(100))
    assert len(splits.validation) == 100
    again, other = spec("dataset/nmnist").load(0), spec("dataset/nmnist", validation=50).load(1)
    assert torch.equal(again.validation.ids, splits.validation.ids)
    assert torch.equal(again.train.x.t, splits.train.x.t)
    assert len(other.validation) == 50
    assert not torch.isin(other.validation.ids, splits.validation.ids).all()
    assert other.sha256 == splits.sha256


def test_a_root_read_by_tonic_gives_the_events_that_the_bundled_reader_gives(root, splits, monkeypatch):
    monkeypatch.setattr("tonic.download_utils.download_url", lambda *args: pytest.fail("tonic must not download"))
    read = spec("dataset/nmnist", root=str(root), validation=4).load(0)
    assert (len(read.train), len(read.validation), len(read.test)) == (16, 4, 5)
    assert (read.source, read.evaluated_on) == (str(root), "the first 5 of the 10,000 official test recordings")
    bundled = spec("dataset/nmnist", validation=0).load(0)
    for ours, theirs in ((read.train, bundled.train), (read.validation, bundled.train), (read.test, bundled.test)):
        expected = theirs.batch(ours.ids)
        assert torch.equal(ours.y, expected.y)
        for field in ("t", "x", "y", "p", "start"):
            got, want = getattr(ours.x, field), getattr(expected.x, field)
            assert got.dtype == want.dtype
            assert torch.equal(got, want)


def test_a_changed_byte_changes_the_recorded_hash(root):
    before = spec("dataset/nmnist", root=str(root)).load(0).sha256
    path = recording(root, "Test", 1)
    raw = bytearray(path.read_bytes())
    raw[2] ^= 0x80  # a polarity
    path.write_bytes(raw)
    assert spec("dataset/nmnist", root=str(root)).load(0).sha256 != before


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "is empty"),
        (encode(0, 1, 1, 0)[:4], "ends within an event that starts at byte 0"),
        (encode(0, 1, 1, 0) + encode(1, 40, 1, 0), "at byte 5: x=40 is outside"),
        (encode(0, 1, 1, 0) + encode(1, 1, 240, 0), "at byte 5: y=240 is outside"),  # tonic drops it silently
        (encode(7, 1, 1, 0) + encode(6, 1, 1, 0), "at byte 5: time 6 us comes after 7 us"),
    ],
)
def test_a_damaged_recording_of_a_root_is_refused_with_its_path_and_offset(root, raw, sentence):
    path = recording(root, "Train", 3)
    path.write_bytes(raw)
    with pytest.raises(DataError, match=f"^{path}: .*{sentence}"):
        spec("dataset/nmnist", root=str(root)).load(0)


@pytest.mark.parametrize(
    ("stray", "sentence"),
    [
        ("Train/12/00001.bin", "not named like a recording"),  # tonic would call it a 2
        ("Train/x/00001.bin", "not named like a recording"),
        ("Train/1/1.bin", "not named like a recording"),
        ("Train/1/00000.bin", "numbered 1 to 60000"),
        ("Test/1/10001.bin", "numbered 1 to 10000"),
        ("Train/8/00001.bin", "carry the same number"),
    ],
)
def test_a_misplaced_recording_is_refused(root, stray, sentence):
    target = root / "NMNIST" / stray
    target.parent.mkdir(exist_ok=True)
    shutil.copy(recording(root, "Train", 1), target)
    with pytest.raises(DataError, match=sentence):
        spec("dataset/nmnist", root=str(root)).load(0)


def test_an_empty_root_is_refused_with_the_missing_folder_and_the_remedy(tmp_path):
    with pytest.raises(DataError, match=r"NMNIST/Train: contains no recordings .* data fetch nmnist"):
        spec("dataset/nmnist", root=str(tmp_path)).load(0)


def test_holding_out_everything_is_refused(root):
    with pytest.raises(BoundsError, match="validation=1000 is not below 1000"):
        spec("dataset/nmnist", validation=1000)
    with pytest.raises(DataError, match="validation=20 of 20 training samples leaves none"):
        spec("dataset/nmnist", root=str(root), validation=20).load(0)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: b"\0" + raw[1:], lambda raw: raw + b"\0"])
def test_an_altered_archive_is_refused(tmp_path, monkeypatch, damage):
    (tmp_path / "nmnist_1k").mkdir()
    for split, archive in BUNDLED.items():
        raw = archive.read_bytes()
        (tmp_path / "nmnist_1k" / archive.name).write_bytes(damage(raw) if split == "Test" else raw)
    monkeypatch.setattr(nmnist, "BUNDLED", tmp_path)
    with pytest.raises(DataError, match=r"Test\.zip: found .* expected .* not used\. Reinstall"):
        spec("dataset/nmnist").load(0)


def test_limiting_a_split_leaves_recordings_whole(splits):
    limited = splits.limited(train=7, test=3)
    assert (len(limited.train), len(limited.validation), len(limited.test)) == (7, 7, 3)
    assert limited.evaluated_on.startswith("the first 3 samples of the first 100")
    assert np.array_equal(limited.test.x.t, splits.test.x.t[: splits.test.x.start[3]])
