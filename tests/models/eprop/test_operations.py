"""Operation counts: every engine's count of a network of four neurons matches a count by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurobench.kernels.eprop.records import Constants
from neurobench.metrics.operations import total
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.evaluation import of_engine, operations
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.minibatch import MinibatchEngine
from neurobench.models.eprop.network import Engine, Weights, draw, from_matrices
from neurobench.models.eprop.stream import ExactEngine, OnlineEngine
from tests.models.eprop.conftest import TINY, learner, reckon

ENGINES = ["exact", "online", "minibatch", "chip"]


def engine(kind: str, c: Constants, weights: Weights) -> Engine:
    if kind == "chip":
        return ChipEngine(c, reckon().fixed_point, weights, 0)
    if kind == "minibatch":
        return MinibatchEngine(c, weights, np.float64)
    return {"exact": ExactEngine, "online": OnlineEngine}[kind](c, weights)


def spikes_of(counted: np.ndarray) -> Spikes:
    """Spikes from event counts, counted (G, T + 1, I)."""
    flat = counted.reshape(-1, counted.shape[2])
    step, source = np.nonzero(flat)
    start = np.append(0, np.cumsum(flat.sum(1))).astype(np.int64)
    return Spikes(start, np.repeat(source, flat[step, source]).astype(np.int64))


HAND = TINY._replace(T=5, W=2, inputs=2, N=2, K=2)
#   input 0 -> neuron 0 -> neuron 1 -> both readouts, input 1 -> neuron 1 (too weak to fire it), neuron 0 -> readout 0
MATRICES = ([[1.0, 0.0], [0.0, 0.1]], [[0.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("kind", ENGINES)
def test_operation_counts_of_every_engine_match_a_count_by_hand(kind: str) -> None:
    """Step 1: neuron 0 fires. Step 2: neuron 1 fires. Step 3: neuron 1 receives input 1; step 4: twice, and fires, too
    late to arrive. Input 0 spikes once more in step T, which is not a step of this sample."""
    events = np.zeros((1, 6, 2), np.int64)
    events[0, 1, 0], events[0, 3, 1], events[0, 4, 1], events[0, 5, 0] = 1, 1, 2, 1
    made = engine(kind, HAND, from_matrices(*(np.array(matrix) for matrix in MATRICES)))
    figures, undefined = total([of_engine(made, spikes_of(events), 1)])
    # Input 0 drives one weight, input 1 one, three times; neuron 0 one and one, neuron 1 none and two.
    assert figures["effective_acs"] == (1 + 3) + 1 + (1 + 2)
    assert figures["effective_macs"] == 0
    assert figures["dense_operations"] == 5 * (4 + 4 + 4)
    assert figures["effective_acs_per_step"] == 8 / 5
    # Membrane updates: both in step 0, neuron 0 in step 1, then both. Readouts: both, none, the first, both, both.
    assert figures["membrane_updates"] == (2 + 1 + 2 + 2 + 2) + (2 + 0 + 1 + 2 + 2)
    assert figures["activation_sparsity"] == figures["activation_sparsity_hidden"] == 1 - 3 / 10
    assert "activation_sparsity_readout" not in figures  # a readout has no threshold and no activation function
    assert figures["connection_sparsity"] == 1 - 6 / 12
    assert undefined == {}
    # Full matrices: 4, 4, 4 entries; lists: 1 recurrent synapse, or 3 onto neurons, and their targets.
    parameters, size = {
        "chip": (12, 12),
        "minibatch": (9, 9 * 8 + (3 + 1) * 8),
        "exact": (7, 7 * 8 + (5 + 3) * 8 + 4),
        "online": (7, 7 * 8 + 5 * 8 + 3 * 4 + 4),
    }[kind]
    assert (figures["parameter_count"], figures["footprint_bytes"]) == (parameters, size)


def loop(c: Constants, weights: tuple[np.ndarray, ...], x: np.ndarray, rests: bool) -> dict[str, Any]:
    """Counts by a loop; x (G, T + 1, I). A stream (not `rests`) takes step T of a sample as step 0 of the next."""
    w_in, w_rec, w_out = weights
    v, z, y = np.zeros(c.N), np.zeros(c.N), np.zeros(c.K)
    inputs, arrived, fired, membranes, readouts = np.zeros(c.inputs), np.zeros(c.N), 0.0, 0, 0
    for g in range(len(x)):
        if rests:
            v, z, y = np.zeros(c.N), np.zeros(c.N), np.zeros(c.K)
        for t in range(c.T):
            now = x[g, t] + (x[g - 1, c.T] if t == 0 and g and not rests else 0)
            inputs, arrived = inputs + now, arrived + z
            before, y_before = v, y
            v, y = c.alpha * v + w_in @ now + w_rec @ z, c.alpha_out * y + w_out @ z
            membranes += c.N if t == 0 else int((v != before).sum())
            readouts += c.K if t == 0 else int((y != y_before).sum())
            z = (v >= c.v_th).astype(float)
            v, fired = v - c.v_th * z, fired + z.sum()
    acs = inputs @ (w_in != 0).sum(0) + arrived @ ((w_rec != 0).sum(0) + (w_out != 0).sum(0))
    return {"acs": acs, "fired": fired, "updates": membranes + readouts}


@pytest.mark.parametrize("kind", ["exact", "online", "minibatch"])
@pytest.mark.parametrize("n", [3, 23])
def test_operation_counts_of_random_samples_match_a_loop(kind: str, n: int) -> None:
    """23 samples of a stream are recorded in two parts."""
    c = TINY._replace(inputs=9, N=7, K=3)
    weights = draw(3, 9, 7, 3, 0.01, (0.2, 0.4, 0.3))
    weights = weights._replace(w_in=3 * weights.w_in, w_rec=2 * weights.w_rec)
    events = np.random.default_rng(n).poisson(0.15, (n, c.T + 1, 9))
    figures, _ = total([of_engine(engine(kind, c, weights), spikes_of(events), n)])
    wanted = loop(c, weights[:3], events, rests=kind == "minibatch")
    assert figures["effective_acs"] * n == pytest.approx(wanted["acs"], rel=1e-12)
    assert (1 - figures["activation_sparsity"]) * n * c.T * 7 == pytest.approx(wanted["fired"], rel=1e-9)
    assert figures["membrane_updates"] * n == pytest.approx(wanted["updates"], rel=1e-12)
    assert wanted["fired"] > 10


def test_a_refractory_neuron_held_at_its_reset_counts_no_membrane_updates() -> None:
    """psc_delta, 2 ms: neuron 0 fires in step 1, is held in steps 2 and 3, and decays in step 4. Neuron 1 receives
    its spike in step 2, fires, and is held to the end."""
    c = HAND._replace(hard_reset=True, refractory=2)
    events = np.zeros((1, 6, 2), np.int64)
    events[0, 1, 0] = 1
    weights = from_matrices(*(np.array(matrix) for matrix in MATRICES))
    for kind in ("exact", "minibatch"):
        counted = of_engine(engine(kind, c, weights), spikes_of(events), 1)
        assert counted.populations[0].updates == 2 + 1 + 1 + 0 + 1


@pytest.mark.filterwarnings("ignore:1196 pixels")
@pytest.mark.parametrize(
    "fields",
    [
        {"engine": "online", "optimizer": "gradient_descent"},
        {"engine": "minibatch"},
        {"core": reckon()},
    ],
    ids=["online", "minibatch", "chip"],
)
def test_counting_operations_leaves_predictions_unchanged_and_counts_their_spikes(
    fields: dict[str, Any], recordings: Any
) -> None:
    made, x = learner(**fields), recordings.train.batch(slice(0, 3)).x
    before, counted, after = made.predict(x), operations(made, x), made.predict(x)
    assert (before == after).all()
    hidden = counted.populations[0]
    assert hidden.active == int(made.respond(x).counts.sum()) > 0
    figures, _ = total([counted])
    assert figures["parameter_count"] > 0
    assert 0 < figures["effective_acs"] < figures["dense_operations"]
    assert figures["dense_operations"] == 300 * made.spec.hidden * (made.inputs.size + made.spec.hidden + 10)


def test_updates_of_the_chip_under_strong_input_are_those_of_its_equations() -> None:
    """In whole numbers, input often brings a membrane to where it was before the reset of a spike: it fires again."""
    c = TINY._replace(T=40, W=1, inputs=6, N=5, K=2)
    made = ChipEngine(c, reckon(weight_bits=4).fixed_point, draw(2, 6, 5, 2, 0.01, (0.0, 0.0, 0.0)), 0)
    events = np.random.default_rng(0).poisson(2.0, (3, 41, 6))
    w_in, w_rec, chip, updates, stays = made.w.w_in.astype(int), made.w.w_rec.astype(int), made.chip, 0, 0
    for counted in events:
        v = z = np.zeros(5, int)
        for t in range(40):
            u = (v * chip.alpha >> chip.alpha_bits) + counted[t] @ w_in + z @ w_rec
            u = u.clip(-chip.v_limit, chip.v_limit)
            stays += int(((u == v) & (u >= chip.v_th)).sum()) if t else 0
            before, z = v, (u >= chip.v_th).astype(int)
            v = u - chip.v_th * z
            updates += int(((v != before) | (z > 0)).sum()) if t else 5
    assert stays > 0
    hidden, _ = of_engine(made, spikes_of(events), 3).populations
    assert hidden.updates == updates
