"""User-defined data train models from end to end, and files in published formats are read by third-party readers."""

import json
import os
import struct
import tempfile
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from neurobench.api.run import load, run
from neurobench.cli.main import main
from neurobench.config.errors import ConfigError, UserError
from neurobench.data.dataset import DataError
from tests.data.test_custom import X, Y, loaded, pictures, plan, recording, recordings, table


def fashion(root: Path, n: int = 40, labels: int | None = None) -> Path:
    """Write files in Fashion-MNIST's format, which have MNIST's names."""
    root.mkdir(parents=True)
    for part, seed in (("train", 0), ("t10k", 1)):
        images = np.random.default_rng(seed).integers(0, 256, (n, 28, 28), np.uint8)
        classes = (np.arange(labels or n) % 10).astype(np.uint8)
        (root / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 2051, n, 28, 28) + images.tobytes())
        (root / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, len(classes)) + classes.tobytes())
    return root


def own(kind: str, root: Path) -> list[str]:
    if kind == "csv":
        digits = load_digits()
        path = table(root / "digits.csv", digits.data[:200].astype(int), digits.target[:200])
        return ["dataset=csv", f"dataset.root={path}", "dataset.label=kind"]
    if kind == "torchvision":
        fashion(root / "FashionMNIST" / "raw")
        return ["dataset=torchvision", "dataset.set=FashionMNIST", f"dataset.root={root}"]
    make = pictures if kind == "image_folder" else recordings
    return [f"dataset={kind}", f"dataset.root={make(root / 'two words', 20)}"]


RUNS = [
    ("csv", ["qrbm"], 10),
    ("csv", ["hxtorch_mlp", "backend=mock"], 10),
    ("csv", ["mlp"], 10),
    ("image_folder", ["hybrid_qcnn"], 2),
    ("image_folder", ["mlp"], 2),
    ("image_folder", ["hxtorch_mlp"], 2),
    ("events_folder", ["slayer_snn"], 2),
    ("events_folder", ["eprop_rsnn"], 2),
    ("events_folder", ["mlp"], 2),
    ("torchvision", ["qrbm"], 10),
    ("torchvision", ["hxtorch_mlp"], 10),
    ("torchvision", ["mlp"], 10),
]


@pytest.mark.parametrize(("kind", "model", "n_classes"), RUNS, ids=[f"{k}-{m[0]}" for k, m, _ in RUNS])
def test_a_user_defined_data_set_trains_and_tests_a_model(
    kind: str, model: Sequence[str], n_classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        f"model={model[0]}",
        *model[1:],
        *own(kind, tmp_path),
        "scale=smoke",
        "scale.train=60",
        "scale.test=20",
        "threads=1",
    ]
    with warnings.catch_warnings(action="ignore"):
        assert main(["run", *words]) == 0
    (stored,) = (tmp_path / "outputs").rglob("result.json")
    result = json.loads(stored.read_text())
    assert 0 <= result["metrics"]["test_accuracy"] <= 1
    assert len(result["data"]["sha256"]) == 64
    assert n_classes == plan(*words).task.n_classes


def test_slayer_refuses_more_than_65535_inputs_and_names_their_number(tmp_path: Path) -> None:
    root = recordings(tmp_path / "wide")
    with pytest.raises(ConfigError, match=r"at most 65535 inputs; recordings of \(2, 200, 200\) have 80000"):
        plan("model=slayer_snn", "dataset=events_folder", f"dataset.root={root}", "dataset.sensor=[200,200]")


def test_a_torchvision_data_set_with_fewer_labels_than_images_is_refused(tmp_path: Path) -> None:
    fashion(tmp_path / "FashionMNIST" / "raw", 40, labels=30)
    with pytest.raises(DataError, match="FashionMNIST has 40 training images and 30 labels"):
        loaded("dataset=torchvision", f"dataset.root={tmp_path}")


@pytest.mark.parametrize("magic", [0x5503, 0x0D03, 0x0805])  # no type, floats, five axes: torchvision raises others
def test_a_torchvision_file_of_another_kind_is_refused_with_its_data_set(magic: int, tmp_path: Path) -> None:
    fashion(tmp_path / "FashionMNIST" / "raw", 40)
    file = tmp_path / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(magic.to_bytes(4, "big") + file.read_bytes()[4:])
    with pytest.raises(DataError, match="FashionMNIST cannot be read"):
        loaded("dataset=torchvision", f"dataset.root={tmp_path}")


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        ("1,,3,4,5,0", "line 1, column 1 is missing"),
        ("1,nan,3,4,5,0", "line 1, column 1 is missing"),
    ],
)
def test_a_first_sample_with_a_missing_number_is_not_taken_for_column_names(
    first: str, sentence: str, tmp_path: Path
) -> None:
    path = table(tmp_path / "t.csv", names=False)
    path.write_text(f"{first}\n{path.read_text()}")
    with pytest.raises(ConfigError, match=sentence):
        plan("model=mlp", "dataset=csv", f"dataset.root={path}")


