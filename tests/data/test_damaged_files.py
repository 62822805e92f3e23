"""A user's damaged file is read or refused with its name, whatever a library's reader raises."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from neurobench.config.errors import ConfigError
from neurobench.data.dataset import DataError
from tests.data.test_custom import X, Y, loaded, recording, recordings


def archives(root: Path) -> dict[str, Path]:
    """Intact files, whose readers raise many kinds of errors once a byte has changed."""
    np.savez_compressed(root / "a.npz", x=X, y=Y)
    events = {name: recording()[name] for name in "txyp"}
    np.savez_compressed(recordings(root / "npz") / "left" / "9.npz", **events)
    return {"npz": root / "a.npz", "events_folder": root / "npz" / "left" / "9.npz"}


@pytest.mark.parametrize("kind", ["npz", "events_folder"])
def test_a_file_with_any_altered_byte_is_read_or_refused_with_its_name(kind: str, tmp_path: Path) -> None:
    file = archives(tmp_path)[kind]
    intact, random, refusals = file.read_bytes(), np.random.default_rng(0), []
    root = file if kind == "npz" else file.parents[1]
    for _ in range(60):
        changed = bytearray(intact)
        changed[random.integers(len(intact))] = random.integers(256)
        file.write_bytes(changed)
        with warnings.catch_warnings(action="ignore"):
            try:
                loaded(f"dataset={kind}", f"dataset.root={root}")
            except (ConfigError, DataError) as error:
                refusals.append(str(error))
    assert len(refusals) > 20
    assert all(file.name in refusal for refusal in refusals)
