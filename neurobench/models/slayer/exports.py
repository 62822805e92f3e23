"""Export formats of a trained network.

netx: HDF5 of mantissas and integer decays as lava-dl's `netx.hdf5` reads it (see `slayer.block.base`); exact. A pool
is written as a convolution: `netx.hdf5` knows the name `pool` but reads none.
nir: the Neuromorphic Intermediate Representation, see `nir_files`; nir-snntorch: the same for an importer that assumes
steps of 0.1 ms.
pt: parameters under the keys of lava-dl's state_dict, so that either program can continue the other's training.
"""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.models.common.exchange import safetensors
from neurobench.models.slayer.architecture import Convolution
from neurobench.models.slayer.convolution import unrolled
from neurobench.models.slayer.initial import extra, lava_names
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.models.slayer.network import Layer, QuantizedLayer
from neurobench.models.slayer.neuron import FixedNeuron
from neurobench.models.slayer.nir_files import SNNTORCH_DT, integers, write_nir


def formats(learner: SlayerLearner) -> Mapping[str, Callable[[], bytes]]:
    dt = 1e-3 * learner.spec.sampling_time
    return {
        "netx": partial(write_netx, learner.quantized),
        "nir": lambda: write_nir([unrolled(layer) for layer in learner.quantized], dt),
        "nir-snntorch": lambda: write_nir([unrolled(layer) for layer in learner.quantized], SNNTORCH_DT),
        "pt": partial(write_state, learner.layers),
        "safetensors": lambda: safetensors(_lava_state(learner.layers)),
    }


def write_netx(layers: list[QuantizedLayer]) -> bytes:
    """Content of the netx file. Raises UserError if netx could not load it."""
    h5py = extra("h5py")
    for k, layer in enumerate(layers):
        if not isinstance(layer.neuron, FixedNeuron):
            raise UserError("a network of floats has no mantissas; train one with backend.core.arithmetic=fixed")
        if not layer.W.any():
            raise UserError(f"layer {k} contains only zeros, on which netx crashes; train further, then export")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        blocks = _blocks(layers)
        for k, block in enumerate(blocks):
            group = file.create_group(f"layer/{k}")
            if isinstance(block, QuantizedLayer):
                _write_layer(group, block, h5py)
            else:
                group["type"], group["shape"] = np.array([block[0]], "S10"), np.array(block[1], np.int64)
    return memory.getvalue()


def _blocks(layers: list[QuantizedLayer]) -> list[QuantizedLayer | tuple[bytes, tuple[int, ...]]]:
    """Layers, with the blocks that netx requires around convolutions: the shape of the input, and flattening."""
    convolved = [layer.conv for layer in layers if layer.conv is not None]
    if not convolved:
        return list(layers)
    flat = (b"flatten", (convolved[-1].channels * convolved[-1].positions, 1, 1))
    count = len(convolved)
    return [(b"input", convolved[0].inputs), *layers[:count], flat, *layers[count:]]


def _write_layer(group: Any, layer: QuantizedLayer, h5py: Any) -> None:
    inputs, outputs = layer.W.shape
    weight, conv = 2 * layer.W.t().cpu().numpy().astype(np.float32), layer.conv
    group["type"] = np.array([b"conv" if conv else b"dense"], "S10")
    group["shape"] = np.array(conv.outputs if conv else [outputs], np.int64)
    if conv:
        _write_kernels(group, weight, conv)
    else:
        group["inFeatures"], group["outFeatures"] = np.int64(inputs), np.int64(outputs)
        group["weight"] = weight
    if layer.delay.any():
        group["delay"] = layer.delay.cpu().numpy().astype(np.float32)
    neuron = group.create_group("neuron")
    neuron.create_dataset("type", data="CUBA", dtype=h5py.string_dtype())
    for name, value in {**integers(layer), "refDelay": 1}.items():
        neuron[name] = np.int64(value)
    neuron["gradedSpike"] = False


def _write_kernels(group: Any, weight: np.ndarray, conv: Convolution) -> None:
    """Write kernels, stride and padding. netx pads both ends of an axis alike: if a pool's last window overhangs, the
    kernel begins with as many weights of 0, which lie on the padding that the beginning gets as well."""
    channels, more = conv.inputs[0], np.array(conv.overhang, np.int64)
    group["inChannels"], group["outChannels"] = np.int64(channels), np.int64(conv.channels)
    group["kernelSize"], group["padding"] = conv.kernel + more, conv.padding + more
    group["stride"] = np.array([conv.stride, conv.stride], np.int64)
    group["dilation"], group["groups"] = np.array([1, 1], np.int64), np.int64(1)
    kernels = weight.reshape(conv.channels, channels, conv.kernel, conv.kernel)
    group["weight"] = np.pad(kernels, [(0, 0), (0, 0), *((size, 0) for size in conv.overhang)])


def write_state(layers: list[Layer]) -> bytes:
    memory = io.BytesIO()
    torch.save(_lava_state(layers), memory)
    return memory.getvalue()


def _lava_state(layers: list[Layer]) -> dict[str, torch.Tensor]:
    """State under lava-dl's names. Raises UserError if a layer is a convolution."""
    if any(layer.conv is not None for layer in layers):
        raise UserError("lava-dl's state is written for dense layers only; export the network as netx or nir")
    return lava_names(layers)
