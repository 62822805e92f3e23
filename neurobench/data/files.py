"""Files known by name, size and hash, and the one way to read them: checked.

A file that is not, bit for bit, what its entry declares is refused with a sentence and never used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import platformdirs

from neurobench.data.dataset import DataError

BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class Declared:
    """What a file must be."""

    name: str  # with the folder that it lies in
    size: int  # bytes
    sha256: str


MNIST_GZ = (
    Declared(
        "mnist/train-images-idx3-ubyte.gz",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    Declared(
        "mnist/train-labels-idx1-ubyte.gz",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    Declared(
        "mnist/t10k-images-idx3-ubyte.gz",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    Declared(
        "mnist/t10k-labels-idx1-ubyte.gz",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
# The same four, unpacked, where torchvision looks for them under a root.
MNIST_RAW = (
    Declared(
        "MNIST/raw/train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    Declared(
        "MNIST/raw/train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    Declared(
        "MNIST/raw/t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    Declared(
        "MNIST/raw/t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
NMNIST_TRAIN = Declared(
    "nmnist_1k/Train.zip", 16_716_273, "c7f514993f80641725417ce729990f324c3bd0ab9d671ff0941d2ab06a210219"
)
NMNIST_TEST = Declared(
    "nmnist_1k/Test.zip", 1_558_396, "672a5ead7eb6d53bb40035afa7528ea176ec76e76257f87550c032f966bce13f"
)
ALL_BUNDLED = (*MNIST_GZ, NMNIST_TRAIN, NMNIST_TEST)

REINSTALL = "Reinstall the package: it ships this file."


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
        refuse(path, f"{len(content)} bytes", f"{declared.size} bytes", way_out)
    if (found := hashlib.sha256(content).hexdigest()) != declared.sha256:
        refuse(path, f"sha256 {found}", f"sha256 {declared.sha256}", way_out)
    return content


def refuse(path: Path, found: str, expected: str, way_out: str) -> NoReturn:
    raise DataError(f"{path}: found {found}, expected {expected}; the file was not used. {way_out}")


def combined(digests: Iterable[str]) -> str:
    """One sha256 for several files: that of their hex digests, in order, one a line."""
    return hashlib.sha256("".join(digest + "\n" for digest in digests).encode()).hexdigest()
