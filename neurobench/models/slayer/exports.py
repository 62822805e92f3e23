"""Formats that a trained network can be written in.

netx: HDF5 of mantissas and integer decays as lava-dl's `netx.hdf5` reads it (facts: `slayer.block.base`); exact.
nir: the Neuromorphic Intermediate Representation, see `nir_files`; nir-snntorch: the same for an importer that assumes
steps of 0.1 ms.
pt: parameters under the keys of lava-dl's own state_dict, so that either program goes on with the other's training.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.models.common.exchange import safetensors
from neurobench.models.slayer.initial import extra, lava_names
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.network import Layer, QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron
from neurobench.models.slayer.nir_files import SNNTORCH_DT, integers, write_nir


def formats(learner: SlayerLearner) -> Mapping[str, Callable[[], bytes]]:
    dt = 1e-3 * learner.spec.sampling_time
    return {
        "netx": partial(write_netx, learner.quantized),
        "nir": partial(write_nir, learner.quantized, dt),
        "nir-snntorch": partial(write_nir, learner.quantized, SNNTORCH_DT),
        "pt": partial(write_state, learner.layers),
        "safetensors": lambda: safetensors(lava_names(learner.layers)),
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
    for name, value in {**integers(layer), "refDelay": 1}.items():
        neuron[name] = np.int64(value)
    neuron["gradedSpike"] = False


def write_state(layers: list[Layer]) -> bytes:
    memory = io.BytesIO()
    torch.save(lava_names(layers), memory)
    return memory.getvalue()
