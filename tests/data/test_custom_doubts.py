"""Properties of a user's files that change what is learned, and that the user may not know, are refused or reported."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from neurobench.config.errors import ConfigError
from neurobench.data.custom.splits import encode_labels
from neurobench.data.dataset import DataError
from tests.data.test_custom import X, Y, loaded, pictures, table

GREY = np.random.default_rng(1).integers(0, 256, (40, 6, 7, 4), np.uint8)


def saved(root: Path, **arrays: Any) -> str:
    np.savez(root / "a.npz", **arrays)
    return f"dataset.root={root / 'a.npz'}"


def test_8_bit_numbers_in_one_set_and_others_in_another_are_refused(tmp_path: Path) -> None:
    parts = {"x_train": GREY[:30, 0, :, 0], "y_train": Y[:30], "x_test": GREY[30:, 0, :, 0] / 255, "y_test": Y[30:]}
    with pytest.raises(ConfigError, match="x_train is of type uint8, x_test is of type float64; 8-bit numbers and oth"):
        loaded("dataset=npz", saved(tmp_path, **parts))


@pytest.mark.filterwarnings("ignore:.*repeat others")
def test_numbers_that_are_not_scaled_may_be_of_different_types(tmp_path: Path) -> None:
    bits = GREY[:, 0, :, 0] % 2
    parts = {"x_train": bits[:30], "y_train": Y[:30], "x_test": bits[30:] * 0.5, "y_test": Y[30:]}
    splits = loaded("dataset=npz", saved(tmp_path, **parts), "dataset.scaling=none", "dataset.validation=0")
    np.testing.assert_array_equal(splits.test.x.numpy(), parts["x_test"])  # type: ignore[union-attr]
    with pytest.raises(DataError, match=r"a\.npz: values span \[0, 2\], not \[0, 1\]"):
        loaded("dataset=npz", saved(tmp_path, **{**parts, "x_test": bits[30:] * 2.0}), "dataset.scaling=none")


def test_8_bit_numbers_that_use_little_of_their_range_are_reported(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    loaded("dataset=npz", saved(tmp_path, x=GREY[:, 0, :, 0] // 4 + 1, y=Y))
    assert not recwarn, "64 is a quarter of the range"
    with pytest.warns(UserWarning, match="its 8-bit numbers are at most 15 and are divided by 255"):
        loaded("dataset=npz", saved(tmp_path, x=GREY[:, 0, :, 0] // 16, y=Y))


def test_labels_of_any_size_are_different_classes(tmp_path: Path) -> None:
    """Numbers of 2**63 or more, as hashes, do not fit the largest integers of NumPy."""
    for y in (Y * 2.0**63, Y.astype(np.uint64) * 2**62):
        splits = loaded("dataset=npz", saved(tmp_path, x=X, y=y))
        assert splits.classes == tuple(str(int(label)) for label in y[:4])  # one of each class
        assert splits.test.y.tolist() == Y[splits.test.ids.numpy()].tolist()


def test_classes_that_are_the_same_number_are_reported(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    loaded("dataset=csv", f"dataset.root={table(tmp_path / 'a.csv', y=[2**60 + k for k in Y])}")
    assert not recwarn
    path = table(tmp_path / "b.csv", y=[("1", "2", "1.0", "a")[k] for k in Y])
    with pytest.warns(UserWarning, match=r"classes 1 and 1\.0 are the same number; are they one\?"):
        loaded("dataset=csv", f"dataset.root={path}")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.filterwarnings("ignore:.*channels last")
def test_images_with_their_channels_last_are_recognised_for_up_to_four_channels(channels: int, tmp_path: Path) -> None:
    splits = loaded("dataset=npz", saved(tmp_path, x=GREY[..., :channels], y=Y))
    assert splits.test.x.shape[1:] == (channels, 6, 7)  # type: ignore[union-attr]
    wanted = np.moveaxis(GREY[..., :channels], 3, 1)[splits.test.ids.numpy()] / np.float32(255)
    np.testing.assert_array_equal(splits.test.x.numpy(), wanted)  # type: ignore[union-attr]


def test_a_second_column_with_the_labels_name_is_refused_rather_than_learned_from(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    path.write_text(path.read_text().replace("c0,", "kind,", 1))
    for label in ("kind", "-1"):
        with pytest.raises(ConfigError, match="several columns are named kind, as the label is; rename or remove"):
            loaded("dataset=csv", f"dataset.root={path}", f"dataset.label={label}")


@pytest.mark.filterwarnings("ignore:.*taken as column names")
def test_a_label_that_is_the_number_of_one_column_and_the_name_of_another_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    path.write_text(path.read_text().replace("c3,", "5,", 1).replace("c0,", "-1,", 1))
    loaded("dataset=csv", f"dataset.root={path}", "dataset.label=kind")
    for label in ("5", "-1"):
        with pytest.raises(ConfigError, match=f"label={label} is the number of column kind and the name of another"):
            loaded("dataset=csv", f"dataset.root={path}", f"dataset.label={label}")


def test_tables_with_their_columns_in_another_order_are_refused_rather_than_mixed(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", X[:30], Y[:30])
    path = table(tmp_path / "test.csv", X[30:], Y[30:])
    loaded("dataset=csv", f"dataset.root={tmp_path}")
    intact = path.read_text()
    path.write_text(intact.replace("c0,c1,c2,c3,c4,kind", "c0,c2,c1,c3,c4,kind"))
    with pytest.raises(
        ConfigError, match=r"feature 1 is c1 in train\.csv and c2 in test\.csv; give both the same colu"
    ):
        loaded("dataset=csv", f"dataset.root={tmp_path}")
    path.write_text(intact.partition("\n")[2])
    assert len(loaded("dataset=csv", f"dataset.root={tmp_path}").test) == 10, "a table without names has no order"


@pytest.mark.parametrize(("names", "called"), [(True, r"2 \(c2\)"), (False, "2"), (True, "2"), (True, r"2 \(ID\)")])
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_column_that_numbers_the_rows_is_reported(names: bool, called: str, shuffled: bool, tmp_path: Path) -> None:
    """Also in a table that pandas has written with its index after its rows were shuffled, or some were left out."""
    index = np.random.default_rng(0).permutation(40) if shuffled else np.arange(40)
    name = {"2": "", r"2 \(ID\)": "ID"}.get(called)
    numbers = 3 * index if names and name is not None else index + 7
    path = table(tmp_path / "t.csv", np.insert(X, 2, numbers, axis=1), names=names)
    if names and name is not None:
        path.write_text(path.read_text().replace("c2", name, 1))
    with pytest.warns(UserWarning, match=rf"t\.csv: column {called} numbers the rows and is used as a feature"):
        loaded("dataset=csv", f"dataset.root={path}")


@pytest.mark.filterwarnings("error")
def test_a_column_that_numbers_few_rows_or_some_of_them_is_not_reported(tmp_path: Path) -> None:
    counted = np.insert(X, 0, np.arange(40), axis=1)
    table(tmp_path / "few.csv", counted[:19], Y[:19] % 2)
    counted[-1, 0] = 100
    for path in (tmp_path / "few.csv", table(tmp_path / "some.csv", counted)):
        loaded("dataset=csv", f"dataset.root={path}")


def test_classes_called_nan_or_inf_have_the_same_numbers_in_every_process() -> None:
    """A checkpoint numbers classes as the process that wrote it; the order of a set of strings differs by process."""
    names = ["nan", "5", "b", "inf", "1", "-inf", "NaN", "7"]
    assert encode_labels(names)[0] == ("1", "5", "7", "-inf", "NaN", "b", "inf", "nan")
    program = f"from neurobench.data.custom.splits import encode_labels; print(encode_labels({names})[0])"
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == str(encode_labels(names)[0])


def test_transparent_pixels_and_further_frames_are_reported(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    root = pictures(tmp_path)
    random = np.random.default_rng(5)
    for name, alpha in (("opaque", 255), ("clear", 0)):
        pixels = random.integers(0, 256, (20, 20, 4), np.uint8)
        pixels[:, :, 3] = alpha
        Image.fromarray(pixels).save(root / "cat" / f"{name}.png")
    frames = [Image.fromarray(random.integers(0, 256, (20, 20), np.uint8)) for _ in range(3)]
    frames[0].save(root / "dog" / "moving.gif", save_all=True, append_images=frames[1:])
    splits = loaded("dataset=image_folder", f"dataset.root={root}")
    told = [str(each.message) for each in recwarn]
    assert len(told) == 2
    assert "1 of 11 images have transparent pixels" in told[0]
    assert "1 of 11 images have several frames or pages, of which the first is used" in told[1]
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 11


@pytest.mark.parametrize("mode", ["1", "P", "LA", "CMYK", "YCbCr", "LAB"])
def test_images_of_any_8_bit_mode_are_read(mode: str, tmp_path: Path) -> None:
    root = pictures(tmp_path)
    image = Image.fromarray(np.random.default_rng(6).integers(0, 256, (20, 20, 3), np.uint8))
    image = Image.frombytes("LAB", (20, 20), image.tobytes()) if mode == "LAB" else image.convert(mode)
    image.save(root / "cat" / "other.tif")
    splits = loaded("dataset=image_folder", f"dataset.root={root}")
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 9


def test_a_photo_is_read_upright(tmp_path: Path) -> None:
    """Cameras store the pixels as the sensor lay and note how to turn them, which every viewer does."""
    upright = np.random.default_rng(2).integers(0, 256, (20, 12), np.uint8)
    for k in range(8):
        folder = tmp_path / "ab"[k % 2]
        folder.mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        pixels = np.roll(upright, k, 0)
        Image.fromarray(np.rot90(pixels)).save(folder / f"{k}.png", exif=exif)
    splits = loaded("dataset=image_folder", f"dataset.root={tmp_path}")
    assert splits.train.x.shape[1:] == (1, 20, 12)  # type: ignore[union-attr]
    order = [k for c in (0, 1) for k in range(c, 8, 2)]  # files are numbered class by class
    for x, number in zip(splits.train.x.numpy(), splits.train.ids.tolist(), strict=True):  # type: ignore[union-attr]
        np.testing.assert_array_equal(x[0] * 255, np.roll(upright, order[number], 0))
