"""The engine `exact` equals NEST 3.10 bit for bit. The vectors are recorded from NEST; their row n is step n here."""

from __future__ import annotations

import ast
import hashlib
import math
import pickle
from typing import Any

import numpy as np
import pytest

from neurobench.models.eprop.inputs import Spikes, one_each
from neurobench.models.eprop.network import NO_TARGET, draw, from_matrices, learning_rate
from neurobench.models.eprop.stream import ExactEngine, OnlineEngine
from tests.models.eprop.conftest import SCALE, TINY, VECTORS, T, learner, tiny_spikes

DELTA = {"hard_reset": True, "v_reset": -0.5, "v_th": 0.5}
ADAPT = {"adapt_beta": 0.5, "rho": math.exp(-1 / 40)}
VARIANTS: dict[str, dict[str, Any]] = {
    "t_ref": {"refractory": 3},
    "exponential": {"surrogate": 1},
    "fast_sigmoid_derivative": {"surrogate": 2},
    "arctan": {"surrogate": 3},
    "adapt": {**ADAPT, "refractory": 2},
    "delta": {**DELTA, "refractory": 4},
    "delta_refractory_input": {**DELTA, "refractory": 4, "refractory_input": True},
    "delta_adapt": {**DELTA, **ADAPT, "refractory": 2},
    "adam": {"adam": True},
    "adam_each_step": {"adam": True, "each_step": True},
    "batch": {"batch": 20},
    "batch_each_step": {"batch": 20, "each_step": True},
    "kappa_reg": {"kappa_reg": 0.95},
    "cutoff": {"cutoff": 5},
    "v_min": {"v_min": -0.1},
}


def tiny_engine(vectors: Any, kind: Any = ExactEngine, **changed: Any) -> Any:
    weights = from_matrices(vectors["w_in0"], vectors["w_rec0"], vectors["w_out0"], vectors["B"])
    return kind(TINY._replace(**changed), weights)


@pytest.mark.parametrize("name", ["tiny_gd", "tiny_gd_each"])
def test_every_voltage_signal_and_weight_of_the_tiny_network_equals_nests(name: str) -> None:
    vectors = np.load(VECTORS / f"{name}.npz")
    how = ast.literal_eval(str(vectors["meta"]))
    engine = tiny_engine(vectors, each_step=how["optimize_each_step"])
    found: dict[str, list[np.ndarray]] = {"V": [], "psi": [], "L": [], "spikes": [], "yV": []}
    for group in range(3):
        labels = vectors["labels"][4 * group : 4 * group + 4]
        rate = how["eta"] if group < 2 else 0.0
        answer, rec = engine.learn(tiny_spikes(vectors, 4 * group, 4), labels, rate, record=4 * T)
        for key, part in zip(found, (rec.v, rec.psi, rec.L, rec.z, rec.out), strict=True):
            found[key].append(part)
        error = answer.window - np.eye(3)[labels][:, None]
        loss = 0.5 * (error**2).sum(1).mean()
        assert loss == pytest.approx(vectors["loss"][group], rel=1e-15)
    for key, parts in found.items():
        ours = np.concatenate(parts)
        np.testing.assert_array_equal(ours[2:], vectors[key][2 : len(ours)], err_msg=key)
    engine.apply_pending()
    for ours, key in zip(engine.weights(), ("w_in1", "w_rec1", "w_out1"), strict=True):
        np.testing.assert_array_equal(ours, vectors[key], err_msg=key)


@pytest.mark.parametrize("kind", [ExactEngine, OnlineEngine])
def test_the_filtered_firing_of_a_neuron_that_fell_silent_decays_to_exactly_0(kind: Any) -> None:
    """A subnormal float64 would stay for ever, since rounding restores it, and would slow Intel's processors."""
    engine, G = tiny_engine(np.load(VECTORS / "tiny_gd.npz"), kind), 30
    engine.net.s.f[:2] = 0.02, 1e-285
    nothing = Spikes(np.zeros(G * (T + 1) + 1, np.int64), np.zeros(0, np.int64))
    engine.learn(nothing, np.full(G, NO_TARGET), 0.0)
    steps = G * T - 2  # steps of the stream that take input
    assert engine.net.s.f[0] == pytest.approx(0.02 * 0.99**steps, rel=0.1)
    assert engine.net.s.f[1] == 0 < 1e-285 * 0.99**steps


