"""User-defined data: read from common file formats, split by seed and content, refused with a message that says why."""

import csv
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.preprocessing import MinMaxScaler

from neurobench.config.compose import composer, read
from neurobench.config.errors import ConfigError
from neurobench.data.checks import sound
from neurobench.data.dataset import DataError, Splits
from neurobench.experiment.build import load_splits
from neurobench.experiment.plan import Plan, parse

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 5)).round(3)
Y = np.arange(40) % 4
EVENT = [("t", "i8"), ("x", "i2"), ("y", "i2"), ("p", "i1")]


def plan(*words: str) -> Plan:
    with composer() as compose:
        return parse(compose(read(words)))


def loaded(*words: str) -> Splits:
    made = plan("model=mlp", *words)
    return sound(made.dataset.load(made.seeds.data), made.task.n_classes)


def table(path: Path, x: Any = X, y: Any = Y, names: bool = True) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if names:
            writer.writerow([*(f"c{k}" for k in range(len(x[0]))), "kind"])
        writer.writerows([*row, label] for row, label in zip(x, y, strict=True))
    return path


def recording(n: int = 50, seed: int = 0, **changed: Any) -> np.ndarray:
    random = np.random.default_rng(seed)
    events = np.zeros(n, EVENT)
    events["t"] = np.sort(random.integers(0, 200_000, n))
    events["x"], events["y"], events["p"] = (*random.integers(0, 12, (2, n)), random.integers(0, 2, n))
    for name, values in changed.items():
        events[name] = values
    return events


def recordings(root: Path, n: int = 6) -> Path:
    for k in range(n):
        folder = root / ("left", "right")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{k}.npy", recording(seed=k))
    return root


def pictures(root: Path, n: int = 8, side: int = 20) -> Path:
    for k in range(n):
        folder = root / ("cat", "dog")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (side, side), np.uint8)).save(folder / f"{k}.png")
    return root


def test_each_row_of_a_table_is_in_one_split_and_columns_are_scaled_by_the_training_set(tmp_path: Path) -> None:
    splits = loaded("dataset=csv", f"dataset.root={table(tmp_path / 't.csv')}", "dataset.label=kind")
    ids = [split.ids.numpy() for split in (splits.train, splits.validation, splits.test)]
    assert np.array_equal(np.sort(np.concatenate(ids)), np.arange(40))
    scaler = MinMaxScaler(clip=True).fit(X[ids[0]])
    for split, own in zip((splits.train, splits.validation, splits.test), ids, strict=True):
        np.testing.assert_allclose(split.x.numpy(), scaler.transform(X[own]), atol=1e-6)  # type: ignore[union-attr]
        assert split.y.tolist() == Y[own].tolist()
    assert splits.test.y.bincount().tolist() == [2, 2, 2, 2]  # equally many of each class
    assert splits.classes == ("0", "1", "2", "3")
    assert splits.bytes_read == (tmp_path / "t.csv").stat().st_size
    quoted = '"' + (tmp_path / "t.csv").read_text().replace(",", '", "').replace("\n", '"\n"').removesuffix('"')
    (tmp_path / "t.csv").write_text(quoted)
    other = loaded("dataset=csv", f"dataset.root={tmp_path / 't.csv'}", "dataset.label=kind")
    assert other.train.x.equal(splits.train.x), "quotation marks and blanks around cells change nothing"  # type: ignore[union-attr, arg-type]
    assert other.classes == splits.classes


def test_the_seed_changes_the_validation_set_but_only_split_seed_changes_the_test_set(tmp_path: Path) -> None:
    words = ("dataset=csv", f"dataset.root={table(tmp_path / 't.csv')}")
    one, other = (loaded(*words, f"seed={seed}") for seed in (0, 1))
    assert one.test.ids.tolist() == other.test.ids.tolist()
    assert one.validation.ids.tolist() != other.validation.ids.tolist()
    assert loaded(*words, "dataset.split_seed=1").test.ids.tolist() != one.test.ids.tolist()


