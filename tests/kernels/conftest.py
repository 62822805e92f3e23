"""One thread: a test's arrays are too small to share, and two thread pools that spin take each other's cores."""

import numba
import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
    numba.set_num_threads(1)
