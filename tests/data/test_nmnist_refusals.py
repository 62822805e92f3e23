"""Unusable recordings, even ones that can be decoded: each is refused with its name and the byte of the fault."""

import struct

import numpy as np
import pytest

from neurobench.data.dataset import DataError
from neurobench.data.nmnist import WINDOW, check_apart, check_window, decode
from tests.specs import spec


def encode(t: int, x: int, y: int, p: int) -> bytes:
    return bytes([x, y]) + struct.pack(">I", p << 23 | t)[1:]


def test_an_event_that_marks_a_clock_overflow_is_refused_with_that_explanation() -> None:
    with pytest.raises(DataError, match=r"^a\.bin: the event at byte 5: y=240 is outside .* camera's clock"):
        decode(encode(1, 1, 1, 0) + encode(2, 5, 240, 1), "a.bin")


def test_a_recording_without_an_event_in_its_window_is_refused() -> None:
    check_window(decode(encode(WINDOW - 501, 0, 0, 0), "a.bin"), "a.bin")
    with pytest.raises(DataError, match=r"^a\.bin: the event at byte 0: time 299500 us of the first event is past"):
        check_window(decode(encode(WINDOW - 500, 0, 0, 0), "a.bin"), "a.bin")


def test_a_recording_in_both_the_training_and_the_test_set_is_refused() -> None:
    check_apart({"Train/1.bin": "aa"}, {"Test/1.bin": "bb"})
    with pytest.raises(DataError, match=r"^Test/2\.bin: identical to Train/7\.bin"):
        check_apart({"Train/7.bin": "cc"}, {"Test/1.bin": "bb", "Test/2.bin": "cc"})


def test_each_recording_is_tested_in_exactly_one_fold() -> None:

    splits = [spec("dataset/nmnist_folds", fold=k, folds=2).load(0) for k in range(2)]
    ids = np.concatenate([split.test.ids for split in splits])
    assert sorted(ids) == list(range(1100))
    for split in splits:
        assert not set(split.test.ids.tolist()) & set(split.train.ids.tolist())
        assert len(split.train) + len(split.test) == 1100
