"""Readers of event recordings, one for each file suffix, each from a library if there is one."""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurobench.config.errors import not_installed
from neurobench.data.dataset import DataError
from neurobench.data.nmnist import OVERFLOW_ROW, decode


class Raw(NamedTuple):
    """Events as stored in a file."""

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray


NAMES = {"t": ("t", "ts", "time", "timestamp", "timestamps"), "x": ("x",), "y": ("y",)} | {
    "p": ("p", "pol", "polarity", "polarities", "on")
}

EVT = (b"evt 2.0", b"EVT2;", b"evt 3.0", b"EVT3;")  # in the headers of Prophesee's .raw files
POLARITY = 1  # kind of packet in AEDAT 3.1
PACKET = struct.Struct("<2h6i")  # its header: kind, source, bytes of an event, place of its time, overflows of time,
# capacity, number of events, number of valid ones


def _fields(file: Path, arrays: Mapping[str, Any]) -> Raw:
    """Events from arrays under any of the names in use."""
    fields = {}
    for field, names in NAMES.items():
        name = next((name for name in names if name in arrays), None)
        if name is None:
            raise DataError(f"{file}: has no field {field}; it has {', '.join(arrays) or 'none'}")
        fields[field] = np.asarray(arrays[name])
    return Raw(**fields)


def _bin(file: Path) -> Raw:
    events = decode(file.read_bytes(), str(file), OVERFLOW_ROW)  # other cameras' files, as N-Caltech101's, have it too
    return Raw(events.t, events.x, events.y, events.p)


def _numpy(file: Path) -> Raw:
    stored = np.load(file, allow_pickle=False)
    if isinstance(stored, np.ndarray):
        if stored.dtype.names is None:
            raise DataError(f"{file}: is a plain array of shape {stored.shape}; expected fields t, x, y, p")
        return _structured(file, stored)
    with stored:
        if len(stored.files) == 1 and stored[stored.files[0]].dtype.names:
            return _structured(file, stored[stored.files[0]])
        return _fields(file, {name: stored[name] for name in stored.files})


def _structured(file: Path, events: np.ndarray) -> Raw:
    return _fields(file, {name: events[name] for name in events.dtype.names or ()})


def _hdf5(file: Path) -> Raw:
    h5py = _library("h5py", file)
    with h5py.File(file) as stored:
        group = stored.get("events", stored)
        if isinstance(group, h5py.Dataset):
            return _structured(file, group[()])
        return _fields(file, {name: group[name][()] for name in group if isinstance(group[name], h5py.Dataset)})


def _aedat4(file: Path) -> Raw:
    library = _library("faery", file)
    return _structured(file, library.events_stream_from_file(file).to_array())


def _aedat(file: Path) -> Raw:
    """Read AEDAT 2 of a DVS128 and AEDAT 3.1; the header by tonic, whose functions for whole events fail on its own.

    Source of the DVS128's addresses (x from the right, bit 0 set for OFF, bit 15 for non-pixel words): jAER, `DVS128`.
    """
    io = importlib.import_module("tonic.io")
    version, start, _created = io.read_aedat_header_from_file(str(file))
    if version >= 3:
        return _polarity_events(file, version, file.read_bytes()[start:])
    words = io.get_aer_events_from_file(str(file), version, start)
    words = words[words["address"] & 0x8000 == 0]
    word, t = words["address"].astype(np.int64), words["timeStamp"].astype(np.int64)
    if (word >> 16).any():
        raise DataError(
            f"{file}: has addresses of more than 16 bits, as of a DAVIS; AEDAT 2 is read from a DVS128 alone. Convert "
            "it to another format"
        )
    return Raw(t, 127 - (word >> 1 & 0x7F), word >> 8 & 0x7F, 1 - (word & 1))


def _polarity_events(file: Path, version: float, packets: bytes) -> Raw:
    """Valid polarity events of AEDAT 3.1, whose packets may also contain frames, motion or signals of the camera.

    Source: inivation's specification of the format. Not by tonic, which takes the words of all packets for such events.
    """
    if version < 3.1:
        raise DataError(f"{file}: is AEDAT {version:g}; 2 and 3.1 are read. Convert it")
    parts, at = [np.empty((0, 2), np.int64)], 0
    while at < len(packets):
        kind, _source, size, _place, overflow, _capacity, n, _valid = PACKET.unpack_from(packets, at)
        at += PACKET.size
        if kind < 0:  # the upper bit marks a compressed packet
            raise DataError(f"{file}: its packets are compressed. Store them raw")
        if n < 0 or size <= 0:  # the next packet would begin before this one ends
            raise DataError(f"{file}: is damaged: a packet of {n} events of {size} bytes")
        if at + n * size > len(packets):
            raise DataError(f"{file}: is truncated: its last packet has {len(packets) - at} of {n * size} bytes")
        if kind == POLARITY:
            words = np.frombuffer(packets, "<u4", n * size // 4, at).reshape(n, -1).astype(np.int64)
            parts.append(np.stack([words[:, 0], words[:, 1] + (overflow << 31)], 1)[words[:, 0] & 1 == 1])
        at += n * size
    word, t = np.concatenate(parts).T
    return Raw(t, word >> 17 & 0x7FFF, word >> 2 & 0x7FFF, word >> 1 & 1)


def _raw(file: Path) -> Raw:
    """Read EVT 2 and 3. Not with expelliarmus, which counts each wrap of EVT 3's lower time bits in addition to the
    upper bits that follow it: its issues 19 and 20."""
    library = _library("faery", file)
    head = file.read_bytes()[:4096]
    if not any(name in head for name in EVT):
        raise DataError(f"{file}: its header declares neither EVT 2 nor EVT 3, the only .raw formats that are read")
    return _structured(file, library.events_stream_from_file(file, dimensions_fallback=(2048, 2048)).to_array())


def _dat(file: Path) -> Raw:
    library = _library("expelliarmus", file)
    return _structured(file, library.Wizard(encoding="dat").read(str(file)))


def _library(name: str, file: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(f"{file}: {not_installed(file.suffix, name, 'events')}") from error


READERS: dict[str, Callable[[Path], Raw]] = {
    ".bin": _bin,
    ".npy": _numpy,
    ".npz": _numpy,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".aedat4": _aedat4,
    ".aedat": _aedat,
    ".raw": _raw,
    ".dat": _dat,
}


def read(file: Path) -> Raw:
    """Events of a file, by its suffix. Raises DataError if it is damaged or its library is not installed."""
    suffix = file.suffix.lower()
    try:
        return READERS[suffix](file)
    except DataError:
        raise
    except Exception as error:  # a library's reader may raise anything on a damaged file
        kind = {".npy": "NumPy", ".npz": "NumPy", ".h5": "HDF5", ".hdf5": "HDF5"}.get(suffix, suffix)
        reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"{file}: is damaged, or not a readable {kind} file ({reason}). Replace or remove it."
        ) from error
