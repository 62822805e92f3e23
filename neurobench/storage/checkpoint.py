"""Writing of a checkpoint, which may contain only types that are read back without executing anything."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from neurobench.config.errors import UserError
from neurobench.storage.atomic import replacing

_SINGLE = (type(None), bool, int, float, complex, str, bytes)
_SEVERAL = (list, tuple, set)
_NAMED = (dict, OrderedDict, Counter)


class _Stream:
    """A file that reports an error afterwards: an exception in the midst of torch's writer becomes one of its own."""

    def __init__(self, file: BinaryIO):
        self.file, self.flush = file, file.flush
        self.fault: OSError | None = None

    def write(self, data: Any) -> int:
        if self.fault is None:
            try:
                self.file.write(data)
            except OSError as error:  # the disk is full
                self.fault = error
        return len(data)


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state. Raises UserError if it could not be read back, and Unwritable."""
    import torch

    plain = dict(state)
    require_plain(plain)
    with replacing(path) as file:
        stream = _Stream(file)
        torch.save(plain, cast(IO[bytes], stream))  # not first into memory, which would then hold three networks
        if stream.fault is not None:
            raise stream.fault


def require_plain(state: dict[str, Any]) -> None:
    """Check that a state can be read back. Raises UserError that names the first entry which could only be written."""
    for path, kind in _foreign(state, ""):
        raise UserError(
            f"a checkpoint cannot contain {path}, which is a {kind}: it could not be read back. A learner's state_dict "
            "contains tensors, numbers and strings, in dicts and lists; convert NumPy arrays with torch.from_numpy(x), "
            "NumPy numbers with float(x)."
        )


def _foreign(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and type of each value of another type. Types are compared exactly: a subclass is stored by its class."""
    import torch

    kind = type(value)
    if kind in _NAMED:
        for key, each in value.items():
            yield from _foreign(key, f"{path}[{key!r}]")
            yield from _foreign(each, f"{path}[{key!r}]")
    elif kind in _SEVERAL:
        for place, each in enumerate(value):
            yield from _foreign(each, f"{path}[{place}]")
    elif kind not in _SINGLE and not isinstance(value, (torch.Tensor, torch.dtype, torch.device, torch.Size)):
        yield path, f"{kind.__module__}.{kind.__qualname__}"
