"""Data files known by name, size and hash: where they are, and reading them checked.

A file that is not, bit for bit, what is declared is refused with a sentence and never used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

import platformdirs

from neurobench.config.errors import did_you_mean
from neurobench.data.dataset import DataError

BUNDLED = Path(__file__).parent / "bundled"
FOLDERS = {"mnist": BUNDLED / "mnist", "nmnist": BUNDLED / "nmnist_1k"}
REINSTALL = "Reinstall the package: it ships this file."


class Declared(NamedTuple):
    """What a file must be."""

    name: str  # with the folder that it lies in
    size: int  # bytes
    sha256: str


def _declared(table: str) -> tuple[Declared, ...]:
    rows = (line.split() for line in table.split("\n") if line)
    return tuple(Declared(name, int(size), sha256) for sha256, size, name in rows)


MNIST_GZ = _declared("""
440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609  9912422 mnist/train-images-idx3-ubyte.gz
3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c    28881 mnist/train-labels-idx1-ubyte.gz
8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6  1648877 mnist/t10k-images-idx3-ubyte.gz
f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6     4542 mnist/t10k-labels-idx1-ubyte.gz
""")
# The same four, unpacked, where torchvision looks for them under a root.
MNIST_RAW = _declared("""
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db 47040016 MNIST/raw/train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5    60008 MNIST/raw/train-labels-idx1-ubyte
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  7840016 MNIST/raw/t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2    10008 MNIST/raw/t10k-labels-idx1-ubyte
""")
NMNIST_ZIP = _declared("""
c7f514993f80641725417ce729990f324c3bd0ab9d671ff0941d2ab06a210219 16716273 nmnist_1k/Train.zip
672a5ead7eb6d53bb40035afa7528ea176ec76e76257f87550c032f966bce13f  1558396 nmnist_1k/Test.zip
""")
ALL_BUNDLED = (*MNIST_GZ, *NMNIST_ZIP)


def cache_folder() -> Path:
    """Where unpacked copies are kept: $NEUROBENCH_DATA, or the user's cache folder."""
    return Path(os.environ.get("NEUROBENCH_DATA") or platformdirs.user_cache_dir("neurobench"))


def checked_bytes(path: Path, declared: Declared, way_out: str) -> bytes:
    """The file's content, read once and compared with what is declared. Raises DataError with the way out."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {way_out}") from error
    if len(content) != declared.size:
        _refuse(path, f"{len(content)} bytes", f"{declared.size} bytes", way_out)
    if (digest := hashlib.sha256(content).hexdigest()) != declared.sha256:
        _refuse(path, f"sha256 {digest}", f"sha256 {declared.sha256}", way_out)
    return content


def _refuse(path: Path, actual: str, expected: str, way_out: str) -> NoReturn:
    raise DataError(f"{path}: found {actual}, expected {expected}; the file was not used. {way_out}")


def combined(digests: Iterable[str]) -> str:
    """One sha256 for several files: that of their hex digests, in order, one a line."""
    return hashlib.sha256("".join(digest + "\n" for digest in digests).encode()).hexdigest()


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


def bundled_folder(name: str) -> Path:
    """The folder of a data set's bundled files. Raises DataError for a name that has none."""
    if name not in FOLDERS:
        hint = did_you_mean(name, FOLDERS)
        raise DataError(f"no data files are known as {name!r}. There are {', '.join(FOLDERS)}.{hint}")
    return FOLDERS[name]
