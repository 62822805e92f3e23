"""User-defined splits are used as such; files and arrays that are not read are refused or counted, never silently."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurobench.config.errors import ConfigError
from neurobench.data.dataset import Splits
from tests.data.test_custom import X, Y, loaded, pictures, recordings, table

N = {"train": 24, "test": 8, "val": 8}  # samples of the sets below


def arrays(root: Path, held_out: str) -> str:
    sets = np.split(np.arange(40), np.cumsum([*N.values()])[:-1])
    named = zip(("train", "test", held_out), sets, strict=True)
    parts = {f"{name}_{part}": values[at] for part, at in named for name, values in (("x", X), ("y", Y))}
    np.savez(root / "a.npz", **parts)
    return f"dataset=npz dataset.root={root / 'a.npz'}"


def tables(root: Path, held_out: str) -> str:
    for part, at in zip(("train", "test", held_out), np.split(np.arange(40), [24, 32]), strict=True):
        table(root / f"{part}.csv", X[at], Y[at])
    return f"dataset=csv dataset.root={root}"


def moved(root: Path, held_out: str) -> None:
    """Move files from ROOT/train/CLASS to the folders of the other sets."""
    for file in sorted(root.glob("train/*/*")):
        k = int(file.stem)
        if k >= N["train"]:
            to = root / (held_out if k >= N["train"] + N["test"] else "test") / file.parent.name
            to.mkdir(parents=True, exist_ok=True)
            file.rename(to / file.name)


def folders(root: Path, held_out: str) -> str:
    moved(pictures(root / "train", 40).parent, held_out)
    return f"dataset=image_folder dataset.root={root}"


def events(root: Path, held_out: str) -> str:
    moved(recordings(root / "train", 40).parent, held_out)
    return f"dataset=events_folder dataset.root={root}"


MAKE = {"npz": arrays, "csv": tables, "image_folder": folders, "events_folder": events}


def read(words: str, *more: str) -> Splits:
    with warnings.catch_warnings(action="error"):
        return loaded(*words.split(), *more)


@pytest.mark.parametrize("kind", MAKE)
def test_a_user_defined_validation_set_is_the_one_held_out(kind: str, tmp_path: Path) -> None:
    """It is used whole, whatever the seed, and whatever share would be drawn without it."""
    words = MAKE[kind](tmp_path, "val")
    one, other = read(words, "seed=0"), read(words, "seed=1", "dataset.validation=0.5")
    assert [len(split) for split in (one.train, one.test, one.validation)] == [*N.values()]
    assert [len(split) for split in (other.train, other.test, other.validation)] == [*N.values()]


def test_held_out_samples_are_those_of_the_user_defined_validation_set(tmp_path: Path) -> None:
    """They are scaled by the training samples, as those of the other sets are."""
    low, high = X[:24].min(0), X[:24].max(0)
    for words in (arrays(tmp_path, "val"), tables(tmp_path, "val")):
        validation = read(words).validation
        wanted = np.clip((X[32:] - low) / (high - low), 0, 1)
        np.testing.assert_allclose(validation.x.numpy(), wanted, atol=1e-6)  # type: ignore[union-attr]
        assert validation.y.tolist() == Y[32:].tolist()


@pytest.mark.parametrize("name", ["valid", "validation"])
@pytest.mark.parametrize("kind", MAKE)
def test_a_validation_set_may_be_named_valid_or_validation(kind: str, name: str, tmp_path: Path) -> None:
    assert len(read(MAKE[kind](tmp_path, name)).validation) == 8


def test_a_folder_of_a_class_that_only_the_validation_set_has_is_refused(tmp_path: Path) -> None:
    words = folders(tmp_path, "val")
    pictures(tmp_path / "val" / "mouse")
    with pytest.raises(ConfigError, match=r"val: class mouse is not in .*train, so it cannot be learned"):
        read(words)


def test_training_samples_that_are_also_held_out_are_dropped_with_a_warning(tmp_path: Path) -> None:
    parts = {"train": slice(0, 32), "test": slice(32, 40), "val": slice(0, 4)}
    np.savez(tmp_path / "a.npz", **{f"{n}_{p}": v[at] for p, at in parts.items() for n, v in (("x", X), ("y", Y))})
    with pytest.warns(UserWarning, match="4 training samples are copies of held-out ones"):
        splits = loaded("dataset=npz", f"dataset.root={tmp_path / 'a.npz'}")
    assert (len(splits.train), len(splits.validation)) == (28, 4)


SPLIT = {"x_train": X[:30], "y_train": Y[:30], "x_test": X[30:], "y_test": Y[30:]}
READ = "x_train, y_train, x_test, y_test"
OTHERS: list[tuple[dict[str, Any], str]] = [
    ({**SPLIT, "x_vall": X, "y_vall": Y}, rf"x_vall, y_vall too, but only {READ} are read .*Did you mean x_val\?"),
    ({**SPLIT, "names": Y}, rf"names too, but only {READ} are read \(a validation set is called val, valid or valid"),
    ({**SPLIT, "x": X, "y": Y}, f"x, y too, but only {READ} are read"),
    ({"x": X, "y": Y, "x_test": X, "y_test": Y}, r"x_test, y_test too, but only x, y are read\. Rename or remove"),
    ({**SPLIT, "x_val": X[:3]}, "a validation set without y_val; add it, or remove the set"),
    ({**SPLIT, "x_val": X[:3, :2], "y_val": Y[:3]}, r"sets have different shapes: .*x_val \(3, 2\)"),
    (
        {**SPLIT, "x_val": X[:3], "y_val": Y[:3], "x_valid": X[:3], "y_valid": Y[:3]},
        rf"x_valid, y_valid too, but only {READ}, x_val, y_val are read\. Rename or remove the others\.$",
    ),
]


@pytest.mark.parametrize(("named", "sentence"), OTHERS, ids=[sentence[:20] for _, sentence in OTHERS])
def test_arrays_that_are_not_read_are_refused(named: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **named)
    with pytest.raises(ConfigError, match=sentence):
        read(f"dataset=npz dataset.root={tmp_path / 'a.npz'}")


def test_tables_that_are_not_read_are_refused(tmp_path: Path) -> None:
    words = tables(tmp_path, "val")
    table(tmp_path / "extra.csv")
    with pytest.raises(ConfigError, match=r"contains extra.csv too, but only train.csv, test.csv, val.csv are read\."):
        read(words)
    (tmp_path / "extra.csv").rename(tmp_path / "test2.csv")
    with pytest.raises(ConfigError, match=r"test2.csv too, .*Did you mean test.csv\?"):
        read(words)


@pytest.mark.parametrize("make", [folders, events])
def test_unknown_folders_beside_the_sets_are_refused_unless_hidden(make: Any, tmp_path: Path) -> None:
    words = make(tmp_path, "val")
    (tmp_path / "val").rename(tmp_path / "vaild")
    with pytest.raises(ConfigError, match=r"contains vaild too, but only train, test are read .*Did you mean valid\?"):
        read(words)
    (tmp_path / "vaild").rename(tmp_path / ".vaild")
    assert len(read(words, "dataset.validation=0").validation) == 0, "hidden ones belong to other programs"


@pytest.mark.parametrize("names", [("test", "val"), ("Training", "Testing")])
def test_folders_named_like_sets_are_not_taken_for_classes(names: tuple[str, str], tmp_path: Path) -> None:
    for name in names:
        pictures(tmp_path / name)
    with pytest.raises(ConfigError, match="has a folder .* and none called train"):
        read(f"dataset=image_folder dataset.root={tmp_path}")


def test_a_class_may_be_called_valid(tmp_path: Path) -> None:
    pictures(tmp_path)
    (tmp_path / "cat").rename(tmp_path / "valid")
    (tmp_path / "dog").rename(tmp_path / "invalid")
    assert read(f"dataset=image_folder dataset.root={tmp_path}").classes == ("invalid", "valid")


@pytest.mark.parametrize("place", ["", "train"])
def test_files_beside_the_folders_are_counted_in_a_warning(place: str, tmp_path: Path) -> None:
    words = folders(tmp_path, "val")
    (tmp_path / place / "labels.txt").write_text("of nobody's")
    with pytest.warns(UserWarning, match=f"{tmp_path / place}: 1 other files are ignored"):
        loaded(*words.split())


@pytest.mark.parametrize("make", [pictures, recordings])
def test_a_file_moved_to_another_class_or_set_is_a_change_of_the_data(make: Any, tmp_path: Path) -> None:
    """The bytes of all files and their order are the same: the last file of a folder becomes the first of another."""

    def sha256() -> str:
        return loaded(f"dataset={kind}", f"dataset.root={tmp_path}").sha256

    kind = "image_folder" if make is pictures else "events_folder"
    for part in ("train", "test"):
        for folder in make(tmp_path / part, 40).iterdir():
            for file in folder.iterdir():
                if (part == "test") != (int(file.stem) >= 30):
                    file.unlink()
    first, second, tested, _ = sorted(tmp_path.glob("*/*"), key=lambda folder: (folder.parent.name != "train", folder))
    seen = [sha256()]
    for source, target in ((first, second), (second, tested)):
        last = max(source.iterdir())
        last.rename(target / f"{'!' * len(seen)}{last.name}")
        seen.append(sha256())
    assert len({*seen}) == 3
