"""The 5-byte address events of an N-MNIST recording: decoding, and what makes a recording unfit for use.

One event is: column, row, then 24 bits of which the first is the polarity and the rest the time in microseconds,
big-endian. Source: Orchard, Jayawant, Cohen, Thakor, Frontiers in Neuroscience 9:437 (2015).
"""

from __future__ import annotations

from typing import NamedTuple, NoReturn

import numpy as np

from neurobench.data.dataset import DataError

EVENT = 5  # bytes
SIDE = 34  # pixels, both ways


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


def _check(events: Recording, name: str) -> None:
    """Refuse pixels that the sensor does not have and times that run backwards."""
    for column_or_row, axis in ((events.x, "x"), (events.y, "y")):
        if column_or_row.max() >= SIDE:
            k = int(np.argmax(column_or_row >= SIDE))
            _refuse(name, k, f"{axis}={column_or_row[k]} is outside the sensor, whose pixels are 0 to {SIDE - 1}")
    backwards = events.t[1:] < events.t[:-1]
    if backwards.any():
        k = int(np.argmax(backwards)) + 1
        _refuse(name, k, f"time {events.t[k]} us comes after {events.t[k - 1]} us; times must not run backwards")


def _refuse(name: str, event: int, fault: str) -> NoReturn:
    raise DataError(f"{name}: the event at byte {event * EVENT}: {fault}. The file is damaged; replace it.")