@pytest.mark.parametrize("first", ["0,1,2,3,4,5", "0,1,2,3,4,kind", "2010,2011,2012,2013,mean,kind"])
def test_a_first_line_with_numbers_and_names_is_taken_for_column_names_with_a_warning(
    first: str, tmp_path: Path
) -> None:
    path = table(tmp_path / "t.csv", names=False)
    path.write_text(f"{first}\n{path.read_text()}")
    with pytest.warns(UserWarning, match="though column 0 reads"):
        splits = loaded("dataset=csv", f"dataset.root={path}")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == len(X)
    assert splits.classes == ("0", "1", "2", "3")


def test_a_number_in_pythons_underscore_notation_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    path.write_text(f"{path.read_text()}1_0,2,3,4,5,0\n")
    with pytest.raises(ConfigError, match="line 42, column c0 is '1_0', not a number"):
        plan("model=mlp", "dataset=csv", f"dataset.root={path}")


def words_of_40_bits(events: np.ndarray) -> bytes:
    """Events as those of N-MNIST and N-Caltech101: column, row, polarity above 23 bits of microseconds."""
    fields = zip(*(events[name].tolist() for name in "txyp"), strict=True)
    return b"".join(bytes([x, y]) + (p << 23 | t).to_bytes(3, "big") for t, x, y, p in fields)


def evt2(events: np.ndarray) -> bytes:
    """Events in EVT 2.0, by Prophesee's manual: the upper bits of the time are in separate words."""
    t, x, y, p = (events[name].astype(np.int64) for name in "txyp")
    words, high = [], -1
    for at, event in zip(t.tolist(), (p << 28 | (t & 63) << 22 | x << 11 | y).tolist(), strict=True):
        if at >> 6 != high:
            high = at >> 6
            words.append(8 << 28 | high)
        words.append(event)
    return b"% evt 2.0\n% end\n" + np.array(words, "<u4").tobytes()


def evt3(events: np.ndarray) -> bytes:
    """Events in EVT 3.0, by Prophesee's manual: words of 16 bits; each half of the time and the row only if changed."""
    words, last = [], {"high": -1, "low": -1, "row": -1}
    for t, x, y, p in zip(*(events[name].tolist() for name in "txyp"), strict=True):
        parts = {"high": 8 << 12 | t >> 12 & 4095, "low": 6 << 12 | t & 4095, "row": y}
        words += [word for part, word in parts.items() if word != last[part]]
        words.append(2 << 12 | p << 11 | x)
        last = parts
    return b"% evt 3.0\n% end\n" + np.array(words, "<u2").tobytes()


def aedat4(events: np.ndarray) -> bytes:
    """Events written by faery; `aedat`, another reader, has to find the same events in the file."""
    faery = pytest.importorskip("faery")
    stored = np.zeros(len(events), faery.EVENTS_DTYPE)
    for name, field in zip(stored.dtype.names, "txyp", strict=True):
        stored[name] = events[field]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "0.aedat4"
        faery.events_stream_from_array(stored, (128, 128)).to_file(file)
        if find_spec("aedat"):
            packets = import_module("aedat").Decoder(file)
            assert np.concatenate([packet["events"] for packet in packets]).tolist() == stored.tolist()
        return file.read_bytes()


def dat(events: np.ndarray) -> bytes:
    """Events in DAT, by Prophesee's manual, with type 0 and 8 bytes each."""
    t, x, y, p = (events[name].astype(np.int64) for name in "txyp")
    body = np.stack([t, p << 28 | y << 14 | x], 1).astype("<u4").tobytes()
    return b"% Version 2\n% Width 12\n% Height 12\n" + bytes([0, 8]) + body


def aedat2(events: np.ndarray) -> bytes:
    """Events with jAER's addresses of a DVS128: x from the right, bit 0 set for OFF, bit 15 for events of no pixel."""
    t, x, y, p = (events[name].astype(np.int64) for name in "txyp")
    body = np.stack([y << 8 | (127 - x) << 1 | (1 - p), t], 1).astype(">u4").tobytes()
    external = np.array([0x8000, t[-1]], ">u4").tobytes()
    return b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n" + body + external


