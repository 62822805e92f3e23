"""Tests run on one thread: small arrays are not worth sharing, and pools that spin take each other's cores."""

import gc
import os
import signal

import pytest

# Before numpy, torch and numba are loaded, and inherited by the processes that tests start.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

# A shell starts what it puts in the background with Ctrl-C ignored, and what a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# xdist tells the processes that run tests how wide its own terminal is; a user's pipe knows of none.
os.environ.pop("COLUMNS", None)

# Looking for garbage among all that torch and its company have made was an eighth of the time of tests.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    """What has been imported by now is not looked through again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Numba's pool is as wide as the machine whatever the variables say; tests of thread counts widen it again."""
    import numba

    numba.set_num_threads(1)
