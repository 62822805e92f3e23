"""Both engines compute what lava-dl computed: spikes and integer states exactly, gradients to 1e-5."""

import numpy as np
import pytest
import torch

from neurobench.models.slayer import losses
from neurobench.models.slayer.dense import DenseEngine
from neurobench.models.slayer.engine import EventEngine
from neurobench.models.slayer.network import QuantizedLayer, half_mantissas, scale_of, weights_of
from neurobench.models.slayer.neuron import POINT, FixedNeuron
from neurobench.models.slayer.spikes import as_dense, binned, from_dense
from neurobench.models.slayer.update import decay_gradient, through_grid, through_norm
from tests.models.slayer.conftest import ROOM, Case, case, recordings, vector

ENGINES = {"event": EventEngine, "dense": lambda: DenseEngine(torch.device("cpu"))}


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> EventEngine | DenseEngine:
    return ENGINES[request.param]()


def off(value: torch.Tensor | np.ndarray, wanted: np.ndarray) -> float:
    """Largest difference, relative to the largest expected value."""
    return float(np.abs(np.asarray(value) - wanted).max() / np.abs(wanted).max())


def test_weights_are_quantised_to_lavas_mantissas(reference: Case) -> None:
    if "m1" not in reference.z:
        pytest.skip("floats have no mantissas")
    for k, layer in enumerate(reference.quantized, 1):
        np.testing.assert_array_equal(2 * layer.W.numpy().T.astype(int), reference.z[f"m{k}"])


def test_spikes_loss_and_predictions_equal_lava_dls(reference: Case, engine: EventEngine | DenseEngine) -> None:
    act = engine.run(from_dense(reference.x), reference.quantized)
    np.testing.assert_array_equal(act.y.permute(0, 2, 1).numpy(), reference.z["y2"])
    for k, fired in enumerate(act.fired, 1):
        np.testing.assert_array_equal(fired.numpy(), reference.z[f"s{k}"].sum(2))
    loss = losses.spike_rate(act.y, torch.from_numpy(reference.z["label"]), 0.2, 0.03)
    assert float(loss) == pytest.approx(float(reference.z["loss"]), rel=1e-6)
    np.testing.assert_array_equal(losses.predicted(act.y), reference.z["pred"])


def test_voltages_before_the_reset_and_arrivals_equal_lava_dls(reference: Case) -> None:
    engine = EventEngine()
    engine.run(from_dense(reference.x), reference.quantized, learns=True)
    exact = "m1" in reference.z
    for k, (v, arrived) in enumerate(zip(engine.voltages(), engine.arrivals(), strict=True), 1):
        np.testing.assert_allclose(v.permute(0, 2, 1).numpy(), reference.z[f"v{k}"], atol=0 if exact else 5e-5)
        np.testing.assert_array_equal(as_dense(arrived).permute(1, 2, 0).numpy(), reference.z[f"y{k}"])


def test_gradients_of_weights_delays_and_decays_match_lava_dls(
    reference: Case, engine: EventEngine | DenseEngine
) -> None:
    engine.run(from_dense(reference.x), reference.quantized, learns=True)
    gradients = engine.gradients(reference.gradient(), reference.surrogate)
    for k, (gradient, layer) in enumerate(zip(gradients, reference.layers, strict=True), 1):
        dw = gradient.parts.sum(0) * gradient.factor
        if "m1" in reference.z:
            dw = through_grid(dw, layer.v * scale_of(layer.v, layer.g))
        dv, dg = through_norm(dw, layer.v, layer.g)
        assert off(dv.t(), reference.z[f"dw{k}" if dg is None else f"dwv{k}"]) < 1e-5
        if dg is not None:
            assert off(dg, reference.z[f"dwg{k}"]) < 1e-5
        if layer.delay is not None:
            assert off(gradient.delay, reference.z[f"dd{k}"]) < 1e-5
        if f"dDi{k}" in reference.z:
            exact = [float(reference.z[f"dD{name}{k}"]) for name in "iv"]
            as_lava = [float(reference.z[f"dD{name}{k}_lava"]) for name in "iv"]
            assert decay_gradient(gradient.dD, as_lava=False).tolist() == pytest.approx(exact, rel=1e-5)
            assert decay_gradient(gradient.dD, as_lava=True).tolist() == pytest.approx(as_lava, rel=1e-5)


def test_a_weight_beyond_the_grid_gets_no_gradient_and_one_at_its_end_does() -> None:
    """w1's last six columns are 3.96875, 3.98, 4.2, -4, -4.01, -4.5: only 4.2 and -4.5 round beyond [-128, 127]."""
    passed = through_grid(torch.ones(6), torch.tensor([3.96875, 3.98, 4.2, -4.0, -4.01, -4.5]))
    assert passed.tolist() == [1, 1, 0, 1, 1, 0]
    reference = case("tiny_quant")
    w, dw = reference.z["w1"], reference.z["dw1"]
    beyond = np.isin(w, np.float32([4.2, -4.5]))
    assert beyond.any()
    assert (dw[beyond] == 0).all(), "lava-dl's own"
    assert (dw[np.isin(w, np.float32([3.96875, 3.98, -4.0, -4.01]))] != 0).any()


def test_the_tutorials_net_on_five_recordings_gives_lavas_spikes() -> None:
    z = vector("nmnist5")
    five = recordings().train.batch(torch.arange(5))
    assert five.y.tolist() == z["label"].tolist()
    inputs = binned(five.x, 300, 1.0)
    np.testing.assert_array_equal(listed(as_dense(inputs)), z["x"])
    random, layers = np.random.RandomState(0), []
    for k, (i, o) in enumerate(((2312, 512), (512, 512), (512, 10))):
        bound = 2 / np.sqrt(i)
        W = half_mantissas(torch.from_numpy(random.uniform(-bound, bound, (o, i)).astype(np.float32)).t().contiguous())
        assert 2 * int(W.int().abs().sum()) == z["w_check"][k, 2], "the random weights are those of the reference"
        neuron = FixedNeuron(POINT - 1024, POINT - 123, 5120, ROOM, ROOM)
        layers.append(QuantizedLayer(W, weights_of(W), neuron, torch.zeros(o, dtype=torch.int32), torch.ones(o)))
    engine = EventEngine()
    act = engine.run(inputs, layers, learns=True)
    for k, arrived in enumerate(engine.arrivals(), 1):
        np.testing.assert_array_equal(listed(as_dense(arrived)), z[f"y{k}"])
    loss = losses.spike_rate(act.y, five.y, 0.2, 0.03)
    assert float(loss) == pytest.approx(float(z["loss"]), rel=1e-6)


def listed(x: torch.Tensor) -> np.ndarray:
    """Sorted indices (n C + c) T + t of the ones of x (T, N, C)."""
    return x.permute(1, 2, 0).flatten().nonzero()[:, 0].numpy()
