"""Threads and device of the machine at hand."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from neurobench.config.errors import UserError

if TYPE_CHECKING:
    import torch


def pin_threads(threads: int) -> None:
    """Pin every pool. The variables act on libraries that are loaded later, the calls on those already there."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    # torch and numba bring an OpenMP pool each; threads of one that spin while they wait take the other's cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    threadpool_limits(threads)


def pick_device(asked: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises UserError where `cuda` is asked for and absent."""
    import torch

    present = torch.cuda.is_available()
    if asked == "cuda" and not present:
        raise UserError("device=cuda: torch finds no CUDA device here. Use device=cpu or device=auto.")
    return torch.device("cuda" if present and asked != "cpu" else "cpu")
