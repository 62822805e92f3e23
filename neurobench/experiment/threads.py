"""Number of threads of a run, in libraries and in the kernels of this package."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from neurobench.storage.provenance import cores

if TYPE_CHECKING:
    from neurobench.experiment.plan import Plan

MOST = 4  # maximum for `auto`: kernels distribute small batches, and every further thread gains less
SPIN = "10000"  # iterations that a waiting thread spins: about 0.2 ms
_LIMIT = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # set by the parent process; runs overwrite it


class Threads(NamedTuple):
    libraries: int  # torch's and BLAS's, whose sums round differently with another number
    kernels: int  # of compiled kernels


def threads_of(plan: Plan) -> Threads:
    """Threads that a run requests. `auto`: one for libraries; for kernels several if that changes no bit of the model's
    results, but no more than this process may use."""
    given = plan.run.threads
    if given != "auto":
        return Threads(given, given)
    limit = int(_LIMIT) if _LIMIT.isdecimal() and int(_LIMIT) else MOST
    return Threads(1, min(limit, MOST, cores()) if plan.model.any_threads else 1)


def pin_threads(threads: Threads) -> None:
    """Pin every pool. The variables affect libraries that are loaded later, the calls those already loaded."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads.libraries)
    # Between two loops of a kernel a thread spins: waking it takes longer than many loops, milliseconds on some virtual
    # machines. It spins only briefly: torch and numba have a pool each, and spinning threads occupy the other's cores.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN)
    import numba
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads.libraries)
    numba.set_num_threads(min(threads.kernels, numba.config.NUMBA_NUM_THREADS))
    threadpool_limits(threads.libraries)
