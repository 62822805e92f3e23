"""Splits share no content, and unusual folders are read, with stray files ignored, or refused with the reason."""

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neurobench.data import files
from neurobench.data.checks import sound
from neurobench.data.dataset import DataError, Split, Splits
from tests.data.test_aer import encode
from tests.specs import spec


def made_split(rows: list[list[float]], labels: list[int] | None = None) -> Split:
    ids = torch.arange(len(rows))
    return Split(torch.tensor(rows).reshape(len(rows), 2), ids % 2 if labels is None else torch.tensor(labels), ids)


def splits(train: list[list[float]], held: list[list[float]], test: list[list[float]]) -> Splits:
    return Splits(*map(made_split, (train, held, test)), source="made", sha256="", evaluated_on="")


def test_a_test_sample_that_is_also_in_another_split_is_refused_with_both_numbers() -> None:
    with pytest.raises(DataError, match=r"1 test samples are in the training set as well.*number 1, there number 2"):
        sound(splits([[1, 2], [3, 4], [5, 6]], [[7, 8]], [[0, 0], [5, 6]]), 2)
    with pytest.raises(DataError, match="in the validation set as well"):
        sound(splits([[1, 2], [3, 4]], [[0, 0]], [[0, 0]]), 2)


def test_training_copies_of_a_held_out_sample_are_dropped_with_a_warning() -> None:
    both = splits([[1, 2], [3, 4], [1, 2], [7, 8], [5, 6]], [[1, 2]], [[0, 0]])
    both = replace(both, train=replace(both.train, classes=("even", "odd")))
    with pytest.warns(UserWarning, match="2 training samples are copies of held-out ones"):
        left = sound(both, 2)
    assert left.train.x.tolist() == [[3, 4], [7, 8], [5, 6]]
    assert left.train.ids.tolist() == [1, 3, 4]
    assert left.train.classes == ("even", "odd")


@pytest.mark.parametrize("train", [[[1, 2], [3, 4], [1, 2]], [[1, 2]]])
def test_a_tested_class_whose_training_samples_are_all_copies_of_held_out_ones_is_refused(
    train: list[list[float]],
) -> None:
    with (
        pytest.warns(UserWarning, match="training samples are copies of held-out ones, left out"),
        pytest.raises(DataError, match=f"class 0 is in the test set but not among the {len(train) // 2} training"),
    ):
        sound(splits(train, [[1, 2]], [[0, 0]]), 2)


def test_a_training_sample_with_two_labels_causes_a_warning() -> None:
    with pytest.warns(UserWarning, match="1 training samples occur under two labels"):
        sound(splits([[1, 2], [1, 2]], [], [[0, 0]]), 2)


def test_an_unlearned_test_class_an_empty_test_set_and_an_unknown_label_are_refused() -> None:
    with pytest.raises(DataError, match="class 1 is in the test set but not among the 1 training samples"):
        sound(splits([[1, 2]], [], [[0, 0], [9, 9]]), 2)
    with pytest.raises(DataError, match="the test set is empty"):
        sound(splits([[1, 2]], [], []), 2)
    with pytest.raises(DataError, match="label 1 of the training set is not in 0 to 0"):
        sound(splits([[1, 2], [3, 4]], [], [[0, 0]]), 1)


def test_a_validation_class_that_does_not_occur_in_training_causes_a_warning() -> None:
    with pytest.warns(UserWarning, match="class 1 is in the validation set but not in training"):
        sound(splits([[1, 2]], [[3, 4], [5, 6]], [[0, 0]]), 2)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_a_number_that_is_not_finite_is_refused_with_its_sample(name: str, number: float) -> None:
    made = splits([[1, 2], [3, 4]], [[5, 6], [7, 8]], [[0, 0], [9, 9]])
    split = getattr(made, name)
    made = replace(made, **{name: replace(split, x=split.x.float().index_fill(0, torch.tensor([1]), number))})
    words = rf"1 samples of the {name}(ing)? set contain NaN or an infinite number \(first: number 1\)"
    with pytest.raises(DataError, match=words):
        sound(made, 2)


FURTHER: dict[str, tuple[dict[str, Split], str]] = {
    "no sample": ({"noisy": made_split([])}, "the noisy set is empty"),
    "a label that is none": ({"noisy": made_split([[7, 7]], [2])}, "label 2 of the noisy set is not in 0 to 1"),
    "a negative label": ({"noisy": made_split([[7, 7]], [-1])}, "label -1 of the noisy set is not in 0 to 1"),
    "no number": (
        {"sound": made_split([[7, 7]]), "noisy": made_split([[7, 7], [7, float("nan")]])},
        r"1 samples of the noisy set contain NaN or an infinite number \(first: number 1\)",
    ),
    "a training sample": (
        {"noisy": made_split([[7, 7], [3, 4]])},
        "1 noisy samples are in the training set as well, by content .first: number 1, there number 1",
    ),
    "a held-out sample": ({"noisy": made_split([[5, 6]])}, "1 noisy samples are in the validation set as well"),
    "another split's name": ({"test": made_split([[7, 7]])}, "a further test set is named test, like another split"),
}


@pytest.mark.parametrize(("others", "sentence"), FURTHER.values(), ids=list(FURTHER))
def test_a_further_test_set_has_to_pass_the_checks_of_the_test_set(others: dict[str, Split], sentence: str) -> None:
    made = splits([[1, 2], [3, 4]], [[5, 6]], [[0, 0], [9, 9]])
    with pytest.raises(DataError, match=sentence):
        sound(replace(made, others=others), 2)


