"""Types that a checkpoint may contain: only these are read back without executing anything."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any

from neurobench.config.errors import UserError

_SINGLE = (type(None), bool, int, float, complex, str, bytes)
_SEVERAL = (list, tuple, set)
_NAMED = (dict, OrderedDict, Counter)


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