@pytest.mark.parametrize("kind", [ExactEngine, OnlineEngine])
def test_readouts_and_loss_before_a_change_of_learning_rate_equal_nests(kind: Any) -> None:
    """NEST has set the next group's rate when it simulates the two steps that end a group, then evaluates the group."""
    tiny, vectors = dict(np.load(VECTORS / "tiny_gd.npz")), np.load(VECTORS / "rate_change.npz")
    tiny |= {"ev_t": vectors["ev_t"], "ev_i": vectors["ev_i"]}
    engine, rates = tiny_engine(tiny, kind), vectors["rates"].tolist()
    close = {"rtol": 0, "atol": 1e-12 if kind is OnlineEngine else 0}
    for group, (rate, after) in enumerate(zip(rates, [*rates[1:], None], strict=True)):
        samples = slice(4 * group, 4 * group + 4)
        answer, _ = engine.learn(tiny_spikes(tiny, 4 * group, 4), tiny["labels"][samples], rate, eta_after=after)
        np.testing.assert_allclose(answer.window, vectors["readout"][samples], **close)
        error = answer.window - np.eye(3)[tiny["labels"][samples]][:, None]
        assert 0.5 * (error**2).sum(1).mean() == pytest.approx(vectors["loss"][group], rel=1e-13)


def test_the_last_batch_of_a_training_is_reported_as_if_followed_by_a_rate_of_0() -> None:
    tiny, vectors = dict(np.load(VECTORS / "tiny_gd.npz")), np.load(VECTORS / "rate_change.npz")
    tiny |= {"ev_t": vectors["ev_t"], "ev_i": vectors["ev_i"]}
    batch, rate = (tiny_spikes(tiny, 0, 4), tiny["labels"][:4]), float(vectors["rates"][0])
    reported = [tiny_engine(tiny).train_batch(*batch, rate, 0, last).window for last in (False, True)]
    stated, _ = tiny_engine(tiny).learn(*batch, rate, eta_after=0.0)
    assert (reported[1] == stated.window).all()
    assert (reported[0] != reported[1]).any()


@pytest.mark.parametrize("name", VARIANTS)
def test_voltages_of_every_neuron_variant_equal_nests(name: str) -> None:
    vectors = np.load(VECTORS / "tiny_gd.npz")
    wanted = np.load(VECTORS / "nest_variants.npz")[name]  # steps 2, 3, ..., 599, every other neuron
    engine = tiny_engine(vectors, **VARIANTS[name])
    rate = 1e-4 if "adam" in name else 2e-6
    _, rec = engine.learn(tiny_spikes(vectors), vectors["labels"], rate, record=600)
    np.testing.assert_allclose(rec.v[2:600, ::2], wanted, rtol=0, atol=1e-12)
    assert rec.z.sum() > 50


@pytest.fixture(scope="module")
def tutorial(recordings: Any) -> Any:
    """The tutorial's network after 5 groups and a test group."""
    vectors = np.load(VECTORS / "tutorial_600.npz")
    made = learner(engine="exact", optimizer="gradient_descent", lr=5e-3, numpy_seed=1)
    answers = []
    for group in range(6):
        split, first = (recordings.train, 100 * group) if group < 5 else (recordings.test, 0)
        batch = split.batch(slice(first, first + 100))
        spikes = made.inputs.encode(batch.x, 300)
        rate = learning_rate(made.spec) if group < 5 else 0.0
        record = 3000 if group == 0 else 0
        answers.append(made.engine.learn(spikes, batch.y.numpy(), rate, record=record))  # type: ignore[attr-defined]
    return vectors, made, answers


def test_initial_weights_equal_the_tutorials() -> None:
    vectors = np.load(VECTORS / "tutorial_600.npz")
    drawn = draw(1, 1196, 150, 10, SCALE, (0.75, 0.99, 0.0))
    digests = [hashlib.sha256(np.ascontiguousarray(w).tobytes()).hexdigest() for w in drawn[:4]]
    assert digests == vectors["w_init_sha"].tolist()


def test_readouts_spikes_and_predictions_of_600_recordings_equal_nests(tutorial: Any) -> None:
    vectors, _, answers = tutorial
    window = np.concatenate([response.window for response, _ in answers])
    counts = np.concatenate([response.counts for response, _ in answers])
    np.testing.assert_array_equal(window, vectors["readout_window"])
    np.testing.assert_array_equal(counts, vectors["spike_counts"])
    np.testing.assert_array_equal(window.mean(1).argmax(1), vectors["pred"])
    step, unit = np.nonzero(answers[0][1].z)
    early = vectors["spk_n_first10"] < 3000
    np.testing.assert_array_equal(step, vectors["spk_n_first10"][early])
    np.testing.assert_array_equal(unit, vectors["spk_j_first10"][early])


