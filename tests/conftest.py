"""Tests run on one thread: small arrays are not worth splitting, and spinning thread pools take each other's cores."""

import gc
import os
import signal
from collections.abc import Iterator

import pytest

# Set before numpy, torch and numba are imported, and inherited by the processes that tests start.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

# A shell starts background jobs with Ctrl-C ignored, and the processes that tests start would inherit this.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Likewise nohup and a closed terminal; a process that tests start forgets a handler, but not that a signal is ignored.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# xdist passes the width of its own terminal to the processes that run tests; a user's pipe has no width.
os.environ.pop("COLUMNS", None)

# Garbage collection over all objects that torch and its dependencies create took an eighth of the tests' time.
gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one worker more than there are cores: tests of schedulers, devices and killed processes mostly wait."""
    from neurobench.storage.provenance import cores

    return cores() + 1


def pytest_collection_finish() -> None:
    """Exempt all objects that exist after the imports from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Limit Numba to one thread: its pool is as wide as the machine whatever the variables say. Tests of thread counts
    widen it again."""
    import numba

    numba.set_num_threads(1)


@pytest.fixture(autouse=True)
def allowed_code() -> Iterator[None]:
    """Code that a test allows is allowed in no other test, where it would also keep tables from being cached."""
    from neurobench.config import targets

    files, names, variable = dict(targets.PLUGIN_FILES), targets.ALLOWED, os.environ.get(targets.ALLOW)
    yield
    targets.PLUGIN_FILES.clear()
    targets.PLUGIN_FILES.update(files)
    targets.ALLOWED = names
    os.environ.pop(targets.ALLOW, None)
    if variable is not None:
        os.environ[targets.ALLOW] = variable
