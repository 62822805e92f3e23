"""The 5-byte address events of an N-MNIST recording: decoding, encoding, and what makes a recording unfit for use.

One event is: column, row, then 24 bits of which the first is the polarity and the rest the time in microseconds,
big-endian. Source: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import numpy as np

from neurobench.data.dataset import DataError

EVENT = 5  # bytes
SIDE = 34  # pixels, both ways
WINDOW = 300_000  # microseconds of a recording, three saccades of 100 ms
OVERFLOW_ROW = 240  # in which the ATIS camera writes that its clock went round, not a pixel


class Recording(NamedTuple):
    """E events in the order of their times."""

    t: np.ndarray  # (E,) int32 microseconds; 23 bits, so below 8.4 s by the format itself
    x: np.ndarray  # (E,) uint8 column
    y: np.ndarray  # (E,) uint8 row
    p: np.ndarray  # (E,) uint8 polarity bit


def decode(raw: bytes, name: str) -> Recording:
    """The events in the bytes of a file. Raises DataError with the file's name and the offset of the fault."""
    if not raw:
        raise DataError(f"{name}: is empty; a recording has at least one event. Replace the file.")
    if len(raw) % EVENT:
        whole = len(raw) - len(raw) % EVENT
        raise DataError(
            f"{name}: ends within an event that starts at byte {whole} ({len(raw)} bytes are no multiple of {EVENT}). "
            "The file was cut; replace it."
        )
    byte = np.frombuffer(raw, np.uint8).reshape(-1, EVENT)
    stamp = byte[:, 2].astype(np.int32) << 16 | byte[:, 3].astype(np.int32) << 8 | byte[:, 4]
    events = Recording(t=stamp & 0x7FFFFF, x=byte[:, 0], y=byte[:, 1], p=(stamp >> 23).astype(np.uint8))
    _check(events, name)
    return events


def encode(events: Recording) -> bytes:
    """The bytes of a file with these events."""
    byte = np.empty((len(events.t), EVENT), np.uint8)
    stamp = events.t.astype(np.int32) | events.p.astype(np.int32) << 23
    byte[:, 0], byte[:, 1] = events.x, events.y
    byte[:, 2], byte[:, 3], byte[:, 4] = stamp >> 16, stamp >> 8 & 0xFF, stamp & 0xFF
    return byte.tobytes()


def _check(events: Recording, name: str) -> None:
    """Refuse pixels that the sensor does not have and times that run backwards."""
    for column_or_row, axis in ((events.x, "x"), (events.y, "y")):
        if column_or_row.max() >= SIDE:
            k = int(np.argmax(column_or_row >= SIDE))
            mark = axis == "y" and column_or_row[k] == OVERFLOW_ROW
            why = "; row 240 is where the camera notes that its clock went round" if mark else ""
            _refuse(name, k, f"{axis}={column_or_row[k]} is outside the sensor, whose pixels are 0 to {SIDE - 1}{why}")
    backwards = events.t[1:] < events.t[:-1]
    if backwards.any():
        k = int(np.argmax(backwards)) + 1
        _refuse(name, k, f"time {events.t[k]} us comes after {events.t[k - 1]} us; times must not run backwards")


def _refuse(name: str, event: int, fault: str) -> NoReturn:
    raise DataError(f"{name}: the event at byte {event * EVENT}: {fault}. The file is damaged; replace it.")


def check_window(events: Recording, name: str) -> None:
    """Refuse a recording all of whose events come after the saccades. Raises DataError."""
    if events.t[0] >= WINDOW:
        _refuse(name, 0, f"time {events.t[0]} us is past the {WINDOW} us of a recording, so it shows nothing")


def check_apart(train: Mapping[str, str], test: Mapping[str, str]) -> None:
    """Refuse a recording that is in both sets. Each: name of a recording -> sha256 of its bytes. Raises DataError."""
    known = {digest: name for name, digest in train.items()}
    for name, digest in test.items():
        if digest in known:
            raise DataError(
                f"{name}: from byte 0 to its end the same as {known[digest]}; no recording may be in both the training "
                "and the test set. Replace one of them."
            )