def test_an_npz_file_and_a_table_with_the_same_numbers_give_the_same_splits(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    one = loaded("dataset=csv", f"dataset.root={table(tmp_path / 't.csv', names=False)}")
    other = loaded("dataset=npz", f"dataset.root={tmp_path / 'a.npz'}")
    for name in ("train", "validation", "test"):
        a, b = getattr(one, name), getattr(other, name)
        assert np.array_equal(a.x.numpy(), b.x.numpy())
        assert a.y.tolist() == b.y.tolist()


def test_a_separate_test_set_in_an_npz_file_is_used_whole_and_in_order(tmp_path: Path) -> None:
    texts = np.array(["ant", "bee"])[Y % 2]
    images = RANDOM.integers(0, 256, (40, 7, 6, 3), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images[:30], k_train=texts[:30], x_test=images[30:], k_test=texts[30:])
    with pytest.warns(UserWarning, match="channels last"):
        splits = loaded("dataset=npz", f"dataset.root={tmp_path / 'a.npz'}", "dataset.label=k", "dataset.validation=0")
    np.testing.assert_allclose(splits.test.x.numpy(), np.moveaxis(images[30:], 3, 1) / 255, atol=1e-6)  # type: ignore[union-attr]
    assert splits.classes == ("ant", "bee")
    assert splits.test.y.tolist() == (Y[30:] % 2).tolist()


def test_a_folder_of_images_is_read_as_pillow_reads_it(tmp_path: Path) -> None:
    root = pictures(tmp_path / "Bilder (Ä) mit Leerzeichen")
    (root / "cat" / "notes.txt").write_text("passed over")
    (root / "cat" / "link.png").symlink_to(root.parent / "elsewhere.png")
    Image.new("L", (40, 40), 200).save(root.parent / "elsewhere.png")
    words = ("dataset=image_folder", f"dataset.root={root}", "dataset.size=[20,20]", "dataset.validation=0")
    with pytest.warns(UserWarning, match="resized to 20 x 20|other files are ignored"):
        splits = loaded(*words)
    files = sorted((root / "cat").glob("*.png")) + sorted((root / "dog").glob("*.png"))
    for split in (splits.train, splits.test):
        for x, k in zip(split.x, split.ids.tolist(), strict=True):  # type: ignore[arg-type]
            wanted = np.asarray(Image.open(files[k]).resize((20, 20), Image.Resampling.BILINEAR)) / 255
            np.testing.assert_allclose(x[0], wanted, atol=1e-6)


@pytest.mark.parametrize("suffix", ["npy", "npz", "h5", "bin"])
def test_recordings_in_each_file_format_give_the_same_events(suffix: str, tmp_path: Path) -> None:
    for k in range(8):
        events = recording(seed=k)
        events["t"] += 1000 if suffix == "bin" else 10**10  # a clock that does not begin at 0
        folder = tmp_path / "data" / "ab"[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{k}.{suffix}"
        if suffix == "npy":
            np.save(path, events)
        elif suffix == "npz":
            np.savez(path, **{name: events[name] for name in "txyp"})
        elif suffix == "h5":
            h5py = pytest.importorskip("h5py")
            with h5py.File(path, "w") as file:
                for name in "txyp":
                    file[f"events/{name}"] = events[name]
        else:
            from neurobench.data.nmnist import Recording, encode

            path.write_bytes(encode(Recording(*(events[name] for name in "txyp"))))
    splits = loaded("dataset=events_folder", f"dataset.root={tmp_path / 'data'}", "dataset.validation=0")
    order = [*range(0, 8, 2), *range(1, 8, 2)]
    for split in (splits.train, splits.test):
        for place, k in enumerate(split.ids.tolist()):
            one, wanted = split.x[place : place + 1], recording(seed=order[k])
            assert one.t.tolist() == (wanted["t"] - wanted["t"][0]).tolist()  # type: ignore[union-attr]
            for name in "xyp":
                assert getattr(one, name).tolist() == wanted[name].tolist()
    assert splits.train.x.sensor == (2, 12, 12)  # type: ignore[union-attr]


def test_events_long_after_the_window_are_ignored_without_a_warning(tmp_path: Path) -> None:
    words = ("dataset=events_folder", f"dataset.root={recordings(tmp_path)}", "dataset.sensor=[12,12]")
    before = loaded(*words)
    late = np.zeros(1, EVENT)
    late["t"] = 2**31 * 1000
    for file in tmp_path.glob("*/*.npy"):
        np.save(file, np.concatenate([np.load(file), late]))
    with warnings.catch_warnings(action="error"):
        after = loaded(*words)
    assert after.test.x.t.equal(before.test.x.t)
    assert after.train.x.t.equal(before.train.x.t)


def test_a_window_that_leaves_out_a_tenth_of_the_events_or_more_and_a_wrong_unit_are_reported(tmp_path: Path) -> None:
    root = recordings(tmp_path)
    each = [np.load(file)["t"] for file in root.glob("*/*.npy")]
    window = float(np.median(np.concatenate([t - t[0] for t in each]))) / 1000
    with pytest.warns(UserWarning, match=rf"(49|50|51) % of the events come after dataset\.window={window:g} ms"):
        loaded("dataset=events_folder", f"dataset.root={root}", f"dataset.window={window}")
    for file in root.glob("*/*.npy"):
        events = np.load(file)
        events["t"] //= 1000
        np.save(file, events)
    with pytest.warns(UserWarning, match=r"the longest recording lasts 0\.\d+ ms; are its times in dataset.unit=us"):
        loaded("dataset=events_folder", f"dataset.root={root}")


def test_events_after_those_that_the_encoder_counts_are_reported_if_they_are_a_tenth_of_all_or_more(
    tmp_path: Path,
) -> None:
    """A model of images had seen the first 315 ms of gestures of any length, whatever dataset.window said."""
    root = recordings(tmp_path)
    for file in root.glob("*/*.npy"):
        events = np.load(file)
        events["t"] = np.linspace(0, 1_575_000, len(events))
        np.save(file, events)
    words = ("dataset=events_folder", f"dataset.root={root}", "dataset.window=2000")
    with pytest.warns(UserWarning, match="80 % of the events come after the 315 ms that the encoder counts"):
        load_splits(plan("model=mlp", *words))
    with warnings.catch_warnings(action="error"):
        load_splits(plan("model=mlp", *words, "encoder=counts", "encoder.length=1600", "model.jitter=0"))
        load_splits(plan("model=slayer_snn", *words))


def test_repeated_samples_are_used_once_with_a_warning(tmp_path: Path) -> None:
    root = table(tmp_path / "t.csv", np.concatenate([X, X[:3]]), np.concatenate([Y, [0, 1, 3]]))
    with pytest.warns(UserWarning, match="3 samples repeat others, 1 of them under another label"):
        splits = loaded("dataset=csv", f"dataset.root={root}")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 40


@pytest.mark.parametrize("name", ["csv", "npz"])
@pytest.mark.filterwarnings("ignore:.*3 samples repeat others")
def test_ids_are_rows_of_the_file_also_behind_repeated_samples_whatever_the_sign_of_zero(
    name: str, tmp_path: Path
) -> None:
    x, y = np.concatenate([X[:1], X[:1], X[:1], X]), np.concatenate([Y[:1], Y[:1], Y[:1], Y])
    x = (x - x.min(0)) / np.ptp(x, axis=0)
    x[:4, 0] = [0.0, -0.0, 0.0, -0.0]
    root = tmp_path / f"t.{name}"
    np.savez(root, x=x, y=y) if name == "npz" else table(root, x, y)
    splits = loaded(f"dataset={name}", f"dataset.root={root}")
    for part in (splits.train, splits.validation, splits.test):
        np.testing.assert_array_equal(part.x.numpy(), x[part.ids.numpy()].astype(np.float32))  # type: ignore[union-attr]
        assert splits.classes == ("0", "1", "2", "3")
        np.testing.assert_array_equal(part.y.numpy(), y[part.ids.numpy()])


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_a_torchvision_data_set_is_read_from_its_files(name: str, tmp_path: Path) -> None:
    raw = tmp_path / name / "raw"
    raw.mkdir(parents=True)
    images = RANDOM.integers(0, 256, (30, 28, 28), np.uint8)
    for part, count in (("train", 20), ("t10k", 10)):
        x, y = (images[:20], np.arange(20) % 10) if count == 20 else (images[20:], np.arange(10))
        head = np.array([2051, count, 28, 28], ">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(head + x.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            np.array([2049, count], ">i4").tobytes() + y.astype(np.uint8).tobytes()
        )
    words = ("dataset=torchvision", f"dataset.set={name}", f"dataset.root={tmp_path}", "dataset.validation=0")
    splits = loaded(*words)
    np.testing.assert_allclose(splits.test.x.numpy()[:, 0], images[20:] / 255, atol=1e-6)  # type: ignore[union-attr]


ENCODED = [("slayer_snn", "events"), ("hybrid_qcnn", "image"), ("hxtorch_mlp", "vector"), ("eprop_rsnn", "events")]


@pytest.mark.parametrize(("model", "layout"), ENCODED)
def test_a_table_of_any_width_is_encoded_in_the_layout_that_a_model_reads(
    model: str, layout: str, tmp_path: Path
) -> None:
    for width in (5, 64, 300):
        x = np.random.default_rng(width).normal(size=(40, width)).round(2)
        made = plan(f"model={model}", "dataset=csv", f"dataset.root={table(tmp_path / f'{width}.csv', x)}")
        assert made.task.layout == layout
        assert made.task.n_classes == 4
    x: Any = load_splits(made).train.x
    assert (x.sensor if layout == "events" else tuple(x.shape[1:])) == made.task.shape


def edited(path: Path, line: int, text: str) -> Path:
    lines = path.read_text().splitlines()
    lines[line - 1] = text
    path.write_text("\n".join(lines) + "\n")
    return path


def saved(root: Path, **arrays: Any) -> Path:
    np.savez(root / "a.npz", **arrays)
    return root / "a.npz"


def replaced(root: Path, events: Any) -> Path:
    np.save(recordings(root) / "left" / "0.npy", events)
    return root


def emptied(file: Path, content: bytes = b"") -> Path:
    file.write_bytes(content)
    return file


def locked(path: Path) -> Path:
    path.chmod(0)
    return path


Make = Callable[[Path], Path]
CSV_FAULTS: list[tuple[Make, str]] = [
    (lambda r: r / "none.csv", "none.csv: does not exist; expected a .csv file"),
    (lambda r: r, "train.csv: does not exist"),
    (lambda r: emptied(r / "t.csv"), "is empty; expected one row per sample"),
    (lambda r: emptied(r / "t.csv", b"\xff\xfe\x00"), "is not UTF-8 text at byte 0"),
    (lambda r: edited(table(r / "t.csv"), 3, "1,,3,4,5,0"), "line 3, column c1 is missing"),
    (lambda r: edited(table(r / "t.csv"), 3, "1,nan,3,4,5,0"), "line 3, column c1 is missing"),
    (lambda r: edited(table(r / "t.csv"), 3, "1,inf,3,4,5,0"), "line 3, column c1 is inf, not a finite number"),
    (lambda r: edited(table(r / "t.csv"), 3, "1,male,3,4,5,0"), "line 3, column c1 is 'male', not a number; encode it"),
    (
        lambda r: edited(table(r / "t.csv"), 3, '1,"2,5",3,4,5,0'),
        "c1 is '2,5', not a number; write its decimal comma as a",
    ),
    (lambda r: edited(table(r / "t.csv"), 3, "1,2,3,4,0"), "line 3 has 5 cells, the first line 6"),
    (lambda r: edited(table(r / "t.csv"), 3, "1,2,3,4,5,"), "line 3 has no label"),
    (lambda r: edited(table(r / "t.csv"), 3, "1,2,3,4,5,none"), r"\(column kind reads 'none'\); .* rename a class"),
    (lambda r: edited(table(r / "t.csv"), 3, '1,2,3,4,5,"0'), "cannot be read as a table"),
    (lambda r: table(r / "t.csv", X[:1], Y[:1]), "not two classes to distinguish"),
    (lambda r: table(r / "t.csv", X, Y * 0), "not two classes to distinguish, only 0"),
    (lambda r: table(r / "t.csv", X, np.arange(40) + 0.5), "40 different values in 40 rows; is it the label"),
    (lambda r: emptied(r / "t.csv", b"a,b\n"), "a line of names but no samples"),
    (lambda r: emptied(r / "t.csv", b"kind\n0\n1\n"), "has one column; .* or as dataset.separator says"),
    (lambda r: table(r / "t.csv", X[:5], [0, 0, 0, 0, 1]), "class 1 has 1 sample to share between training and test"),
    (lambda r: locked(table(r / "t.csv")), "no permission|fine"),
]
NPZ_FAULTS: list[tuple[Make, str]] = [
    (lambda r: r / "none.npz", "does not exist; expected a .npz file"),
    (lambda r: r, "is a folder; expected a .npz file"),
    (lambda r: emptied(r / "a.npz", b"PK\x03\x04 no archive"), "is not a readable .npz file"),
    (lambda r: saved(r, data=X, y=Y), "contains data, y; expected x_train, y_train, x_test, y_test or x, y"),
    (lambda r: saved(r, x=X[:, 0], y=Y), r"array x has shape \(40,\)"),
    (lambda r: saved(r, x=X[:0], y=Y[:0]), r"array x has shape \(0, 5\)"),
    (lambda r: saved(r, x=X, y=Y[:30]), "x has 40 samples, its labels are 30"),
    (lambda r: saved(r, x=X, y=np.eye(4)[Y]), r"y has shape \(40, 4\); expected one label per sample"),
    (lambda r: saved(r, x=X, y=Y + 0.5), "numbers that are not whole"),
    (lambda r: saved(r, x=np.where(np.isin(X, X[1, 1]), np.nan, X), y=Y), r"x\[1, 1\] is nan"),
    (lambda r: saved(r, x=X.astype(str), y=Y), "samples must be numbers"),
    (lambda r: saved(r, x=X.astype(object), y=Y), "array x"),
    (lambda r: saved(r, x=X, y=Y.astype(object)), r"array y contains Python objects, .* such as y.astype\(str\)"),
    (lambda r: saved(r, x=X, y=np.where(Y == 3, np.nan, Y).astype(str)), r"y\[3\] is 'nan', a missing label"),
    (lambda r: saved(r, x=X, y=np.array([[None, "a"][k % 2] for k in Y]).astype(str)), r"y\[0\] is 'None', a missing"),
    (lambda r: saved(r, x_train=X, y_train=Y, x_test=X[:, :4], y_test=Y), "different shapes"),
    (lambda r: saved(r, x_train=X, y_train=Y, x_test=X[:3], y_test=Y[:3]), "3 test samples are in the training set"),
    (lambda r: saved(r, x_train=X[:30], y_train=Y[:30] % 2, x_test=X[30:], y_test=Y[30:]), "class 2, 3 is in the test"),
]


def strange_class(root: Path, inside: str) -> Path:
    pictures(root / "train")
    pictures(root / "test", n=1)
    (root / "test" / inside).mkdir()
    Image.new("L", (20, 20)).save(root / "test" / inside / "0.png")
    return root


def with_link(root: Path) -> Path:
    (pictures(root) / "cat" / "x.png").symlink_to(root / "nothing.png")
    return root


def with_pipe(root: Path) -> Path:
    os.mkfifo(pictures(root) / "cat" / "x.png")
    return root


def with_deep(root: Path) -> Path:
    Image.fromarray(np.zeros((20, 20), np.int32)).save(pictures(root) / "cat" / "0.tif")
    return root


IMAGE_FAULTS: list[tuple[Make, str]] = [
    (lambda r: r / "none", "does not exist; expected a folder with a folder of images"),
    (lambda r: r, "contains no folders of files"),
    (lambda r: emptied(r / "file.png", b"x"), "is not a folder; expected a folder with"),
    (lambda r: pictures(r / "i", n=1), "not two classes to distinguish, only cat"),
    (lambda r: emptied(pictures(r) / "cat" / "0.png").parents[1], "is empty \\(0 bytes\\)"),
    (lambda r: emptied(pictures(r) / "cat" / "0.png", b"no image").parents[1], "not a readable image"),
    (with_link, "a broken link"),
    (with_pipe, "not a regular file"),
    (with_deep, "more than 8 bits per pixel"),
    (lambda r: (pictures(r) / "bird").mkdir() or r, "bird: contains no readable file"),
    (lambda r: pictures(r / "train").parent, "has a folder train and none called test"),
    (lambda r: strange_class(r, "mouse"), "class mouse is not in"),
]
EVENT_FAULTS: list[tuple[Make, str]] = [
    (lambda r: replaced(r, recording(t=np.arange(50)[::-1])), "event 1 is at 48, after one at 49; sort"),
    (lambda r: replaced(r, recording(p=3)), "polarities are 3; they must be 0 and 1"),
    (lambda r: replaced(r, recording(x=-1)), "x contains negative numbers; pixels are numbered from 0"),
    (lambda r: replaced(r, recording(x=300)), r"12 x 301 pixels has more than 256 rows or columns. .*dataset.pool=2"),
    (lambda r: replaced(r, recording(0)), "has no event"),
    (lambda r: replaced(r, np.zeros((4, 4))), r"plain array of shape \(4, 4\); expected fields t, x, y, p"),
    (lambda r: replaced(r, np.zeros(4, [("t", "i8"), ("x", "i2"), ("p", "i1")])), "has no field y; it has t, x, p"),
    (lambda r: emptied(recordings(r) / "left" / "0.npy").parents[1], "is empty \\(0 bytes\\)"),
    (lambda r: emptied(recordings(r) / "left" / "0.npy", b"garbage").parents[1], "not a readable NumPy file"),
    (lambda r: emptied(recordings(r) / "left" / "0.bin", b"1234567").parents[1], "ends within an event"),
    (lambda r: emptied(recordings(r) / "left" / "0.h5", b"garbage").parents[1], "not a readable HDF5 file|pip install"),
    (
        lambda r: emptied(recordings(r) / "left" / "0.aedat4", b"garbage").parents[1],
        "not a readable .aedat4|pip install",
    ),
]
FAULTS = [
    (kind, make, sentence)
    for kind, faults in (
        ("csv", CSV_FAULTS),
        ("npz", NPZ_FAULTS),
        ("image_folder", IMAGE_FAULTS),
        ("events_folder", EVENT_FAULTS),
    )
    for make, sentence in faults
]


@pytest.mark.parametrize(("kind", "make", "sentence"), FAULTS, ids=[f"{k}-{s[:30]}" for k, _, s in FAULTS])
def test_unusable_data_files_are_refused_with_the_reason_when_they_are_loaded(
    kind: str, make: Make, sentence: str, tmp_path: Path
) -> None:
    root = make(tmp_path)
    if sentence.endswith("|fine") and os.access(root, os.R_OK):
        pytest.skip("this user may read everything")
    with warnings.catch_warnings(action="ignore"), pytest.raises((ConfigError, DataError), match=sentence):
        loaded(f"dataset={kind}", f"dataset.root={root}")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("dataset=csv",), "no files are given yet: give a .csv file"),
        (("dataset=csv", "dataset.label=knd", "dataset.root=ROOT/t.csv"), "no column knd; .*Did you mean kind"),
        (("dataset=csv", "dataset.label=9", "dataset.root=ROOT/t.csv"), "has 6 columns, so label=9 is out of range"),
        (("dataset=csv", "dataset.root=ROOT/t.csv", "dataset.scaling=none"), "not \\[0, 1\\]: scale them"),
        (("dataset=events_folder", "dataset.root=ROOT/e", "dataset.sensor=[4,4]"), "outside a sensor of 4 x 4 pixels"),
        (
            ("dataset=events_folder", "dataset.root=ROOT/e", "dataset.origin=clock", "dataset.unit=s"),
            "after the window of 300 ms",
        ),
        (("dataset=image_folder", "dataset.root=ROOT/e", "dataset.size=[4]"), "is not two numbers"),
        (("dataset=torchvision", "dataset.root=ROOT"), "FashionMNIST cannot be read .* Nothing is downloaded"),
        (("dataset=torchvision", "dataset.set=CIFAR"), "is not one of MNIST, FashionMNIST"),
        (("dataset=tonic", "dataset.root=ROOT", "dataset.set=SHD"), "more than 256 rows or columns"),
        (("dataset=tonic", "dataset.root=ROOT"), "POKERDVS"),
        (("dataset=tonic", "dataset.root=ROOT", "dataset.set=ASL"), "tonic's ASL is not known here"),
    ],
)
def test_settings_that_do_not_fit_the_files_are_refused(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    table(tmp_path / "t.csv")
    recordings(tmp_path / "e")
    with pytest.raises((ConfigError, DataError), match=sentence):
        loaded(*(word.replace("ROOT", str(tmp_path)) for word in words))
