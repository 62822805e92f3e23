"""Data files known by name, size and hash: locating them, reading them with checks, downloading the official sets.

A file that does not match its declaration bit for bit is refused with a message and never used. The downloaders are
those of torchvision and tonic; partly written files never reach the place from which they would be read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import socket
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from neurobench.config.errors import did_you_mean
from neurobench.config.home import user_cache
from neurobench.data.dataset import DataError

BUNDLED = Path(__file__).parent / "bundled"
FOLDERS = {"mnist": BUNDLED / "mnist", "nmnist": BUNDLED / "nmnist_1k"}
OFFICIAL = {"Train": 60_000, "Test": 10_000}  # recordings of the full N-MNIST, numbered from 1
LARGEST = 4 * 2**30  # most bytes that an archive may unpack to: the full N-MNIST has 1.2 GB
SILENCE = 60  # seconds without a byte after which a server counts as gone; both downloaders would wait for ever
REINSTALL = "Reinstall the package: it ships this file."


class Declared(NamedTuple):
    """Declared name, size and hash of a file."""

    name: str  # including its folder
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
# The same four files unpacked, at the paths under a root where torchvision puts them.
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
    """Folder of unpacked copies: $NEUROBENCH_DATA, or the user's cache folder."""
    return Path(os.environ.get("NEUROBENCH_DATA") or user_cache())


def checked_bytes(path: Path, declared: Declared, remedy: str) -> bytes:
    """Content of a file, read once and compared with its declaration. Raises DataError with the remedy."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). {remedy}") from error
    return checked(content, str(path), declared, remedy)


def checked(content: bytes, name: str, declared: Declared, remedy: str) -> bytes:
    """Check bytes that have already been read, and return them. Raises DataError with the remedy."""
    digest = hashlib.sha256(content).hexdigest()
    sizes, digests = (len(content), declared.size), (digest, declared.sha256)
    for actual, expected in ((f"{n} bytes" for n in sizes), (f"sha256 {one}" for one in digests)):
        if actual != expected:
            raise DataError(f"{name}: found {actual}, expected {expected}; the file was not used. {remedy}")
    return content


def combined(digests: Iterable[str]) -> str:
    """One sha256 for several files: that of their hex digests, in order, one per line."""
    return hashlib.sha256("".join(digest + "\n" for digest in digests).encode()).hexdigest()


class Verdict(NamedTuple):
    """Result of checking one file."""

    name: str
    ok: bool
    sentence: str


def verify() -> list[Verdict]:
    """Check the hash of every bundled file, and of every unpacked copy in the cache folder."""
    remake = "It will not be used: the next run makes it again."
    bundled = [(BUNDLED / declared.name, declared, REINSTALL) for declared in ALL_BUNDLED]
    cached = [(cache_folder() / declared.name, declared, remake) for declared in MNIST_RAW]
    verdicts = []
    for path, declared, remedy in [*bundled, *(entry for entry in cached if entry[0].exists())]:
        try:
            checked_bytes(path, declared, remedy)
        except DataError as error:
            verdicts.append(Verdict(declared.name, False, str(error)))
        else:
            verdicts.append(Verdict(declared.name, True, f"{path}: {declared.size} bytes, sha256 as declared"))
    return verdicts


def bundled_folder(name: str) -> Path:
    """Folder of a data set's bundled files. Raises DataError if the name has none."""
    if name not in FOLDERS:
        hint = did_you_mean(name, FOLDERS)
        raise DataError(f"there are no data files named {name!r}. There are {', '.join(FOLDERS)}.{hint}")
    return FOLDERS[name]


def fetch(name: str, root: str) -> Path:
    """Download the full, official set into `root`, to be read with dataset.root=ROOT. Raises DataError."""
    bundled_folder(name)  # refuses unknown names
    folder = Path(root).expanduser()
    {"mnist": _fetch_mnist, "nmnist": _fetch_nmnist}[name](folder)
    return folder


def _fetch_mnist(root: Path) -> None:
    """Download the four files, unpacked, into ROOT/MNIST/raw."""
    from torchvision.datasets import MNIST

    with _staging(root) as staging:
        with _readable_errors(MNIST.mirrors[0]):
            MNIST(staging, download=True)
        for raw in MNIST_RAW:
            checked_bytes(staging / raw.name, raw, "Fetch again.")
        for raw in MNIST_RAW:
            (root / raw.name).parent.mkdir(parents=True, exist_ok=True)
            (staging / raw.name).replace(root / raw.name)


def _fetch_nmnist(root: Path) -> None:
    """Download 60,000 and 10,000 recordings into ROOT/NMNIST/Train and ROOT/NMNIST/Test; 1.2 GB, which takes time."""
    from tonic.datasets import NMNIST
    from tonic.download_utils import download_url

    sources = {"Train": (NMNIST.train_url, NMNIST.train_md5), "Test": (NMNIST.test_url, NMNIST.test_md5)}
    for split, (url, md5) in sources.items():
        final = root / "NMNIST" / split
        if final.exists():
            if (n := sum(1 for _ in final.glob("?/*.bin"))) == OFFICIAL[split]:
                continue
            raise DataError(f"{final}: exists with {n} of {OFFICIAL[split]} recordings. Remove it to fetch it again.")
        with _staging(root) as staging:
            with _readable_errors(url):
                download_url(url, str(staging), f"{split}.zip", md5)
            extract(staging / f"{split}.zip", split, staging, OFFICIAL[split])
            final.parent.mkdir(parents=True, exist_ok=True)
            (staging / split).replace(final)


def extract(archive: Path, split: str, into: Path, n: int) -> None:
    """Unpack the n recordings SPLIT/<digit>/<number>.bin and nothing else. Raises DataError.

    If the path of any member would leave the folder, nothing of the archive is unpacked.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise DataError(f"{archive}: is not a zip archive, or is truncated ({error}). Fetch again.") from error
    with opened:
        members = opened.namelist()
        for member in members:
            parts = PurePosixPath(member.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in member:
                raise DataError(
                    f"{archive}: its member {member!r} would be written outside the folder. Nothing was unpacked."
                )
        if sum(member.file_size for member in opened.infolist()) > LARGEST:
            raise DataError(f"{archive}: would unpack to more than {LARGEST >> 30} GiB. Nothing was unpacked.")
        recordings = [member for member in members if re.fullmatch(rf"{split}/[0-9]/[0-9]{{5}}\.bin", member)]
        if len(recordings) != n:
            raise DataError(f"{archive}: contains {len(recordings)} recordings, expected {n}. Nothing was unpacked.")
        try:
            opened.extractall(into, recordings)  # checks each member's CRC
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
            raise DataError(f"{archive}: could not be unpacked ({error}). Fetch again.") from error


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """Context manager: a temporary folder on the disk of `root`, from which complete results are moved by renaming."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".fetch-", dir=root))
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror}). Give a writable folder.") from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _readable_errors(url: str) -> Iterator[None]:
    """Context manager: turn a downloader's errors into readable messages, and do not wait for a silent server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    except (OSError, RuntimeError, EOFError, HTTPException) as error:  # URLError is an OSError
        reason = " ".join(str(error).split())
        raise DataError(
            f"the download from {url} failed: {reason} Nothing was stored. Check the network and try again; the "
            "bundled files need none."
        ) from error
    finally:
        socket.setdefaulttimeout(before)
