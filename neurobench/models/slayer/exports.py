"""Formats that a trained network can be written in.

netx: HDF5 of mantissas and integer decays as lava-dl's `netx.hdf5` reads it (facts: `slayer.block.base`); exact.
nir: the Neuromorphic Intermediate Representation, differential equations of the neurons; approximate, for others. A
graph has no integer semantics: who runs it elsewhere computes in floats, with other rounding. What makes it exact again
here (time step, mantissas, decays) goes into the nodes' metadata. Source: Pedersen et al., "Neuromorphic intermediate
representation", Nature Communications 15:8122 (2024).
pt: parameters under the keys of lava-dl's own state_dict, so that either program goes on with the other's training.
"""

import io
import itertools
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.models.slayer.initial import extra, lava_names
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.network import Layer, QuantizedLayer
from neurobench.models.slayer.neuron import GRID, POINT, FixedNeuron


def formats(learner: SlayerLearner) -> Mapping[str, Callable[[], bytes]]:
    dt = 1e-3 * learner.spec.sampling_time
    return {
        "netx": partial(write_netx, learner.quantized),
        "nir": partial(write_nir, learner.quantized, dt),
        "pt": partial(write_state, learner.layers),
    }


def write_netx(layers: list[QuantizedLayer]) -> bytes:
    """The file. Raises UserError where netx could not load it."""
    h5py = extra("h5py")
    for k, layer in enumerate(layers):
        if not isinstance(layer.neuron, FixedNeuron):
            raise UserError("a network of floats has no mantissas; train one with backend.core.arithmetic=fixed")
        if not layer.W.any():
            raise UserError(f"layer {k} holds zeros alone, on which netx crashes; train further, then export")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for k, layer in enumerate(layers):
            _write_layer(file.create_group(f"layer/{k}"), layer, h5py)
    return memory.getvalue()


def _write_layer(group: Any, layer: QuantizedLayer, h5py: Any) -> None:
    inputs, outputs = layer.W.shape
    group["type"] = np.array([b"dense"], "S10")
    group["shape"] = np.array([outputs], np.int64)
    group["inFeatures"], group["outFeatures"] = np.int64(inputs), np.int64(outputs)
    group["weight"] = 2 * layer.W.t().cpu().numpy().astype(np.float32)
    if layer.delay.any():
        group["delay"] = layer.delay.cpu().numpy().astype(np.float32)
    neuron = group.create_group("neuron")
    neuron.create_dataset("type", data="CUBA", dtype=h5py.string_dtype())
    for name, value in {**_integers(layer), "refDelay": 1}.items():
        neuron[name] = np.int64(value)
    neuron["gradedSpike"] = False


def _integers(layer: QuantizedLayer) -> dict[str, int]:
    """The neuron's constants by lava's names."""
    ku, kv, threshold = map(int, layer.neuron[:3])
    return {"iDecay": POINT - ku, "vDecay": POINT - kv, "vThMant": threshold // GRID}


def write_nir(layers: list[QuantizedLayer], dt: float) -> bytes:
    """Input, for each layer Linear - CubaLIF - Delay, Output. dt: seconds a step.

    With a = the decay a step: tau_syn = dt / ai, tau_mem = dt / av, w_in = 1 / ai, r = 1 / av: one Euler step of dt is
    one step of the neuron.
    """
    nir = extra("nir")
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([layers[0].W.shape[0]])})}
    for k, layer in enumerate(layers):
        nodes[f"linear{k}"] = nir.Linear(layer.w.t().cpu().numpy().astype(np.float32))
        nodes[f"cuba{k}"] = _nir_neuron(nir, k, layer, dt)
        nodes[f"delay{k}"] = nir.Delay(((1 + layer.delay.cpu().numpy()) * dt).astype(np.float32))
    nodes["output"] = nir.Output({"output": np.array([layers[-1].W.shape[1]])})
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(itertools.pairwise(names)), metadata={"dt": dt})
    memory = io.BytesIO()
    nir.write(memory, graph)
    return memory.getvalue()


def _nir_neuron(nir: Any, k: int, layer: QuantizedLayer, dt: float) -> Any:
    neuron = layer.neuron
    ai, av = (1 - k * neuron.lsb for k in (neuron.ku, neuron.kv))
    if ai == 0 or av == 0:
        raise UserError(f"layer {k} has a decay of 0, whose time constant is infinite: NIR has no word for it")
    metadata: dict[str, Any] = {"dt": dt, "arithmetic": "float"}
    if isinstance(neuron, FixedNeuron):
        scales = {"weight_scale": GRID, "state_scale": POINT, "eps": 0.01 / POINT}
        metadata = {**_integers(layer), "dt": dt, "arithmetic": "fixed", **scales}
    constants = {"tau_syn": dt / ai, "tau_mem": dt / av, "r": 1 / av, "w_in": 1 / ai, "v_leak": 0, "v_reset": 0}
    constants["v_threshold"] = neuron.threshold * neuron.lsb
    arrays = {name: np.full(layer.W.shape[1], value, np.float32) for name, value in constants.items()}
    return nir.CubaLIF(**arrays, metadata=metadata)


def write_state(layers: list[Layer]) -> bytes:
    memory = io.BytesIO()
    torch.save(lava_names(layers), memory)
    return memory.getvalue()
