"""Predictions of a run for each test sample: predictions.npz."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from neurobench.storage.atomic import write_bytes
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np

FILE = "predictions.npz"


class Predictions(NamedTuple):
    """Arrays over the N test samples, in their order; each (N,) int64."""

    ids: np.ndarray  # position in the source's file order
    target: np.ndarray  # class
    predicted: np.ndarray


def write_predictions(folder: RunFolder, predictions: Predictions) -> None:
    import numpy as np

    file = io.BytesIO()
    np.savez_compressed(file, **predictions._asdict())
    write_bytes(folder.path / FILE, file.getvalue())


def read_predictions(folder: RunFolder) -> Predictions | None:
    """Read predictions.npz; None if the run has no such file, as in earlier versions. Raises Damaged."""
    import numpy as np

    path = folder.path / FILE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = Predictions(*(file[name] for name in Predictions._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise Damaged(path, f"cannot be read ({type(error).__name__})") from None
    if len({array.shape for array in arrays}) != 1 or any(a.ndim != 1 or a.dtype.kind != "i" for a in arrays):
        raise Damaged(path, "does not contain three rows of integers")
    return arrays
