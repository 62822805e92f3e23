"""The data files by name: where they are, whether they are what they should be, and fetching the full sets."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from neurobench.config.errors import did_you_mean
from neurobench.data.dataset import DataError
from neurobench.data.files import ALL_BUNDLED, BUNDLED, MNIST_RAW, REINSTALL, cache_folder, checked_bytes

FOLDERS = {"mnist": BUNDLED / "mnist", "nmnist": BUNDLED / "nmnist_1k"}


class Verdict(NamedTuple):
    """On one file."""

    name: str
    ok: bool
    sentence: str


def verify() -> list[Verdict]:
    """Hash every bundled file, and every unpacked copy that the cache folder holds."""
    remake = "It will not be used: the next run makes it anew."
    bundled = [(BUNDLED / declared.name, declared, REINSTALL) for declared in ALL_BUNDLED]
    cached = [(cache_folder() / declared.name, declared, remake) for declared in MNIST_RAW]
    verdicts = []
    for path, declared, way_out in [*bundled, *(entry for entry in cached if entry[0].exists())]:
        try:
            checked_bytes(path, declared, way_out)
        except DataError as error:
            verdicts.append(Verdict(declared.name, False, str(error)))
        else:
            verdicts.append(Verdict(declared.name, True, f"{path}: {declared.size} bytes, sha256 as declared"))
    return verdicts


def path(name: str) -> Path:
    """The folder of a data set's bundled files. Raises DataError for a name that has none."""
    return FOLDERS[known(name)]


def fetch(name: str, root: str) -> Path:
    """Download the full, official set into `root`, to be read with dataset.root=ROOT. Raises DataError."""
    from neurobench.data.fetch import fetch_mnist, fetch_nmnist

    {"mnist": fetch_mnist, "nmnist": fetch_nmnist}[known(name)](Path(root).expanduser())
    return Path(root).expanduser()


def known(name: str) -> str:
    """The name itself where it has files."""
    if name in FOLDERS:
        return name
    raise DataError(
        f"no data files are known as {name!r}. There are {', '.join(FOLDERS)}.{did_you_mean(name, FOLDERS)}"
    )
