"""Data sets of tonic, in the folders and files that its classes read: the samples loaded are those written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from neurobench.data.dataset import DataError
from neurobench.data.nmnist import Recording, encode
from tests.data.test_custom import loaded

pytest.importorskip("tonic")
PARTS = {"train": 0, "test": 1}


class Written(NamedTuple):
    label: int
    t: np.ndarray  # us
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray


def drawn(label: int, seed: int, sensor: tuple[int, int], unit: int = 1) -> Written:
    random = np.random.default_rng(seed)
    rows, columns = sensor
    t = np.sort(random.integers(0, 200_000 // unit, 30)) * unit
    return Written(label, t, random.integers(0, columns, 30), random.integers(0, rows, 30), random.integers(0, 2, 30))


def gestures(root: Path) -> dict[str, list[Written]]:
    """Write DVSGesture/ibmGestureTrain/userNN_LIGHT/LABEL.npy, (N, 4) x, y, p, t in ms."""
    written: dict[str, list[Written]] = {}
    for part, base in PARTS.items():
        for k in range(22):
            one = drawn(k % 11, 2 * k + base, (128, 128), unit=1000)
            folder = root / "DVSGesture" / f"ibmGesture{part.title()}" / f"user{k // 11 + 1:02}_fluorescent_led"
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{one.label}.npy", np.stack([one.x, one.y, one.p, one.t // 1000], 1).astype(np.int64))
            written.setdefault(part, []).append(one)
    return written


def pips(root: Path) -> dict[str, list[Written]]:
    """Write POKERDVS/pips_train/SUIT/NAME.npy, (N, 4) t, x, y, p."""
    written: dict[str, list[Written]] = {}
    for part, base in PARTS.items():
        for k in range(20):
            one = drawn(k % 4, 2 * k + base, (35, 35))
            folder = root / "POKERDVS" / f"pips_{part}" / ("cl", "he", "di", "sp")[one.label]
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / f"{k:02}.npy", np.stack(one[1:], 1))
            written.setdefault(part, []).append(one)
    return written


def digits(root: Path) -> dict[str, list[Written]]:
    """Write NMNIST/Train/DIGIT/NAME.bin."""
    written: dict[str, list[Written]] = {}
    for part, base in PARTS.items():
        for k in range(20):
            one = drawn(k % 10, 2 * k + base, (34, 34))
            folder = root / "NMNIST" / part.title() / str(one.label)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{k:05}.bin").write_bytes(encode(Recording(*one[1:])))
            written.setdefault(part, []).append(one)
    return written


def words_spoken(root: Path) -> dict[str, list[Written]]:
    """Write SSC/ssc_train.h5: spikes/times in s and spikes/units of 700 channels, labels."""
    h5py = pytest.importorskip("h5py")
    (root / "SSC").mkdir()
    written: dict[str, list[Written]] = {}
    for part, base in PARTS.items():
        written[part] = [drawn(k % 35, 2 * k + base, (1, 700)) for k in range(70)]
        with h5py.File(root / "SSC" / f"ssc_{part}.h5", "w") as file:
            times = file.create_dataset("spikes/times", (70,), h5py.vlen_dtype(np.float32))
            units = file.create_dataset("spikes/units", (70,), h5py.vlen_dtype(np.uint16))
            for k, one in enumerate(written[part]):
                times[k], units[k] = one.t / 1e6, one.x
            file["labels"], file["extra/speaker"] = [one.label for one in written[part]], np.zeros(70, np.int64)
            file["extra/keys"] = np.array([b"zero"])
    return written


SETS = [("DVSGesture", gestures, 1), ("POKERDVS", pips, 1), ("NMNIST", digits, 1), ("SSC", words_spoken, 3)]


@pytest.mark.parametrize(("name", "write", "pool"), SETS, ids=[name for name, *_ in SETS])
def test_a_tonic_data_set_contains_the_samples_of_its_files(
    name: str, write: Callable[[Path], Any], pool: int, tmp_path: Path
) -> None:
    written = write(tmp_path)
    words = (f"dataset.set={name}", f"dataset.root={tmp_path}", f"dataset.pool={pool}", "dataset.validation=0")
    splits = loaded("dataset=tonic", *words)
    for part, split in (("train", splits.train), ("test", splits.test)):
        read = sorted(_sample(split.x[k : k + 1], label) for k, label in enumerate(split.y.tolist()))  # type: ignore[index]
        assert read == sorted(_wanted(one, pool, name) for one in written[part])
    assert len(splits.sha256) == 64
    assert splits.bytes_read == sum(file.stat().st_size for file in (tmp_path / name).rglob("*") if file.is_file())


def _sample(x: Any, label: int) -> tuple[Any, ...]:
    return (label, *(getattr(x, field).tolist() for field in "txyp"))


def _wanted(one: Written, pool: int, name: str) -> tuple[Any, ...]:
    t = one.t - one.t[0]
    if name == "SSC":  # float32 seconds, one row, no polarity
        seconds = (one.t / 1e6).astype(np.float32).astype(np.float64) * 1e6
        t = np.trunc(seconds).astype(np.int64)
        return (one.label, (t - t[0]).tolist(), (one.x // pool).tolist(), [0] * 30, [1] * 30)
    return (one.label, t.tolist(), (one.x // pool).tolist(), (one.y // pool).tolist(), one.p.tolist())


def test_samples_are_sorted_by_the_paths_of_their_files(tmp_path: Path) -> None:
    """The file system's order does not matter: sample k is the same on every machine."""
    written = gestures(tmp_path)["test"]
    words = ("dataset.set=DVSGesture", f"dataset.root={tmp_path}", "dataset.validation=0")
    names = [f"{one.label}.npy" for one in written]
    order = sorted(range(22), key=lambda k: (k // 11, names[k]))
    assert loaded("dataset=tonic", *words).test.y.tolist() == [written[k].label for k in order]


@pytest.mark.parametrize(
    ("damaged", "sentence"),
    [
        (np.zeros((0, 4), np.int64), "POKERDVS, train recording 0: has no event"),
        (np.array([[9, 1, 1, 0], [5, 1, 1, 0]]), "POKERDVS, train recording 0: event 1 is at 5, after one at 9; sort"),
    ],
)
def test_a_recording_without_events_or_out_of_order_is_refused(
    damaged: np.ndarray, sentence: str, tmp_path: Path
) -> None:
    pips(tmp_path)
    np.save(tmp_path / "POKERDVS/pips_train/cl/00.npy", damaged)
    with pytest.raises(DataError, match=sentence):
        loaded("dataset=tonic", "dataset.set=POKERDVS", f"dataset.root={tmp_path}")
