"""One step of each node of a spiking graph, with a choice of schemes to discretise NIR's differential equations.

euler: u += dt / tau_syn (w_in x - u), then v += dt / tau_mem (v_leak - v + r u), with the new u. Used by norse,
    snnTorch, SpikingJelly and lava.
lagged: the same, but v uses the u of the previous step. Both at once, as in the textbook's explicit Euler step;
    neurons without u are as with euler.
exponential: exp(-dt / tau) instead of 1 - dt / tau: exact if the input is constant within a step; sinabs, rockpool.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, linear

from neurobench.problems.spiking_graph import (
    Convolution,
    Delay,
    Flatten,
    Neuron,
    Node,
    Pool,
    Scale,
    Threshold,
    Weights,
)


class Dynamics(NamedTuple):
    dt: float  # seconds per step
    scheme: Literal["euler", "lagged", "exponential"] = "euler"
    reset: Literal["value", "subtract"] = "value"  # to v_reset | by subtracting the threshold
    tie: Literal["above", "reached"] = "above"  # a spike if v > threshold, as in NIR | v >= threshold
    begins: Literal["zero", "leak", "reset"] = "zero"  # v before the first step, which NIR does not define


class State(NamedTuple):
    """State of a neuron: current u and voltage v, each (B, *shape)."""

    u: Tensor
    v: Tensor


class _Spike(torch.autograd.Function):
    """Step function: 1 where x > 0 (x >= 0 if `reached`). Its surrogate derivative is 1 / (1 + (pi x)^2), as in
    snnTorch's and SpikingJelly's ATan (Fang et al. 2021)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, reached: bool) -> Tensor:
        ctx.save_for_backward(x)
        return (x >= 0 if reached else x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return gradient / (1 + (torch.pi * x) ** 2), None


def spike(x: Tensor, reached: bool = False) -> Tensor:
    return _Spike.apply(x, reached)


class NeuronStep(NamedTuple):
    """Constants of a neuron's step, in the network's precision: u = ku u + z x, v = kv v + g u + c."""

    ku: Tensor | None
    z: Tensor | None
    kv: Tensor
    g: Tensor
    c: Tensor
    threshold: Tensor | None
    reset: Tensor | None
    begin: Tensor
    how: Dynamics

    @classmethod
    def of(cls, node: Neuron, how: Dynamics, dtype: torch.dtype) -> NeuronStep:
        def cast(value: Any) -> Any:
            return None if value is None else torch.as_tensor(value).to(dtype)

        ku = z = None
        if node.tau_syn is not None:
            ku = _decay_factor(node.tau_syn, how)
            z = (1 - ku if how.scheme == "exponential" else how.dt / node.tau_syn) * _or(node.w_in, 1.0)
        if node.tau_mem is None:
            kv, g, c = np.ones_like(node.r), how.dt * node.r, np.zeros_like(node.r)
        else:
            kv = _decay_factor(node.tau_mem, how)
            share = 1 - kv if how.scheme == "exponential" else how.dt / node.tau_mem
            g, c = share * node.r, share * _or(node.v_leak, 0.0)
        reset = None if node.v_threshold is None else _or(node.v_reset, 0.0)
        begin = _or({"zero": None, "leak": node.v_leak, "reset": node.v_reset}[how.begins], 0.0)
        named = {"ku": ku, "z": z, "kv": kv, "g": g, "c": c, "threshold": node.v_threshold, "reset": reset}
        return cls(**{name: cast(value) for name, value in named.items()}, begin=cast(begin), how=how)

    def rest(self, x: Tensor) -> State:
        return State(torch.zeros_like(x), self.begin + torch.zeros_like(x))

    def __call__(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one step: x (B, *shape) -> output and new state, the membrane of a spiking neuron after its reset."""
        u = driving = x  # without a synapse the voltage is driven by the input itself, whatever the scheme
        if self.ku is not None and self.z is not None:
            u = self.ku * state.u + self.z * x
            driving = state.u if self.how.scheme == "lagged" else u
        v = self.kv * state.v + self.g * driving + self.c
        if self.threshold is None or self.reset is None:
            return v, State(u, v)
        s = spike(v - self.threshold, self.how.tie == "reached")
        left = v - s * self.threshold if self.how.reset == "subtract" else torch.where(s > 0, self.reset, v)
        return s, State(u, left)


def _decay_factor(tau: np.ndarray, how: Dynamics) -> np.ndarray:
    """Factor by which a state decays in one step."""
    return np.exp(-how.dt / tau) if how.scheme == "exponential" else 1 - how.dt / tau


def _or(value: np.ndarray | None, default: float) -> np.ndarray | float:
    return default if value is None else value


def without_time(node: Node, p: dict[str, Tensor], x: Tensor, reached: bool = False) -> Tensor:
    """Output of a stateless node. x (N, *shape); `p`: the node's arrays in the network's precision; `reached`: a
    Threshold is also passed by a value equal to it."""
    match node:
        case Weights():
            return linear(x, p["weight"], p.get("bias"))
        case Scale():
            return x * p["scale"]
        case Threshold():
            return spike(x - p["threshold"], reached)
        case Flatten(first, last):
            ends = (axis + x.dim() if axis < 0 else axis + 1 for axis in (first, last))
            return x.flatten(*ends)
        case Convolution():
            how: tuple[Any, ...] = (node.stride, node.padding, node.dilation, node.groups)
            return conv2d(x, p["weight"], p.get("bias"), *how)
        case Pool():
            mean = avg_pool2d(x, node.kernel, node.stride, node.padding)
            return mean if node.mean else mean * (node.kernel[0] * node.kernel[1])
    raise TypeError(f"{type(node).__name__} holds a state")


def steps_of(node: Delay, dt: float) -> np.ndarray:
    """Delays in whole steps, int64. Raises ValueError if a delay is not a whole number of steps."""
    steps = np.minimum(np.asarray(node.seconds) / dt, 2.0**40)  # longer than any run, and still an exact integer
    whole = np.rint(steps)
    if (np.abs(steps - whole) > 1e-3).any():
        k = int(np.argmax(np.abs(steps - whole)))
        raise ValueError(f"delays by {np.ravel(node.seconds)[k]:g} s, {np.ravel(steps)[k]:g} steps of {dt:g} s")
    return whole.astype(np.int64)
