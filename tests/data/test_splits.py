"""Splits are complete, disjoint, stratified, drawn by the seed alone, and scaled by the training samples."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from neurobench.data.checks import sound
from neurobench.data.custom.specs import CustomData
from neurobench.data.custom.splits import Content, Samples, encode_labels, scaled, splits, stratified_split, unscaled
from neurobench.data.dataset import DataError, Split, Splits, hold_out
from tests.specs import spec


def test_training_and_held_out_samples_are_ascending_and_together_all_samples() -> None:
    for n, validation in ((10, 3), (10, 0), (10, 9), (1, 0)):
        trained, held = hold_out(n, validation, seed=4)
        assert (len(trained), len(held)) == (n - validation, validation)
        assert sorted([*trained, *held]) == list(range(n))
        assert (np.diff(trained) > 0).all()
        assert (np.diff(held) > 0).all()


def test_a_larger_held_out_set_contains_the_smaller_one_and_both_depend_on_the_seed() -> None:
    few, many = (set(hold_out(100, n, seed=1)[1]) for n in (10, 20))
    assert few < many
    assert set(hold_out(100, 10, seed=2)[1]) != few


@pytest.mark.parametrize("validation", [-1, 10, 11])
def test_holding_out_all_samples_or_a_negative_number_is_refused(validation: int) -> None:
    with pytest.raises(DataError, match=f"validation={validation} of 10 training samples leaves none to train on"):
        hold_out(10, validation, 0)


def test_the_head_of_a_split_is_its_first_samples() -> None:
    split = Split(torch.arange(6).view(3, 2) / 10, torch.tensor([2, 0, 1]), torch.tensor([5, 7, 9]), ("a", "b", "c"))
    two = split.head(2)
    assert (two.x.tolist(), two.y.tolist(), two.ids.tolist()) == (split.x[:2].tolist(), [2, 0], [5, 7])
    assert two.classes == split.classes
    assert len(two) == 2
    assert split.head(None) is split.head(3) is split.head(4) is split
    batch = split.batch(torch.tensor([2, 0]))
    assert batch.y.tolist() == [1, 2]
    assert batch.x.tolist() == split.x[[2, 0]].tolist()


def numbered(y: torch.Tensor) -> Split:
    return Split(torch.arange(len(y))[:, None] / len(y), y, torch.arange(len(y)))


def test_a_limited_split_of_samples_sorted_by_class_has_the_classes_in_their_proportion() -> None:
    made = numbered(torch.arange(3).repeat_interleave(torch.tensor([60, 30, 10]))).limited(20)
    assert made.ids.tolist() == [*range(12), *range(60, 66), 90, 91]
    assert made.x[:, 0].tolist() == (made.ids / 100).tolist()
    assert made.y.bincount().tolist() == [12, 6, 2]
    assert [len(made.limited(n)) for n in (None, 20, 21, 3, 1)] == [20, 20, 20, 3, 1]


def test_a_limited_split_of_samples_in_any_other_order_is_its_first_samples() -> None:
    split = numbered(torch.arange(100) % 4)
    assert split.limited(21).ids.tolist() == list(range(21))
    y = torch.arange(200) % 4
    y[:40] = torch.arange(40) % 2  # two classes have none of the eight samples due
    assert numbered(y).limited(40).y.bincount().tolist() == [12, 12, 8, 8]


def test_what_was_tested_says_whether_a_limited_test_set_is_the_first_samples() -> None:
    parts = [numbered(torch.arange(100) % 2), numbered(torch.arange(100) // 50)]
    made = [Splits(part, part, part, "made", "", "all", others={"noisy": part}).limited(10, 20) for part in parts]
    assert [each.evaluated_on for each in made] == ["the first 20 samples of all", "20 samples of all"]
    assert made[1].test.y.bincount().tolist() == made[1].others["noisy"].y.bincount().tolist() == [10, 10]
    assert made[1].train.y.bincount().tolist() == made[1].validation.y.bincount().tolist() == [5, 5]


@pytest.mark.parametrize("name", ["mnist", "mnist_01_400", "nmnist", "nmnist_folds", "yin_yang"])
def test_limited_splits_of_bundled_data_are_their_first_samples(name: str) -> None:
    whole = spec(f"dataset/{name}").load(0)
    for n in (50, 100, 200):  # 2 of the first 100 test images of MNIST are of class 8
        made = whole.limited(n, n)
        for part in ("train", "validation", "test"):
            assert getattr(made, part).ids.tolist() == getattr(whole, part).ids[:n].tolist()


def test_stratified_split_draws_a_share_of_each_class_at_least_one_but_never_all() -> None:
    y = np.repeat([0, 1, 2, 3], [100, 10, 3, 2])
    stay, drawn = stratified_split(y, 0.2, 0, "abcd", "test")
    assert np.bincount(y[drawn]).tolist() == [20, 2, 1, 1], "a fifth of three is nearly one, of two less"
    assert sorted([*stay, *drawn]) == list(range(len(y)))
    assert (np.diff(stay) > 0).all()
    assert (np.diff(drawn) > 0).all()
    _, most = stratified_split(y, 0.99, 0, "abcd", "test")
    assert np.bincount(y[most]).tolist() == [99, 9, 2, 1]
    _, none = stratified_split(y, 0, 0, "abcd", "test")
    assert len(none) == 0
    assert set(stratified_split(y, 0.2, 1, "abcd", "test")[1]) != set(drawn)


def test_stratified_split_refuses_a_class_of_one_sample_and_ignores_one_without_samples() -> None:
    for into, remedy in (("validation", "set dataset.validation=0"), ("test", "provide a separate test set")):
        with pytest.raises(DataError, match=f"class b has 1 sample to share between training and {into}; .*{remedy}"):
            stratified_split(np.array([0, 0, 1]), 0.5, 0, "ab", into)
    assert len(stratified_split(np.array([0, 0, 2, 2]), 0.5, 0, "abc", "test")[1]) == 2


def test_numbers_are_scaled_by_the_training_samples_extremes_and_clipped_to_them() -> None:
    learned = np.array([[0.0, -2.0, 5.0], [4.0, 2.0, 5.0]])
    values = np.array([[1.0, 0.0, 5.0], [9.0, -3.0, 6.0]])
    assert scaled(values, learned).tolist() == [[0.25, 0.5, 0.0], [1.0, 0.0, 1.0]], "a feature that never moves is 0"
    images = np.array([[[0.0, 4.0]]])
    assert scaled(images, np.array([[[0.0, 8.0]]])).tolist() == [[[0.0, 0.5]]], "all pixels of an image alike"


def test_numbers_that_lie_within_0_and_1_and_grey_levels_keep_their_scale() -> None:
    inside = np.array([[0.2, 1.0], [0.4, 0.0]])
    assert scaled(inside, inside).tolist() == torch.from_numpy(inside.astype(np.float32)).tolist()
    assert scaled(np.array([[51, 255]], np.uint8), inside)[0].tolist() == pytest.approx([0.2, 1.0])
    for beyond, middle in (([0.0, 1.5], [0.25, 1.0]), ([-0.5, 1.0], [0.0, 0.75])):
        learned = np.array([beyond, [0.5, 0.5]])
        assert scaled(np.array([middle]), learned).tolist() == [[0.5, 0.5]], "one beyond it scales them all"


def test_unscaled_numbers_have_to_lie_in_0_and_1() -> None:
    ends = np.array([[0.0, 1.0]])
    assert unscaled(ends, ends).tolist() == [[0.0, 1.0]]
    for wrong, span in ((np.array([[0.0, 1.5]]), r"\[0, 1.5\]"), (np.array([[-0.5, 0.5]]), r"\[-0.5, 0.5\]")):
        with pytest.raises(DataError, match=f"values span {span}, not"):
            unscaled(wrong, wrong)


def test_numeric_classes_are_ordered_by_value_and_precede_alphabetical_names() -> None:
    assert encode_labels(["b", "10", "a", "9", "10"])[0] == ("9", "10", "a", "b")
    assert encode_labels([3, 1, 3])[1].tolist() == [1, 0, 1]


def content(n: int, test: int = 0) -> Content:
    """Content of `n` numbered samples of two alternating classes."""
    x, y = np.arange(n, dtype=np.float64)[:, None], np.arange(n) % 2
    of_its_own = Samples(x[:test] + 0.5, y[:test]) if test else None
    return Content(Samples(x, y), of_its_own, ("a", "b"), (), scaled)


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CustomData:
    """Spec that tests a fifth of the samples and holds out a quarter of the rest. Tests use `content` as data."""
    monkeypatch.chdir(tmp_path)
    Path("r.csv").write_text("".join(f"{k},{k % 2}\n" for k in range(100)))
    made = spec("dataset/csv", root="r.csv", test=0.2, validation=0.25)
    assert isinstance(made, CustomData)
    return made


def test_each_sample_is_in_one_split_and_the_test_set_does_not_depend_on_the_seed(table: CustomData) -> None:
    one, other = (splits(table, content(100), seed) for seed in (0, 1))
    assert [len(part) for part in (one.train, one.validation, one.test)] == [60, 20, 20]
    ids = torch.cat([part.ids for part in (one.train, one.validation, one.test)])
    assert sorted(ids.tolist()) == list(range(100))
    for part in (one.train, one.validation, one.test):
        first, last = one.train.ids.min(), one.train.ids.max()  # samples are scaled by the training samples
        assert part.x[:, 0].tolist() == pytest.approx(((part.ids - first) / (last - first)).clamp(0, 1).tolist())
        assert part.y.tolist() == (part.ids % 2).tolist()
    assert one.test.ids.tolist() == other.test.ids.tolist()
    assert one.validation.ids.tolist() != other.validation.ids.tolist()
    assert one.evaluated_on == "20 samples drawn from r.csv with split_seed=0"


def test_a_separate_test_set_is_used_whole(table: CustomData) -> None:
    made = splits(table, content(100, test=10), 0)
    assert [len(part) for part in (made.train, made.validation, made.test)] == [76, 24, 10]
    assert made.test.ids.tolist() == list(range(10))
    first, last = int(made.train.ids.min()), int(made.train.ids.max())
    assert made.test.x[9, 0] == pytest.approx((9.5 - first) / (last - first), rel=1e-6)
    assert made.evaluated_on == "the test set of r.csv, 10 samples"


def test_different_samples_that_scaling_clips_to_the_same_numbers_are_no_copies(
    table: CustomData, recwarn: pytest.WarningsRecorder
) -> None:
    tested, held = (Samples(np.array([[low], [high]]), np.arange(2)) for low, high in ((-9.0, 150.0), (-5.0, 200.0)))
    made = sound(splits(table, content(100)._replace(test=tested, validation=held), 0), 2)
    assert not recwarn
    assert len(made.train) == 100
    assert made.test.x.tolist() == made.validation.x.tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize(("number", "again"), [(3.0, 3.0), (0.0, -0.0)])
def test_a_test_sample_of_the_same_numbers_as_a_training_sample_is_refused(
    table: CustomData, number: float, again: float
) -> None:
    x, y = np.array([[number], [7.0], [8.0], [9.0]]), np.arange(4) % 2
    read = Content(
        Samples(x, y), Samples(np.array([[again], [2.0]]), y[:2]), ("a", "b"), (), scaled, Samples(x[:0], y[:0])
    )
    with pytest.raises(DataError, match=r"1 test samples are in the training set .*number 0, there number 0"):
        splits(table, read, 0)


def test_training_samples_that_are_all_held_out_are_refused(table: CustomData) -> None:
    read = content(4, test=2)
    with (
        pytest.warns(UserWarning, match="4 training samples are copies of held-out ones"),
        pytest.raises(DataError, match="every training sample is also in the validation set"),
    ):
        splits(table, read._replace(validation=read.train), 0)


def test_a_class_without_test_samples_causes_a_warning(table: CustomData, recwarn: pytest.WarningsRecorder) -> None:
    splits(table, content(100), 0)
    assert not recwarn
    with pytest.warns(UserWarning, match=r"r\.csv: no test sample is of class c$"):
        splits(table, content(100)._replace(classes=("a", "b", "c")), 0)


def test_the_digest_is_that_of_the_single_file_or_of_the_digests_of_several_files(table: CustomData) -> None:
    texts = {"one": "1", "other": "2"}
    for name, text in texts.items():
        Path(name).write_text(text)
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts.values()]
    one = splits(table, content(100)._replace(files=(Path("one"),)), 0)
    both = splits(table, content(100)._replace(files=(Path("one"), Path("other"))), 0)
    assert (one.sha256, one.bytes_read) == (digests[0], 1)
    assert (both.sha256, both.bytes_read) == (hashlib.sha256("\n".join(digests).encode()).hexdigest(), 2)


def test_a_batch_contains_the_samples_of_an_index_in_its_order_or_of_a_slice() -> None:
    split = Split(torch.arange(10.0).reshape(5, 2), torch.arange(5) % 2, torch.arange(5))
    batch = split.batch(torch.tensor([3, 1]))
    assert (batch.x.tolist(), batch.y.tolist()) == ([[6, 7], [2, 3]], [1, 1])
    batch = split.batch(slice(1, 3))
    assert (batch.x.tolist(), batch.y.tolist()) == ([[2, 3], [4, 5]], [1, 0])
