"""The recurrent network as a NIR graph gives the engine's spikes and readouts when its equations are run."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurobench.config.errors import UserError
from neurobench.experiment.plan import spawn
from neurobench.models.eprop.exports import formats, write_nir
from neurobench.models.eprop.inputs import active_pixels
from neurobench.models.learner import Initial
from tests.models.eprop.conftest import CPU, learner, reckon
from tests.specs import spec

nir = pytest.importorskip("nir", reason="the extra spiking is not installed")


def run(content: bytes, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (T, N) and readouts (T, K) of one sample x (T, I), by forward Euler as NIR writes the equations."""
    nodes = nir.read(io.BytesIO(content)).nodes
    neuron, readout, dt = nodes["neuron"], nodes["readout"], 1e-3
    threshold = nodes["threshold"].threshold if "threshold" in nodes else neuron.v_threshold
    v, z, y = np.zeros(len(neuron.r)), np.zeros(len(neuron.r)), np.zeros(len(readout.r))
    spikes, readouts = [], []
    for step in x:
        arriving = nodes["w_in"].weight @ step + nodes["w_rec"].weight @ z
        v = v + dt / neuron.tau * (neuron.v_leak - v + neuron.r * arriving)
        z = (v > threshold).astype(float)
        if "threshold" not in nodes:
            v = np.where(z > 0, neuron.v_reset, v)
        y = y + dt / readout.tau * (readout.v_leak - y + readout.r * (nodes["w_out"].weight @ z))
        spikes.append(z)
        readouts.append(y)
    return np.stack(spikes), np.stack(readouts)


@pytest.mark.parametrize("neuron", ["iaf", "psc_delta"])
def test_the_exported_nir_graph_gives_the_networks_spikes_and_readouts(recordings: Any, neuron: str) -> None:
    one = learner(hidden=20, neuron=neuron, v_th=0.3)
    few = recordings.train.head(3)
    response, spikes = one.respond(few.x), one.encode(few.x)
    content = write_nir(one)
    assert set(formats(one)) == set(one.spec.formats)
    for g in range(3):
        x = np.zeros((one.c.T, 2312))
        for t in range(one.c.T):
            at = g * (one.c.T + 1) + t
            np.add.at(x[t], active_pixels()[spikes.source[spikes.start[at] : spikes.start[at + 1]]], 1)
        fired, readouts = run(content, x)
        assert fired.sum(0) == pytest.approx(response.counts[g])
        assert readouts[-one.c.W - 1 : -1] == pytest.approx(response.window[g], abs=1e-4)
    assert response.counts.sum() > 50


def test_a_graph_of_nmnist_is_imported_and_gives_the_same_scores(recordings: Any, tmp_path: Path) -> None:
    """Readouts see a spike a step earlier there, so that a sample is a step shorter."""
    steps, few = 60, recordings.train.head(5)
    one, file = learner(hidden=20, steps=steps, window=1, v_th=0.3), tmp_path / "model.nir"
    file.write_bytes(write_nir(one))
    bin = 336.04 / steps
    fields = {"bin": bin, "length": 336.04 - bin, "counts": True, "readout": "last"}
    again = spec("model/nir_graph", **fields).build(one.task, spawn(0), {}, CPU)
    again.start(few, Initial("model.nir", file, None))
    scores = one.predict(few.x)
    assert float(scores.std()) > 1e-4
    np.testing.assert_allclose(again.predict(few.x).numpy(), scores.numpy(), rtol=0, atol=1e-6)


def test_a_chips_weights_are_whole_multiples_of_the_scales_in_its_nir_file() -> None:
    graph = nir.read(io.BytesIO(write_nir(learner(hidden=5, core=reckon(), neuron="iaf"))))
    metadata, nodes = graph.metadata, graph.nodes
    assert metadata["arithmetic"] == "fixed"
    for name, scale in (("w_in", metadata["weight_scale"]), ("w_out", metadata["readout_scale"])):
        whole = nodes[name].weight / scale
        assert whole == pytest.approx(np.rint(whole), abs=1e-4)
        assert np.abs(whole).max() > 10


def test_neurons_without_equations_in_nir_are_refused() -> None:
    for fields, sentence in (
        ({"neuron": "iaf_adapt"}, "a threshold that adapts"),
        ({"t_ref": 2}, "model.t_ref=2 is a refractory time"),
        ({"v_min": -1.0}, "model.v_min=-1.0 bounds the potential"),
    ):
        with pytest.raises(UserError, match=sentence):
            write_nir(learner(hidden=5, **fields))
