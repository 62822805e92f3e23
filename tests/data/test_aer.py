import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurobench.data.dataset import DataError
from neurobench.data.nmnist import decode


def encode(t: int, x: int, y: int, p: int) -> bytes:
    """Encode one event by the format's description: column, row, then polarity above 23 bits of microseconds."""
    return bytes([x, y]) + struct.pack(">I", p << 23 | t)[1:]


EVENTS = st.lists(
    st.tuples(st.integers(0, 2**23 - 1), st.integers(0, 33), st.integers(0, 33), st.integers(0, 1)), min_size=1
)


def test_hand_written_bytes_are_decoded_to_times_places_and_polarities():
    events = decode(bytes([3, 33, 0x00, 0x01, 0x02, 33, 0, 0x85, 0x20, 0xA8]), "hand.bin")
    assert [field.tolist() for field in events] == [[258, 0x0520A8], [3, 33], [33, 0], [0, 1]]
    assert [field.dtype for field in events] == [np.int32, np.uint8, np.uint8, np.uint8]
    assert events.t[1] == 336_040  # the largest time in the bundled recordings


@given(EVENTS)
def test_decoding_returns_the_encoded_events(events):
    events = sorted(events, key=lambda event: event[0])
    decoded = decode(b"".join(encode(*event) for event in events), "made.bin")
    assert list(zip(*(field.tolist() for field in decoded), strict=True)) == events


GOOD = encode(10, 1, 2, 0) + encode(10, 3, 4, 1) + encode(20, 33, 33, 1)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(GOOD[:-2], r"ends within an event that starts at byte 10 \(13 bytes", id="cut"),
        pytest.param(GOOD + b"\0", "ends within an event that starts at byte 15", id="one byte more"),
        pytest.param(GOOD + encode(21, 34, 0, 0), "at byte 15: x=34 is outside the sensor", id="x"),
        pytest.param(encode(5, 0, 240, 0) + GOOD, "at byte 0: y=240 is outside the sensor", id="y"),
        pytest.param(GOOD + encode(19, 0, 0, 0), "at byte 15: time 19 us comes after 20 us", id="order"),
    ],
)
def test_a_malformed_recording_is_refused_with_its_name_and_offset(raw, sentence):
    with pytest.raises(DataError, match=rf"^folder/00001\.bin: .*{sentence}"):
        decode(raw, "folder/00001.bin")
