"""Parameters under the keys of lava-dl's own state_dict, so that either program goes on with the other's training."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import torch

from neurobench.config.errors import UserError
from neurobench.models.slayer.parameters import Layer


def named(layers: list[Layer]) -> dict[str, torch.Tensor]:
    """`blocks.i.` + neuron.current_decay [1], neuron.voltage_decay [1], delay.delay [C], and synapse.weight_g
    [out, 1, 1, 1, 1] with weight_v [out, in, 1, 1, 1], or synapse.weight without weight norm."""
    state = {}
    for k, layer in enumerate(layers):
        key = f"blocks.{k}."
        state[f"{key}neuron.current_decay"], state[f"{key}neuron.voltage_decay"] = (
            layer.D[:1].clone(),
            layer.D[1:].clone(),
        )
        if layer.delay is not None:
            state[f"{key}delay.delay"] = layer.delay.clone()
        v = layer.v.t()[:, :, None, None, None].contiguous()
        state[f"{key}synapse.weight" if layer.g is None else f"{key}synapse.weight_v"] = v
        if layer.g is not None:
            state[f"{key}synapse.weight_g"] = layer.g[:, None, None, None, None].clone()
    return {name: tensor.cpu() for name, tensor in state.items()}


def write(layers: list[Layer]) -> bytes:
    memory = io.BytesIO()
    torch.save(named(layers), memory)
    return memory.getvalue()


def read(name: str, wanted: list[Layer]) -> list[Layer]:
    """Layers of the shapes of `wanted`. Raises UserError naming the key that is missing or of another shape."""
    try:
        state = torch.load(name, weights_only=True, map_location="cpu")
    except Exception as fault:  # pickle raises what it likes
        raise UserError(f"{name} holds no state of tensors: {type(fault).__name__}: {fault}") from fault
    return of_state(state, wanted, name)


def of_state(state: Mapping[str, Any], wanted: list[Layer], name: str) -> list[Layer]:
    for key, tensor in named(wanted).items():
        if key not in state:
            raise UserError(f"{name}: {key} is missing; this network has one of shape {tuple(tensor.shape)}")
        if state[key].shape != tensor.shape:
            raise UserError(
                f"{name}: {key} has shape {tuple(state[key].shape)}; this network needs {tuple(tensor.shape)}"
            )
    layers = []
    for k, layer in enumerate(wanted):
        key = f"blocks.{k}."
        v = state[f"{key}synapse.weight" if layer.g is None else f"{key}synapse.weight_v"]
        layers.append(
            Layer(
                v=v[:, :, 0, 0, 0].t().float().contiguous(),
                g=None if layer.g is None else state[f"{key}synapse.weight_g"].flatten().float(),
                D=torch.cat([state[f"{key}neuron.current_decay"], state[f"{key}neuron.voltage_decay"]]).float(),
                delay=None if layer.delay is None else state[f"{key}delay.delay"].float(),
            )
        )
    return layers
