"""The state of torch in which this package computes, whatever a notebook has set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_LOCK = threading.Lock()
_dtypes: list[Any] = []  # default dtypes when a thread entered: the caller's, then float32 for each further one


@contextmanager
def usual_torch() -> Iterator[None]:
    """Context manager, also a decorator: torch's default dtype float32, default device cpu, gradients enabled.

    Elsewhere results would differ from those of the command line, or no derivative would be found. The caller's
    defaults are restored afterwards, and the dtype, which all threads share, once no thread computes.
    """
    import torch

    with _LOCK:
        _dtypes.append(torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            if torch.get_default_device() != torch.device("cpu"):  # as a context, a device slows every call down
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        with _LOCK:
            before = _dtypes.pop()
            if not _dtypes:
                torch.set_default_dtype(before)
