"""The neuron iaf_bsshslm_2020 equals NEST's: spikes, readouts, and weights after the updates of 12 samples.

The vectors are NEST 3.10's own (vectors/make_bsshslm_2020.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from neurobench.config.bounds import BoundsError
from neurobench.config.schema import Scale, Training
from neurobench.experiment.identity import identity
from neurobench.metrics.operations import total
from neurobench.models.eprop.evaluation import of_engine, operations
from neurobench.models.eprop.figures import figures, run_sample
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.minibatch import BsshslmEngine, simulate
from neurobench.models.eprop.network import from_matrices
from neurobench.models.eprop.spec import BSSHSLM, BSSHSLM_FIELDS, EpropRSNN
from neurobench.models.learner import Step, TrainingRecord
from tests.models.eprop.conftest import TINY, VECTORS, T, learner, tiny_spikes
from tests.specs import spec, values

C = TINY._replace(kappa=math.exp(-1 / 100), c_reg=2.0 / T)
EARLY = {"gain": 1 - C.alpha, "gain_out": 1 - C.alpha_out}
REFRACTORY = {"refractory": 3, "v_min": -0.1, "surrogate": 1}
# batch, learning rate, factor on W_in and W_rec, changed constants
SETTINGS: dict[str, tuple[int, float, float, dict[str, Any]]] = {
    "batch_1": (1, 2e-4, 1.0, {}),
    "batch_3": (3, 2e-4, 1.0, {}),
    "early_arrival": (1, 1e-2, 20.0, EARLY),
    "average_gradient": (2, 1e-3, 1.0, {"average": True}),
    "adam": (2, 1e-3, 1.0, {"adam": True}),
    "refractory": (1, 2e-4, 1.0, REFRACTORY),
    "cross_entropy": (1, 2e-4, 1.0, {"softmax": True}),
}


def engine(name: str, dtype: Any = np.float64) -> BsshslmEngine:
    _, _, gain, changed = SETTINGS[name]
    tiny = np.load(VECTORS / "tiny_gd.npz")
    weights = from_matrices(gain * tiny["w_in0"], gain * tiny["w_rec0"], tiny["w_out0"], tiny["B"])
    return BsshslmEngine(C._replace(**changed), weights, dtype)


@pytest.mark.parametrize("name", SETTINGS)
def test_spike_counts_readouts_and_weights_equal_nests(name: str) -> None:
    nest, made, (batch, rate, *_) = np.load(VECTORS / "bsshslm_2020.npz"), engine(name), SETTINGS[name]
    before = made.weights()
    for k in range(12 // batch):
        some = slice(batch * k, batch * k + batch)
        answer = made.train_batch(tiny_spikes(nest, batch * k, batch), nest["labels"][some], rate, k)
        np.testing.assert_allclose(answer.window, nest[f"{name}_y"][some], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(answer.counts, nest[f"{name}_z"][some].sum(1))
    assert nest[f"{name}_z"].sum() > 300
    for ours, key, first in zip(made.weights(), ("w_in", "w_rec", "w_out"), before, strict=True):
        changed = np.abs(nest[f"{name}_{key}"] - first).max()
        assert changed > 1e-4
        np.testing.assert_allclose(ours, nest[f"{name}_{key}"], rtol=0, atol=1e-11 * changed)


@pytest.mark.parametrize("name", ["early_arrival", "refractory"])
def test_every_spike_and_readout_of_a_simulated_sample_equals_nests(name: str) -> None:
    """Values used in figures and counts: every spike, and the readouts of the window."""
    nest, made = np.load(VECTORS / "bsshslm_2020.npz"), engine(name)
    weights = made.weights()
    one = simulate(made.c, made.numbers, weights, tiny_spikes(nest), 0)
    np.testing.assert_array_equal(one.z, nest[f"{name}_z"][0])
    np.testing.assert_allclose(one.y[-10:], nest[f"{name}_y"][0], rtol=0, atol=1e-14)
    drawn = run_sample(made.c, from_matrices(*weights, made.B.T[:8]), tiny_spikes(nest, 0, 1), 0, made.numbers)
    np.testing.assert_array_equal(drawn.z[2:], one.z[:-2])
    np.testing.assert_allclose(drawn.L[-1], drawn.error[-2] @ made.B[:, :8], rtol=1e-12)


def test_float32_agrees_with_float64() -> None:
    nest = np.load(VECTORS / "bsshslm_2020.npz")
    single, double = (engine("batch_3", kind) for kind in (np.float32, np.float64))
    answers = [one.gradients(tiny_spikes(nest, 0, 3), nest["labels"][:3]) for one in (single, double)]
    np.testing.assert_allclose(answers[0].window, answers[1].window, atol=1e-6)
    for ours, wanted in zip(single.grads, double.grads, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_operation_counts_match_a_hand_worked_sample() -> None:
    """One input, two neurons, five steps. The input's spike in step 0 reaches no neuron, that in step 1 brings neuron 0
    to 1.0: it fires, is at alpha - 0.6 in step 2 and decays; its spike reaches neuron 1 (+0.3) and the readout."""
    c = C._replace(T=5, W=2, inputs=1, N=2, K=1)
    w_in, w_rec, w_out = np.array([[1.0], [0.0]]), np.array([[0.0, 0.0], [0.3, 0.0]]), np.array([[0.5, 0.5]])
    made = BsshslmEngine(c, from_matrices(w_in, w_rec, w_out, np.zeros((2, 1))), np.float64)
    spikes = Spikes(np.array([0, 1, 2, 2, 2, 2, 2]), np.zeros(2, np.int64))
    counted = of_engine(made, spikes, 1)
    one = simulate(c, made.numbers, made.weights(), spikes, 0)
    np.testing.assert_allclose(one.v[:3, 0], [0.0, 1.0, c.alpha - 0.6], rtol=1e-15)
    np.testing.assert_allclose(one.v[2:4, 1], [0.3, c.alpha * 0.3], rtol=1e-15)
    hidden, readout = counted.populations
    assert hidden.active == 1
    assert hidden.updates == (1 + 4) + (1 + 3)  # the first step counts; neuron 0 changes from 1 on, neuron 1 from 2
    assert readout.updates == 1 + 3  # the first step, and from step 2 on
    figures, _ = total([counted])
    assert figures["effective_acs"] == 1 + 1 + 1


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"engine": "exact"},
        "engine='exact' updates at spikes, neuron=iaf_bsshslm_2020 after samples: set engine=minibatch",
    ),
    ({"engine": "online", "optimizer": "gradient_descent"}, "engine='online' updates at spikes"),
    ({"cutoff": 5}, "cutoff=5 does not apply to neuron=iaf_bsshslm_2020"),
    ({"kappa_reg": 0.5}, "kappa_reg=0.5 does not apply to neuron=iaf_bsshslm_2020"),
    (
        {"neuron": "iaf", "regular_spike_arrival": False},
        "=False is for neuron=iaf_bsshslm_2020; neuron=iaf needs regular_spike_arrival=True",
    ),
    ({"neuron": "iaf", "average_gradient": True}, "average_gradient=True is for neuron=iaf_bsshslm_2020"),
]


@pytest.mark.parametrize(("fields", "sentence"), REFUSED)
def test_settings_that_do_not_combine_are_refused_with_their_reason(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        spec("model/eprop_rsnn", **{"neuron": "iaf_bsshslm_2020", **fields})
    assert sentence in str(refusal.value)


def test_fields_added_later_ship_with_their_defaults_and_count_in_the_identity_if_changed() -> None:
    """The neuron's fields were added later: at their defaults they do not count."""

    shipped = values("model/eprop_rsnn")
    for name, value in BSSHSLM_FIELDS.items():
        assert EpropRSNN.__dataclass_fields__[name].default == value == shipped[name]
    training, scale = Training(1, 1, True, "train_loss", None, 0.0), Scale("paper", None, None, None)
    hashes = {
        identity({"model": spec("model/eprop_rsnn", neuron=BSSHSLM, average_gradient=average)}, training, scale, 0)
        for average in (False, True)
    }
    assert len(hashes) == 2


def test_real_recordings_are_learned_counted_and_drawn(recordings: Any) -> None:
    made = learner(neuron="iaf_bsshslm_2020", lr=1e-2, lr_out=1.0)
    batch = recordings.train.batch(slice(0, 20))
    losses = [made.learn(batch, Step(k, 8, 0)).loss or 0.0 for k in range(8)]
    assert losses[-1] < 0.9 * losses[0]
    some = recordings.train.batch(slice(0, 2)).x
    counted = operations(made, some)
    assert counted.populations[0].active == int(made.respond(some).counts.sum()) > 0
    assert "dynamic_variables_after_training" in figures(made, recordings.test, TrainingRecord())