def aedat3(events: np.ndarray) -> bytes:
    """Two packets of polarity events, encoded by the specification of AEDAT 3.1, between those of other kinds (a
    signal, motion) as cameras record them; one event is marked as not valid. The time overflows between the two."""
    signal = struct.pack("<2H6I2I", 0, 1, 8, 4, 0, 1, 1, 1, 1 << 1 | 1, 0)
    motion = struct.pack("<2H6I9I", 3, 1, 36, 4, 0, 1, 1, 1, 1, 7, *[0] * 7)
    packets, late = signal, events["t"] >= events["t"][len(events) // 2]
    for overflows, part in enumerate((events[~late], events[late])):
        t, x, y, p = (part[name].astype(np.int64) for name in "txyp")
        n, t = len(part), t + 2**31 - int(events["t"][late][0]) & 2**31 - 1
        words = np.stack([x << 17 | y << 2 | p << 1 | 1, t], 1)
        invalid = words[:1] & [~1, -1]
        packets += struct.pack("<2H6I", 1, 1, 8, 4, overflows, n + 1, n + 1, n)
        packets += np.concatenate([invalid, words]).astype("<u4").tobytes() + motion
    return b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n" + packets


def davis2(events: np.ndarray) -> bytes:
    """Events with jAER's addresses of a DAVIS240: 32 bits, the row from bit 22, the column from bit 12."""
    t, x, y, p = (events[name].astype(np.int64) for name in "txyp")
    return b"#!AER-DAT2.0\r\n" + np.stack([y << 22 | x << 12 | p << 11, t], 1).astype(">u4").tobytes()


FORMATS = [
    ("1.bin", words_of_40_bits),
    ("0.raw", evt2),
    ("03.raw", evt3),
    ("0.dat", dat),
    ("2.aedat", aedat2),
    ("3.aedat", aedat3),
    ("4.aedat4", aedat4),
]


@pytest.mark.parametrize(("name", "write"), FORMATS, ids=[write.__name__ for _, write in FORMATS])
def test_recordings_in_camera_formats_are_read_as_the_events_written(
    name: str, write: Callable[[np.ndarray], bytes], tmp_path: Path
) -> None:
    if name.startswith("0"):
        pytest.importorskip("faery" if name.endswith(".raw") else "expelliarmus")
    for k in range(8):
        folder = tmp_path / "ab"[k % 2]
        folder.mkdir(exist_ok=True)
        events = recording(seed=k)
        events["t"] += 1000
        events["x"] *= 11  # up to 121
        (folder / f"{k}{name}").write_bytes(write(events))
    splits = loaded("dataset=events_folder", f"dataset.root={tmp_path}", "dataset.validation=0")
    order = [*range(0, 8, 2), *range(1, 8, 2)]
    for place, k in enumerate(splits.train.ids.tolist()):
        one, wanted = splits.train.x[place : place + 1], recording(seed=order[k])
        assert one.t.tolist() == (wanted["t"] - wanted["t"][0]).tolist()  # type: ignore[union-attr]
        for field in "xyp":
            assert getattr(one, field).tolist() == (wanted[field] * (11 if field == "x" else 1)).tolist()


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (davis2(recording()), "more than 16 bits, as of a DAVIS"),
        (b"#!AER-DAT3.0\r\n" + aedat3(recording())[14:], "AEDAT 3;"),
        (aedat3(recording())[:-1], "truncated"),
        (b"#!AER-DAT3.1\r\n#!END-HEADER\r\n" + struct.pack("<2H6i", 1, 1, 28, 4, 0, 1, -1, -1), "damaged"),
        (aedat3(recording()).replace(struct.pack("<2H", 1, 1), struct.pack("<2H", 0x8001, 1), 1), "compressed"),
    ],
    ids=["davis", "3.0", "truncated", "damaged", "compressed"],
)
def test_aedat_files_that_would_be_misread_are_refused(written: bytes, reason: str, tmp_path: Path) -> None:
    root = recordings(tmp_path / "e")
    (root / "left" / "9.aedat").write_bytes(written)
    with pytest.raises(ConfigError, match=reason):
        loaded("dataset=events_folder", f"dataset.root={root}")


@pytest.mark.parametrize("head", [b"% evt 2.1\n% end\n", b"", b"garbage"])
def test_raw_files_of_an_unknown_encoding_are_refused(head: bytes, tmp_path: Path) -> None:
    pytest.importorskip("faery")
    root = recordings(tmp_path / "e")
    (root / "left" / "9.raw").write_bytes(head + bytes(64))
    with pytest.raises(ConfigError, match="declares neither EVT 2 nor EVT 3"):
        loaded("dataset=events_folder", f"dataset.root={root}")


