"""The torch engine against the compiled one: the same gradients, readouts and spike counts of every neuron."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neurobench.models.eprop.minibatch import MinibatchEngine
from neurobench.models.eprop.minibatch_torch import TorchMinibatchEngine
from neurobench.models.eprop.network import draw
from neurobench.models.learner import Step
from tests.models.eprop.conftest import CPU, learner
from tests.models.eprop.test_minibatch import SMALL, sample

DELTA = {"hard_reset": True, "v_reset": -0.5, "refractory": 3}
ADAPT = {"adapt_beta": 0.3, "rho": 0.95}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"refractory": 3, "v_min": -0.1, "surrogate": 1},
    {**ADAPT, "surrogate": 2},
    {**DELTA, "surrogate": 3},
    {**DELTA, **ADAPT, "refractory_input": True},
]


def both(device: torch.device, dtype: Any = np.float64, **changed: Any) -> Any:
    weights = draw(3, 9, 7, 3, 0.01, (0.2, 0.4, 0.0))
    weights = weights._replace(w_in=3 * weights.w_in, w_rec=2 * weights.w_rec)
    c = SMALL._replace(**changed)
    return MinibatchEngine(c, weights, dtype), TorchMinibatchEngine(c, weights, device, dtype)


def agree(engines: Any, rtol: float, labels: tuple[int, ...] = (0, 2, -1, 1)) -> None:
    """Check that the engines agree. A sample without a label has a response and no gradient. Filtered firing continues
    from the last batch."""
    spikes, _ = sample(0, 4)
    for _ in range(2):
        compiled, torched = (engine.train_batch(spikes, np.array(labels), 1e-4, 0) for engine in engines)
        np.testing.assert_allclose(torched.window, compiled.window, rtol=0, atol=rtol)
        np.testing.assert_array_equal(torched.counts, compiled.counts)
    assert compiled.counts.sum() > 10
    for engine in engines:
        engine.gradients(spikes, np.array(labels))
    for ours, wanted in zip(engines[1].grads, engines[0].grads, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=rtol * np.abs(wanted).max())
        assert np.abs(wanted).max() > 0


@pytest.mark.parametrize("changed", VARIANTS)
def test_gradients_of_every_neuron_variant_match_the_compiled_kernel(changed: dict[str, Any]) -> None:
    agree(both(CPU, **changed), 1e-12)


def test_gradients_of_softmax_errors_match_the_compiled_kernel() -> None:
    agree(both(CPU, softmax=True), 1e-12)


def test_a_state_of_the_compiled_engine_resumes_in_the_torch_engine() -> None:
    compiled, torched = both(CPU, adam=True)
    spikes, _ = sample(1, 4)
    labels = np.array([0, 2, 1, 1])
    compiled.train_batch(spikes, labels, 1e-3, 0)
    torched.load_state_dict(compiled.state_dict())
    for engine in (compiled, torched):
        engine.train_batch(spikes, labels, 1e-3, 1)
    for ours, wanted in zip(torched.weights(), compiled.weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-9)


def test_single_precision_on_real_recordings_matches_the_compiled_engine(
    recordings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More samples than the engine takes at once."""
    monkeypatch.setattr("neurobench.models.eprop.minibatch_torch._AT_ONCE", 3)
    compiled = learner(engine="minibatch")
    torched = TorchMinibatchEngine(compiled.c, compiled.initial, CPU)
    batch = recordings.train.batch(slice(0, 4))
    spikes = compiled.inputs.encode(batch.x, 300)
    answers = [engine.gradients(spikes, batch.y.numpy()) for engine in (compiled.engine, torched)]  # type: ignore[attr-defined]
    np.testing.assert_allclose(answers[1].window, answers[0].window, atol=1e-4)
    for ours, wanted in zip(torched.grads, compiled.engine.grads, strict=True):  # type: ignore[attr-defined]
        np.testing.assert_allclose(ours, wanted, atol=2e-3 * np.abs(wanted).max())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_matches_the_compiled_engine_and_repeats_itself(recordings: Any) -> None:
    agree(both(torch.device("cuda")), 1e-10)
    made = learner(engine="minibatch", device=torch.device("cuda"))
    again = learner(engine="minibatch", device=torch.device("cuda"))
    batch = recordings.train.batch(slice(0, 20))
    sums = [one.learn(batch, Step(0, 1, 0)) for one in (made, again)]
    assert sums[0] == sums[1]
