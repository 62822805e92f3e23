"""The state of torch in which this package computes, whatever a notebook has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def usual_torch() -> Iterator[None]:
    """Context manager, also a decorator: torch's default dtype float32, default device cpu, gradients enabled.

    Elsewhere results would differ from those of the command line, or no derivative would be found. The caller's
    defaults are restored afterwards.
    """
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            if torch.get_default_device() != torch.device("cpu"):  # as a context, a device slows every call down
                stack.enter_context(torch.device("cpu"))
            yield
    finally:
        torch.set_default_dtype(before)