def test_spoken_digits_are_read_by_tonic_from_local_files(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("tonic")
    (tmp_path / "SHD").mkdir()
    units = {}
    for part, seed in (("train", 0), ("test", 1)):
        random = np.random.default_rng(seed)
        units[part] = random.integers(0, 700, (40, 30)).astype(np.uint16)
        with h5py.File(tmp_path / "SHD" / f"shd_{part}.h5", "w") as file:
            times = file.create_dataset("spikes/times", (40,), h5py.vlen_dtype(np.float32))
            stored = file.create_dataset("spikes/units", (40,), h5py.vlen_dtype(np.uint16))
            for k in range(40):
                times[k], stored[k] = np.sort(random.random(30, np.float32)) / 4, units[part][k]
            file["labels"], file["extra/speaker"] = np.arange(40) % 20, np.zeros(40, np.int64)
            file["extra/keys"] = np.array([b"zero"])
    words = ("dataset=tonic", "dataset.set=SHD", f"dataset.root={tmp_path}", "dataset.pool=3", "dataset.validation=0")
    splits = loaded(*words)
    assert splits.test.x.sensor == (2, 1, 234)  # type: ignore[union-attr]
    assert splits.test.y.tolist() == (np.arange(40) % 20).tolist()
    assert splits.test.x.x.tolist() == (units["test"] // 3).ravel().tolist()  # type: ignore[union-attr]


def test_a_missing_tonic_data_set_is_refused_rather_than_downloaded(tmp_path: Path) -> None:
    for name, pool in (("POKERDVS", 1), ("SSC", 3)):
        with pytest.raises(DataError, match="Nothing is downloaded without dataset.download=true"):
            loaded("dataset=tonic", f"dataset.set={name}", f"dataset.root={tmp_path}", f"dataset.pool={pool}")


def test_warnings_on_data_are_given_by_the_run_that_reads_them_and_not_by_a_command_that_compares_them(
    tmp_path: Path,
) -> None:
    path = table(tmp_path / "t.csv", x=[*X, *X[:4]], y=np.arange(44) % 4)
    words = ("model=mlp", "dataset=csv", f"dataset.root={path}", "scale=smoke", f"outputs={tmp_path / 'runs'}")
    first = run(*words, progress=False)
    assert "4 samples repeat others" in (first.path / "run.log").read_text()
    os.utime(path, (1, 1))
    with warnings.catch_warnings(action="error"):
        assert run(*words, resume=True, progress=False).path == first.path


@pytest.mark.parametrize(("model", "x", "y"), [("mlp", X[:, 1:], Y), ("qrbm", X[:, 1:], Y), ("qrbm", X, Y % 3)])
def test_a_run_does_not_predict_as_if_it_had_been_trained_on_the_present_files(
    model: str, x: np.ndarray, y: np.ndarray, tmp_path: Path
) -> None:
    """Encoders depend on the number of features: after a column had been removed, samples of the other shape were
    encoded in another way and classified."""
    path = table(tmp_path / "t.csv")
    words = (f"model={model}", "dataset=csv", f"dataset.root={path}", "scale=smoke", f"outputs={tmp_path / 'runs'}")
    trained = run(*words, progress=False)
    table(path, x, y)
    found = rf"samples of \(5,\) in 4 classes, but .*t\.csv now has \({x.shape[1]},\) in {len(set(y))}: .*Restore them"
    with pytest.raises(UserError, match=found):
        load(trained.path).predict(np.zeros((1, x.shape[1])))
    table(path)
    assert len(load(trained.path).predict(np.zeros((1, 5)))) == 1


def test_a_run_on_files_that_have_moved_names_the_remedy_and_predicts_and_exports_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = table(tmp_path / "t.csv"), tmp_path / "moved.csv"
    words = ["model=qrbm", "dataset=csv", f"dataset.root={before}", "scale=smoke", "device=cpu", "name=own"]
    assert main(["run", *words, f"outputs={tmp_path}"]) == 0
    (folder,) = (tmp_path / "own").glob("2*")
    before.rename(after)
    export = ["export", str(folder), "--format", "json"]
    assert main(export) == 2
    assert "note: if the data have moved, give their location: --data PATH" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"t\.csv: does not exist.*\nnote: .* data=PATH of nb\.load"):
        load(folder).predict(X)
    assert main([*export, "--data", str(after)]) == 0
    assert (folder / "model.json").stat().st_size
    moved = load(folder, data=after)
    assert len(moved.predict(moved.data().test.x)) == len(moved.data().test)
