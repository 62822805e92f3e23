"""Any number of threads gives the same bits: work is divided, and results are summed, in one fixed order."""

from types import SimpleNamespace
from typing import Any

import numba
import pytest

from neurobench.kernels import adaptive_threads
from neurobench.models.learner import Step
from tests.models.slayer.conftest import learner, mock, recordings
from tests.models.slayer.test_learner import same_state

NETWORKS = {
    "dense": {"hidden": (70, 33)},
    "emulated chip": {"core": mock(), "hidden": (40,), "dropout": 0.3},
    "clipped voltages": {"core": mock(state_bits=14), "hidden": (40,), "convolutions": ("4c5s2p2",)},
    "no norm, no delays": {"hidden": (40,), "weight_norm": False, "delay": False, "learn_decays": False},
    "convolutions": {"convolutions": ("6c5s2p2", "5c3"), "hidden": (20,)},
    "pools": {"convolutions": ("2a", "4c5s2p1", "2a"), "hidden": (), "weight_scale": 0.75, "threshold": 0.5},
}


def results(monkeypatch: pytest.MonkeyPatch, threads: int, settings: dict[str, Any]) -> list[Any]:
    """Sums, state, and tally and scores of other recordings, after three updates on 11 recordings. Work is divided as
    for `threads` threads, but runs on those available."""
    monkeypatch.setattr(adaptive_threads, "numba", SimpleNamespace(get_num_threads=lambda: 1))
    monkeypatch.setattr(numba, "get_num_threads", lambda: threads)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", max(threads, numba.config.NUMBA_NUM_THREADS))
    one, split = learner(lr=0.02, **settings), recordings().train
    sums = [one.learn(split.batch(slice(11 * k, 11 * k + 11)), Step(k, 3, k)) for k in range(3)]
    x = split.batch(slice(40, 53)).x
    tally = one.engine.run(one.arriving(x), one.quantized, counted=True).tally
    return [sums, one.state_dict(), tally, one.predict(x)]


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_learning_and_predicting_give_the_same_bits_for_any_number_of_threads(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = results(monkeypatch, 1, settings)
    assert alone[2][0]["spikes"] > 0
    for threads in (2, 3, 7):
        assert same_state(alone, results(monkeypatch, threads, settings)), f"{threads} threads"