def test_a_further_test_set_may_share_samples_with_the_test_set_but_not_have_unlearned_classes() -> None:
    made = splits([[1, 2], [3, 4]], [[5, 6]], [[0, 0], [9, 9]])
    others = {"noisy": made_split([[7, 7], [0, 0]])}
    assert sound(replace(made, others=others), 2).others is others
    one_class = replace(made, train=made.train.head(1), test=made.test.head(1), others=others)
    with pytest.raises(DataError, match="class 1 is in the noisy set but not among the 1 training samples"):
        sound(one_class, 2)


def test_recordings_are_compared_by_their_events() -> None:
    loaded = spec("dataset/nmnist").load(0)
    assert sound(loaded, 10).train.ids.equal(loaded.train.ids)
    with pytest.raises(DataError, match="1 test samples are in the training set"):
        sound(replace(loaded, test=Split(loaded.train.x[7:8], loaded.train.y[7:8], torch.tensor([0]))), 10)


@pytest.mark.parametrize("name", ["mnist", "yin_yang", "nmnist_folds"])
def test_bundled_data_sets_have_no_sample_in_two_splits(name: str) -> None:
    made = spec(f"dataset/{name}")
    loaded = made.load(0)
    assert len(sound(loaded, made.n_classes).train) == len(loaded.train)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """120 training and 40 test recordings, laid out as tonic leaves the full set."""
    for split, n in (("Train", 120), ("Test", 40)):
        with zipfile.ZipFile(files.BUNDLED / f"nmnist_1k/{split}.zip") as archive:
            archive.extractall(tmp_path / "NMNIST", sorted(archive.namelist(), key=lambda name: name[-9:])[:n])
    return tmp_path


def first(root: Path, split: str = "Train") -> Path:
    return min((root / "NMNIST" / split).glob("?/*.bin"), key=lambda path: path.name)


def linked_classes(root: Path) -> None:
    for split in ("Train", "Test"):
        shutil.move(root / "NMNIST" / split, root / split)
        (root / "NMNIST" / split).mkdir()
        for folder in (root / split).iterdir():
            (root / "NMNIST" / split / folder.name).symlink_to(folder)


def archive_folder(root: Path) -> None:
    stray = root / "NMNIST/Train/__MACOSX/5"
    stray.mkdir(parents=True)
    (stray / "._00001.bin").write_bytes(b"\0\5")


READ: dict[str, Callable[[Path], object]] = {
    "linked class folders": linked_classes,
    "a linked split": lambda root: (
        shutil.move(root / "NMNIST/Train", root / "T"),
        (root / "NMNIST/Train").symlink_to(root / "T"),
    ),
    "AppleDouble": lambda root: (first(root).parent / "._00001.bin").write_bytes(b"\0\5\x16\7"),
    "__MACOSX": archive_folder,
    "upper case": lambda root: first(root).rename(first(root).with_suffix(".BIN")),
    "notes": lambda root: (root / "NMNIST/Train/0/README.txt").write_text("stray"),
    "the split twice": lambda root: (
        (root / "NMNIST/Train").rename(root / "NMNIST/T"),
        (root / "NMNIST/Train").mkdir(),
        (root / "NMNIST/T").rename(root / "NMNIST/Train/Train"),
    ),
}


@pytest.mark.filterwarnings("ignore:.*hidden files")
@pytest.mark.parametrize("change", READ.values(), ids=list(READ))
def test_an_unusual_folder_is_read_like_a_plain_one(root: Path, change: Callable[[Path], object]) -> None:
    plain = spec("dataset/nmnist", root=str(root)).load(0)
    change(root)
    odd = spec("dataset/nmnist", root=str(root)).load(0)
    assert odd.sha256 == plain.sha256
    assert odd.train.x.t.equal(plain.train.x.t)


def events(t: int) -> bytes:
    return encode(t, 3, 4, 1)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a dangling link": (lambda root: (first(root).parent / "00999.bin").symlink_to("/none/x"), "a broken link"),
    "a pipe": (lambda root: os.mkfifo(first(root).parent / "00999.bin"), "is not a regular file"),
    "late events alone": (lambda root: first(root).write_bytes(events(299_600)), "it shows nothing"),
    "a copy": (lambda root: shutil.copy(first(root), first(root).with_name("00001 (1).bin")), "is not named like"),
    "two splits in a path": (
        lambda root: shutil.move(root / "NMNIST/Test", root / "NMNIST/Train/Test"),
        "is not named like a recording",
    ),
    "a class nowhere": (lambda root: shutil.rmtree(root / "NMNIST/Train/7"), "class 7 is in the test set but not"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=list(REFUSED))
def test_a_faulty_folder_is_refused_with_the_reason(
    root: Path, change: Callable[[Path], object], sentence: str
) -> None:
    change(root)
    with pytest.raises(DataError, match=sentence):
        sound(spec("dataset/nmnist", root=str(root)).load(0), 10)


def test_more_folds_than_recordings_are_refused_at_load(root: Path) -> None:
    for split, n in (("Train", 3), ("Test", 1)):
        for path in sorted((root / "NMNIST" / split).glob("*/*.bin"))[n:]:
            path.unlink()
    with pytest.raises(DataError, match=r"dataset\.folds=5: there are 4 recordings"):
        spec("dataset/nmnist_folds", root=str(root)).load(0)