def test_final_weights_after_600_recordings_equal_nests(tutorial: Any) -> None:
    vectors, made, _ = tutorial
    made.engine.apply_pending()
    w_in, w_rec, w_out = made.engine.weights()
    digest = hashlib.sha256(w_in[made.initial.mask_in].tobytes()).hexdigest()
    assert digest == str(vectors["w_in_final_sha"])
    np.testing.assert_array_equal(w_rec[made.initial.mask_rec], vectors["w_rec_final"])
    np.testing.assert_array_equal(w_out, vectors["w_out_final"])


def test_events_are_binned_into_the_tutorials_steps(recordings: Any) -> None:
    vectors = np.load(VECTORS / "tutorial_600.npz")
    spikes = one_each((2, 34, 34)).encode(recordings.train.x[:10], 300)
    sample_step = np.repeat(np.arange(len(spikes.start) - 1), np.diff(spikes.start))
    time = sample_step // 301 * 300 + sample_step % 301
    ours = np.stack([time, spikes.source])
    theirs = np.stack([vectors["ev_t_first10"], vectors["ev_k_first10"]])
    np.testing.assert_array_equal(ours[:, np.lexsort(ours[::-1])], theirs[:, np.lexsort(theirs[::-1])])


def test_engine_online_follows_engine_exact_to_a_billionth_of_a_millivolt_for_20_samples(recordings: Any) -> None:
    made = learner(engine="exact", optimizer="gradient_descent", lr=5e-3, numpy_seed=1)
    batch = recordings.train.batch(slice(0, 40))
    exact, online = (
        engine.learn(
            made.inputs.encode(batch.x, 300, ascending=engine.ascending),
            batch.y.numpy(),
            learning_rate(made.spec),
            record=12000,
        )[1]
        for engine in (made.engine, OnlineEngine(made.c, made.initial))  # type: ignore[attr-defined]
    )
    assert np.abs(exact.v - online.v)[: 20 * 300].max() < 1e-9
    np.testing.assert_array_equal(exact.z, online.z)


FAST = [  # decays of which the 60th power is beyond the digits of a sum
    {"alpha": math.exp(-1), "v_th": 0.2, "width": 0.3},
    {"alpha": math.exp(-1 / 0.2), "v_th": 0.2, "width": 0.3},
    {"alpha_out": math.exp(-1), "W": T},
    {"kappa": 0.5, "kappa_reg": 0.5},
    {"kappa": 1e-3, "kappa_reg": 1e-3},
]


@pytest.mark.parametrize(
    "changed", [{}, {"cutoff": 5}, {**DELTA, "refractory": 2}, {"surrogate": 1, "cutoff": 2}, *FAST]
)
def test_engine_online_equals_engine_exact_up_to_rounding(changed: dict[str, Any]) -> None:
    vectors = np.load(VECTORS / "tiny_gd.npz")
    engines = tiny_engine(vectors, **changed), tiny_engine(vectors, OnlineEngine, **changed)
    for group in range(3):
        spikes, labels = tiny_spikes(vectors, 4 * group, 4), vectors["labels"][4 * group : 4 * group + 4]
        exact, online = (engine.learn(spikes, labels, 2e-6, record=4 * T)[1] for engine in engines)
        np.testing.assert_allclose(online.v, exact.v, rtol=0, atol=1e-9)
        assert exact.z.any()
    for ours, wanted in zip(engines[1].weights(), engines[0].weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-9)


def test_the_last_steps_gradient_is_among_those_that_engine_online_applies_at_the_end() -> None:
    vectors = np.load(VECTORS / "tiny_gd.npz")
    engines = tiny_engine(vectors), tiny_engine(vectors, OnlineEngine)
    for engine in engines:
        engine.learn(tiny_spikes(vectors), vectors["labels"], 2e-6)
    before = [weights.copy() for weights in engines[0].weights()]
    for _ in range(2):  # once more changes nothing
        for engine in engines:
            engine.apply_pending()
        for ours, wanted, old in zip(engines[1].weights(), engines[0].weights(), before, strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-9 * np.abs(wanted - old).max())


@pytest.mark.parametrize("kind", [ExactEngine, OnlineEngine])
def test_the_state_of_a_stream_can_be_pickled_as_that_of_an_estimator_is(kind: Any) -> None:
    vectors = np.load(VECTORS / "tiny_gd.npz")
    engine, again = tiny_engine(vectors, kind), tiny_engine(vectors, kind)
    for _ in range(2):
        engine.learn(tiny_spikes(vectors), vectors["labels"], 2e-6)
        again.load_state_dict(pickle.loads(pickle.dumps(engine.state_dict())))
        for one, other in zip(engine.weights(), again.weights(), strict=True):
            np.testing.assert_array_equal(one, other)
