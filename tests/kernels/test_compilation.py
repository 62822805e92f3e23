"""Compilation is a separate phase, excluded from every clock that times the work."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from numba import njit
from numba.core.event import end_event, start_event

from neurobench.data.dataset import Batch
from neurobench.experiment.loop import Loop
from neurobench.kernels import compilation
from neurobench.kernels.compilation import COMPILING, named_compilation, working_time
from neurobench.models.learner import Step, Sums
from neurobench.phases import innermost
from tests.experiment.test_loop import EMPTY, PLAN, Silent
from tests.toy import Softmax, blobs


def test_working_time_stops_while_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(compilation, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    with named_compilation() as compiled:
        now[0] += 2
        assert (working_time(), compiled.seconds) == (102, 0)
        start_event("numba:compile")
        now[0] += 5
        start_event("numba:compile")  # of a callee
        now[0] += 10
        running = innermost()
        assert (working_time(), compiled.seconds) == (102, 15)
        assert running is not None
        assert running.name == COMPILING
        end_event("numba:compile")
        now[0] += 1
        end_event("numba:compile")
        now[0] += 3
        assert (working_time(), compiled.seconds) == (105, 16)
        assert innermost() is not running
    assert working_time() == now[0]


def test_training_time_excludes_the_compilation_of_kernels() -> None:
    @njit
    def kernel(x: np.ndarray) -> float:
        return x.sum()

    class Compiling(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            kernel(np.zeros(1))  # compiled the first time
            return super().learn(batch, at)

    begun = time.perf_counter()
    with named_compilation() as compiled:
        loop = Loop(Compiling(), blobs(21), EMPTY, PLAN, 5, None, Silent())
        loop.run()
    elapsed = time.perf_counter() - begun
    assert 0 < compiled.seconds < elapsed
    assert 0 < loop.position.seconds <= elapsed - compiled.seconds
