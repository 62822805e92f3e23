"""Any number of threads gives the same bits: what they share out, and what is summed over it, in one order."""

from types import SimpleNamespace
from typing import Any

import numba
import pytest

from neurobench.kernels import pace
from neurobench.models.learner import Step
from tests.models.slayer.conftest import learner, mock, recordings
from tests.models.slayer.test_learner import same_state

NETWORKS = {
    "dense": {"hidden": (70, 33)},
    "emulated chip": {"core": mock(), "hidden": (40,), "dropout": 0.3},
    "no norm, no delays": {"hidden": (40,), "weight_norm": False, "delay": False, "learn_decays": False},
    "convolutions": {"convolutions": ("6c5s2p2", "5c3"), "hidden": (20,)},
    "pools": {"convolutions": ("2a", "4c5s2p1", "2a"), "hidden": (), "weight_scale": 0.75, "threshold": 0.5},
}


def results(monkeypatch: pytest.MonkeyPatch, threads: int, settings: dict[str, Any]) -> list[Any]:
    """After three updates on 11 recordings: sums, state, tally and scores of others. Work is shared out as for so many
    threads, on those that there are."""
    monkeypatch.setattr(pace, "numba", SimpleNamespace(get_num_threads=lambda: 1))
    monkeypatch.setattr(numba, "get_num_threads", lambda: threads)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", max(threads, numba.config.NUMBA_NUM_THREADS))
    one, split = learner(lr=0.02, **settings), recordings().train
    sums = [one.learn(split.batch(slice(11 * k, 11 * k + 11)), Step(k, 3, k)) for k in range(3)]
    x = split.batch(slice(40, 53)).x
    tally = one.engine.run(one.arriving(x), one.quantized, counted=True).tally
    return [sums, one.state_dict(), tally, one.predict(x)]


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_learning_and_predicting(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    alone = results(monkeypatch, 1, settings)
    assert alone[2][0]["spikes"] > 0
    for threads in (2, 3, 7):
        assert same_state(alone, results(monkeypatch, threads, settings)), f"{threads} threads"
