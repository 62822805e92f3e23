"""N-MNIST recordings under a root, read by tonic; checked first, because tonic checks neither ranges nor order."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neurobench.data.aer import Recording, decode
from neurobench.data.dataset import DataError
from neurobench.data.recordings import Found, identify, in_order

NOTE = "EMULATED.txt"


def folder(root: str) -> tuple[list[Found], list[Found]]:
    """Training and test recordings under ROOT/NMNIST, by number. Raises DataError; never downloads."""
    base = Path(root).expanduser()
    return _recordings(base, "Train", root), _recordings(base, "Test", root)


def is_emulated(root: str) -> bool:
    """Whether `neurobench data emulate` wrote these recordings: it leaves a note beside them."""
    return (Path(root).expanduser() / "NMNIST" / NOTE).exists()


def _recordings(base: Path, split: str, root: str) -> list[Found]:
    paths = sorted((base / "NMNIST" / split).glob("**/*.bin"))
    if not paths:
        raise DataError(
            f"{base / 'NMNIST' / split}: holds no recordings (*.bin). Run `neurobench data fetch nmnist {root}`, "
            "or leave out dataset.root to read the bundled ones."
        )
    for path in paths:
        identify(path.as_posix())  # before tonic, which takes the label from a folder's last character
    stored = open_with_tonic(base, train=split == "Train")
    found = []
    for k, name in enumerate(stored.data):
        label, number = identify(Path(name).as_posix())
        found.append(Found(name, number, label, Path(name).stat().st_size, partial(_read, stored, k)))
    return in_order(found)


def open_with_tonic(base: Path, train: bool) -> Any:
    """tonic's data set over the folders as they are; tonic would otherwise download where it misses its archive."""
    from tonic import datasets

    class NMNIST(datasets.NMNIST):  # tonic builds the folder's name from the class's
        def _check_exists(self) -> bool:
            return True

    return NMNIST(str(base), train=train)


def _read(stored: Any, k: int) -> tuple[Recording, str]:
    """Recording k as tonic decodes it, once its bytes have passed our checks."""
    raw = Path(stored.data[k]).read_bytes()
    decode(raw, stored.data[k])
    events, _ = stored[k]
    fields = (events["t"].astype(np.int32), *(events[key].astype(np.uint8) for key in "xyp"))
    return Recording(*fields), hashlib.sha256(raw).hexdigest()
