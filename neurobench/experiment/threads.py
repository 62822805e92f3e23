"""How many threads a run has, in the libraries and in its own kernels."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from neurobench.storage.provenance import cores

if TYPE_CHECKING:
    from neurobench.experiment.plan import Plan

MOST = 4  # that `auto` takes: kernels share small batches out, and every further thread gains less
SPIN = "10000"  # turns that a thread waits awake: some 0.2 ms
_LIMIT = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # of whoever started this process; runs set it anew


class Threads(NamedTuple):
    libraries: int  # torch's and BLAS's, whose sums come out otherwise with another number
    kernels: int  # of compiled kernels


def threads_of(plan: Plan) -> Threads:
    """As the run says. `auto`: one for libraries; for kernels several where that changes no bit of the model's results,
    no more than this process may use."""
    given = plan.run.threads
    if given != "auto":
        return Threads(given, given)
    limit = int(_LIMIT) if _LIMIT.isdecimal() and int(_LIMIT) else MOST
    return Threads(1, min(limit, MOST, cores()) if plan.model.any_threads else 1)


def pin_threads(threads: Threads) -> None:
    """Pin every pool. The variables act on libraries that are loaded later, the calls on those already there."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads.libraries)
    # Between two loops of a kernel a thread waits awake: to wake it takes longer than many a loop, milliseconds on some
    # virtual machines. Not for long: torch and numba bring a pool each, and threads that wait take the other's cores.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads.libraries)
    numba.set_num_threads(min(threads.kernels, numba.config.NUMBA_NUM_THREADS))
    threadpool_limits(threads.libraries)
