"""The current-based leaky integrate-and-fire neuron: one step, all steps, and their gradient. Time is axis 0.

Reference implementation for the compiled kernels; devices without such kernels run it.
"""

from typing import NamedTuple

import torch
from torch import Tensor

POINT = 4096  # decays and states of the integer neuron are in 1/4096
GRID = 64  # mantissas of weights and thresholds are in 1/64


class State(NamedTuple):
    u: Tensor  # (B, C) current
    w: Tensor  # (B, C) voltage after the reset


class FloatNeuron(NamedTuple):
    """Constants of the neuron in floating point, in units of the weights."""

    ku: float  # fraction of the current that remains after a step: 1 - current_decay
    kv: float  # fraction of the voltage that remains
    threshold: float  # a spike is v > threshold

    @property
    def lsb(self) -> float:
        """Value of a state of 1 in units of the weights."""
        return 1.0

    def step(self, z: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step: u = ku u + z,  v = kv w + u,  s = v > threshold,  w = 0 where s, else v."""
        u = self.ku * state.u + z
        v = self.kv * state.w + u
        s = v > self.threshold
        return s, v, State(u, torch.where(s, torch.zeros_like(v), v))


class FixedNeuron(NamedTuple):
    """Constants of the neuron as stored on a core. States are in 1/4096 of a unit of the weights."""

    ku: int  # 4096 - iDecay
    kv: int  # 4096 - vDecay
    threshold: int  # vThMant * 64
    u_limit: int  # the current wraps once if it leaves (-u_limit, u_limit]
    v_limit: int  # the voltage is clipped to +-v_limit

    @property
    def lsb(self) -> float:
        return 1 / POINT

    def step(self, z: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step in integers of 1/4096:

            u[t] = trunc(u[t-1] ku / 4096) + z[t], wrapped once into (-u_limit, u_limit]
            v[t] = trunc(w[t-1] kv / 4096) + u[t], clipped to +-v_limit
            s[t] = v[t] > threshold;   w[t] = 0 where s[t], else v[t]

        z: (B, C) int64 input -> spikes (B, C) bool, v (B, C), next state.
        Sources: lava-dl `slayer.neuron.cuba`; lava `PyLifModelBitAcc` for the limits.
        """
        u = torch.div(state.u * self.ku, POINT, rounding_mode="trunc") + z
        turn = 2 * self.u_limit
        u = torch.where(u > self.u_limit, u - turn, torch.where(u <= -self.u_limit, u + turn, u))
        v = torch.div(state.w * self.kv, POINT, rounding_mode="trunc") + u
        v = v.clamp(-self.v_limit, self.v_limit)
        s = v > self.threshold
        return s, v, State(u, torch.where(s, 0, v))


Neuron = FloatNeuron | FixedNeuron


def unroll(neuron: Neuron, zs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All steps from rest: zs (T, B, C) -> spikes (T, B, C) bool, currents and voltages before the reset (T, B, C)."""
    state = State(torch.zeros_like(zs[0]), torch.zeros_like(zs[0]))
    spikes, currents, voltages = [], [], []
    for z in zs:
        s, v, state = neuron.step(z, state)
        spikes.append(s)
        currents.append(state.u)
        voltages.append(v)
    return torch.stack(spikes), torch.stack(currents), torch.stack(voltages)


def delayed(s: Tensor, delay: Tensor) -> Tensor:
    """Spikes s (T, B, C) as they arrive: 1 + delay[c] steps later, zeros before. delay (C,) int64."""
    source = torch.arange(len(s), device=s.device)[:, None] - 1 - delay
    index = source.clamp(min=0)[:, None, :].expand_as(s)
    return s.gather(0, index) * (source >= 0)[:, None, :]


def undelayed(g: Tensor, delay: Tensor) -> Tensor:
    """Transpose of `delayed`: g (T, B, C) shifted 1 + delay[c] steps earlier, zeros after."""
    steps = len(g)
    source = torch.arange(steps, device=g.device)[:, None] + 1 + delay
    index = source.clamp(max=steps - 1)[:, None, :].expand_as(g)
    return g.gather(0, index) * (source < steps)[:, None, :]


def delay_gradient(g: Tensor, y: Tensor) -> Tensor:
    """Gradient dL/d(delay) (C,) = sum_{n,t} g[t] (y[t-1] - y[t]), y[-1] = 0; g = dL/dy and arrivals y are (T, B, C)."""
    before = torch.cat([torch.zeros_like(y[:1]), y[:-1]])
    return (g * (before - y)).sum((0, 1))


class Surrogate(NamedTuple):
    """Surrogate derivative of a spike, ds/dv = peak exp(-|v - centre| / tau), v in units of the weights."""

    centre: float
    tau: float
    peak: float


def lava_surrogate(threshold: float, tau_grad: float, scale_grad: float, epsilon: float = 0.0) -> Surrogate:
    """lava-dl's surrogate: tau = 100 tau_grad threshold, peak = 0.1 scale_grad / (2 tau); `epsilon`: integers only."""
    tau = 100 * tau_grad * threshold
    return Surrogate(threshold + epsilon, tau, 0.1 * scale_grad / (2 * tau))


def scan_back(g: Tensor, u: Tensor, v: Tensor, surrogate: Surrogate, neuron: Neuron) -> tuple[Tensor, Tensor]:
    """Backpropagate g = dL/ds (T, B, C) float to eu = dL/dz (T, B, C), linear, bypassing the reset:

        gv[t] = g[t] peak exp(-|v[t] - centre| / tau)
        ev[t] = gv[t] + kv ev[t+1],    eu[t] = ev[t] + ku eu[t+1]

    u, v as returned by `unroll`. The second result, for the decays, (3,): sums of eu[t+1] u[t], ev[t+1] w[t] and, as
    in lava-dl, ev[t+1] v[t], with u, w, v in units of the weights.
    """
    ku, kv = neuron.ku * neuron.lsb, neuron.kv * neuron.lsb
    volts = v * neuron.lsb
    gv = g * surrogate.peak * torch.exp(-(volts - surrogate.centre).abs() / surrogate.tau)
    ev, eu = torch.zeros_like(gv), torch.zeros_like(gv)
    e = f = torch.zeros_like(gv[0])
    for t in range(len(g) - 1, -1, -1):
        e = gv[t] + kv * e
        f = e + ku * f
        ev[t], eu[t] = e, f
    left = torch.where(v > neuron.threshold, torch.zeros_like(volts), volts)
    pairs = ((eu, u * neuron.lsb), (ev, left), (ev, volts))
    dD = torch.stack([(later[1:] * state[:-1]).sum(dtype=torch.float64) for later, state in pairs])
    return eu, dD
