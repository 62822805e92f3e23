"""The N-MNIST recordings that ship with the package, read straight from their archives."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import partial

from neurobench.data.aer import Recording, decode
from neurobench.data.files import BUNDLED, NMNIST_TEST, NMNIST_TRAIN, REINSTALL, Declared, checked_bytes
from neurobench.data.recordings import Found, identify, in_order


def bundled() -> tuple[list[Found], list[Found]]:
    """The 1000 training and the 100 test recordings, by number. Raises DataError where an archive was altered."""
    return _members(NMNIST_TRAIN), _members(NMNIST_TEST)


def _members(declared: Declared) -> list[Found]:
    archive = zipfile.ZipFile(io.BytesIO(checked_bytes(BUNDLED / declared.name, declared, REINSTALL)))
    found = []
    for member in archive.infolist():
        label, number = identify(member.filename)
        name = f"{declared.name}:{member.filename}"
        found.append(Found(name, number, label, member.file_size, partial(_read, archive, member.filename, name)))
    return in_order(found)


def _read(archive: zipfile.ZipFile, member: str, name: str) -> tuple[Recording, str]:
    raw = archive.read(member)
    return decode(raw, name), hashlib.sha256(raw).hexdigest()
