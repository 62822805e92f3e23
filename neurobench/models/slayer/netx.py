"""Networks as lava-dl's netx reads them: HDF5, mantissas and integer decays. Exact.

Facts of the format: lava-dl `slayer.block.base`, `netx.hdf5`.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch

from neurobench.config.errors import UserError
from neurobench.config.targets import import_extra
from neurobench.models.slayer.neuron import GRID, POINT
from neurobench.models.slayer.parameters import Held

LARGEST_DELAY = 62  # steps


def write(layers: list[Held]) -> bytes:
    """The file. Raises UserError where netx could not load it."""
    h5py = import_extra("h5py", "spiking", "a file of lava-dl")
    for k, layer in enumerate(layers):
        if layer.unit == 1:
            raise UserError("a network of floats has no mantissas; train one with backend.core.arithmetic=fixed")
        if not layer.W.any():
            raise UserError(f"layer {k} holds zeros alone, on which netx crashes; train further, then export")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for k, layer in enumerate(layers):
            _write_layer(file.create_group(f"layer/{k}"), layer, h5py)
    return memory.getvalue()


def _write_layer(group: Any, layer: Held, h5py: Any) -> None:
    inputs, outputs = layer.W.shape
    group["type"] = np.array([b"dense"], "S10")
    group["shape"] = np.array([outputs], np.int64)
    group["inFeatures"], group["outFeatures"] = np.int64(inputs), np.int64(outputs)
    group["weight"] = 2 * layer.W.t().cpu().numpy().astype(np.float32)
    if layer.delay.any():
        group["delay"] = layer.delay.cpu().numpy().astype(np.float32)
    neuron = group.create_group("neuron")
    neuron.create_dataset("type", data="CUBA", dtype=h5py.string_dtype())
    numbers = {
        "iDecay": POINT - int(layer.cuba.ku),
        "vDecay": POINT - int(layer.cuba.kv),
        "vThMant": int(layer.cuba.threshold) // GRID,
        "refDelay": 1,
    }
    for name, value in numbers.items():
        neuron[name] = np.int64(value)
    neuron["gradedSpike"] = False


class Found:
    """One layer of a file: what a `Layer` is made of."""

    def __init__(self, w: torch.Tensor, delay: torch.Tensor | None, decays: tuple[float, float], threshold: float):
        self.w, self.delay, self.decays, self.threshold = w, delay, decays, threshold


def read(name: str) -> list[Found]:
    """Layers of a file, weights (I, C) in units of 1. Raises UserError with the path within the file."""
    h5py = import_extra("h5py", "spiking", "a file of lava-dl")
    try:
        file = h5py.File(name, "r")
    except OSError as fault:
        raise UserError(f"{name} is no HDF5 file: {fault}") from fault
    with file:
        if "layer" not in file:
            raise UserError(f"{name}:/layer is missing; netx keeps a network's layers there")
        found: list[Found] = []
        for k in range(len(file["layer"])):
            path = f"{name}:/layer/{k}"
            if str(k) not in file["layer"]:
                raise UserError(f"{path} is missing; layers are numbered from 0")
            found.append(_read_layer(file["layer"][str(k)], path, found[-1].w.shape[1] if found else None))
    return found


def _read_layer(group: Any, path: str, before: int | None) -> Found:
    kind = group["type"][0].decode() if "type" in group else "nothing"
    if kind != "dense":
        raise UserError(f"{path}/type is {kind}; this model has dense layers only")
    for key in ("inFeatures", "outFeatures", "weight", "neuron/iDecay", "neuron/vDecay", "neuron/vThMant"):
        if key not in group:
            raise UserError(f"{path}/{key} is missing")
    if "bias" in group:
        raise UserError(f"{path}/bias: the neurons of this model have none")
    inputs, outputs = int(group["inFeatures"][()]), int(group["outFeatures"][()])
    if before is not None and inputs != before:
        raise UserError(f"{path}/inFeatures is {inputs}; the layer before has {before} neurons")
    m = group["weight"][()]
    if m.shape != (outputs, inputs):
        raise UserError(f"{path}/weight has shape {m.shape}, not (outFeatures, inFeatures) = {(outputs, inputs)}")
    for fault, wrong in (
        ("is no even mantissa", (m % 2 != 0) | ~np.isfinite(m)),
        ("is outside -256 to 254", (m < -256) | (m > 254)),
    ):
        if wrong.any():
            o, i = np.argwhere(wrong)[0]
            raise UserError(f"{path}/weight[{o}, {i}] = {m[o, i]:g} {fault}")
    refractory = int(group["neuron/refDelay"][()]) if "neuron/refDelay" in group else 1
    if refractory != 1:
        raise UserError(f"{path}/neuron/refDelay is {refractory}; this model's neurons rest for 1 step")
    i, v, threshold = (int(group[f"neuron/{key}"][()]) for key in ("iDecay", "vDecay", "vThMant"))
    for key, value, highest in (("iDecay", i, POINT), ("vDecay", v, POINT), ("vThMant", threshold, 131071)):
        if not 0 <= value <= highest:
            raise UserError(f"{path}/neuron/{key} is {value}, outside 0 to {highest}")
    w = torch.from_numpy(m.astype(np.float32).T.copy()) / GRID
    return Found(w, _read_delay(group, path, outputs), (i, v), threshold / GRID)


def _read_delay(group: Any, path: str, outputs: int) -> torch.Tensor | None:
    """A delay for each neuron: of all its synapses, so of its spikes."""
    if "delay" not in group:
        return None
    delay = group["delay"][()]
    if delay.shape != (outputs,):
        raise UserError(
            f"{path}/delay has shape {delay.shape}; this model delays each of the {outputs} neurons' spikes"
        )
    wrong = ~((delay >= 0) & (delay <= LARGEST_DELAY))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise UserError(f"{path}/delay[{k}] = {delay[k]:g} is outside 0 to {LARGEST_DELAY}")
    return torch.from_numpy(delay.astype(np.float32))
