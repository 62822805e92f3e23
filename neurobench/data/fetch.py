"""Downloading the official sets by torchvision's and tonic's downloaders: into a staging folder, checked, then moved.

What a download leaves half-written never reaches the place where it would be read.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from neurobench.data.dataset import DataError
from neurobench.data.files import MNIST_RAW, bundled_folder, checked_bytes
from neurobench.data.nmnist import OFFICIAL

SILENCE = 60  # seconds without a byte after which a server counts as gone; both downloaders would wait for ever


def fetch(name: str, root: str) -> Path:
    """Download the full, official set into `root`, to be read with dataset.root=ROOT. Raises DataError."""
    bundled_folder(name)  # refuses unknown names
    folder = Path(root).expanduser()
    {"mnist": _fetch_mnist, "nmnist": _fetch_nmnist}[name](folder)
    return folder


def _fetch_mnist(root: Path) -> None:
    """The four files, unpacked, under ROOT/MNIST/raw."""
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
    """60,000 and 10,000 recordings under ROOT/NMNIST/Train and ROOT/NMNIST/Test; 1.2 GB and some patience."""
    from tonic.datasets import NMNIST
    from tonic.download_utils import download_url

    sources = {"Train": (NMNIST.train_url, NMNIST.train_md5), "Test": (NMNIST.test_url, NMNIST.test_md5)}
    for split, (url, md5) in sources.items():
        final = root / "NMNIST" / split
        if final.exists():
            if (n := sum(1 for _ in final.glob("?/*.bin"))) == OFFICIAL[split]:
                continue
            raise DataError(f"{final}: is there with {n} of {OFFICIAL[split]} recordings. Remove it to fetch anew.")
        with _staging(root) as staging:
            with _readable_errors(url):
                download_url(url, str(staging), f"{split}.zip", md5)
            extract(staging / f"{split}.zip", split, staging, OFFICIAL[split])
            final.parent.mkdir(parents=True, exist_ok=True)
            (staging / split).replace(final)


def extract(archive: Path, split: str, into: Path, n: int) -> None:
    """Unpack SPLIT/<digit>/<number>.bin, n of them, and nothing else. Raises DataError.

    A member whose path would leave the folder condemns the archive; nothing of it is unpacked.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise DataError(f"{archive}: is not a zip archive, or was cut ({error}). Fetch again.") from error
    with opened:
        members = opened.namelist()
        for member in members:
            parts = PurePosixPath(member.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or ":" in member:
                raise DataError(f"{archive}: its member {member!r} would be written elsewhere. Nothing was unpacked.")
        recordings = [member for member in members if re.fullmatch(rf"{split}/[0-9]/[0-9]{{5}}\.bin", member)]
        if len(recordings) != n:
            raise DataError(f"{archive}: holds {len(recordings)} recordings, expected {n}. Nothing was unpacked.")
        try:
            opened.extractall(into, recordings)  # checks each member's CRC
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
            raise DataError(f"{archive}: could not be unpacked ({error}). Fetch again.") from error


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """A folder on the same disk as `root`, gone afterwards, from which whole results are moved by renaming."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".fetch-", dir=root))
    except OSError as error:
        raise DataError(f"{root}: cannot be written ({error.strerror}). Give a folder that can.") from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _readable_errors(url: str) -> Iterator[None]:
    """Turn what a downloader raises into a sentence, and do not wait for a silent server."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    except (OSError, RuntimeError, EOFError, HTTPException) as error:  # URLError is an OSError
        reason = " ".join(str(error).split())
        raise DataError(
            f"the download from {url} failed: {reason} Nothing was kept. Check the network and try again; the bundled "
            "files need none."
        ) from error
    finally:
        socket.setdefaulttimeout(before)
