"""The current-based leaky integrate-and-fire neuron: one step, all steps, and the way back. The reference.

What the compiled kernels compute must agree with this file; devices without compiled kernels run it as it stands.
Time is axis 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

POINT = 4096  # decays and states of the integer neuron are in 1/4096
GRID = 64  # mantissas of weights and thresholds are in 1/64


class Cuba(NamedTuple):
    """Neuron constants as a core holds them: integers of 1/4096, or floats."""

    ku: float  # share of the current that a step leaves: 4096 - iDecay, or 1 - current_decay
    kv: float  # of the voltage
    threshold: float  # a spike is v > threshold; vThMant * 64, or the threshold itself
    u_limit: float  # the current wraps once where it leaves (-u_limit, u_limit]
    v_limit: float  # the voltage is clipped to +-v_limit


class State(NamedTuple):
    u: Tensor  # (B, C) current
    w: Tensor  # (B, C) voltage after the reset


Step = Callable[[Tensor, State, Cuba], tuple[Tensor, Tensor, State]]


def fixed_step(z: Tensor, state: State, p: Cuba) -> tuple[Tensor, Tensor, State]:
    """One step in integers of 1/4096.

        u[t] = trunc(u[t-1] ku / 4096) + z[t], wrapped once into (-u_limit, u_limit]
        v[t] = trunc(w[t-1] kv / 4096) + u[t], clipped to +-v_limit
        s[t] = v[t] > threshold;   w[t] = 0 where s[t], else v[t]

    z: (B, C) int64 input -> spikes (B, C) bool, v (B, C), next state. ku, kv and threshold are whole numbers.
    Sources: lava-dl `slayer.neuron.cuba`; lava `PyLifModelBitAcc` for the limits.
    """
    u = torch.div(state.u * int(p.ku), POINT, rounding_mode="trunc") + z
    turn = 2 * int(p.u_limit)
    u = torch.where(u > p.u_limit, u - turn, torch.where(u <= -p.u_limit, u + turn, u))
    v = torch.div(state.w * int(p.kv), POINT, rounding_mode="trunc") + u
    v = v.clamp(-int(p.v_limit), int(p.v_limit))
    s = v > p.threshold
    return s, v, State(u, torch.where(s, 0, v))


def float_step(z: Tensor, state: State, p: Cuba) -> tuple[Tensor, Tensor, State]:
    """One step in floats: u = ku u + z,  v = kv w + u,  s = v > threshold,  w = 0 where s, else v."""
    u = p.ku * state.u + z
    v = p.kv * state.w + u
    s = v > p.threshold
    return s, v, State(u, torch.where(s, torch.zeros_like(v), v))


def unroll(step: Step, zs: Tensor, p: Cuba) -> tuple[Tensor, Tensor, Tensor]:
    """zs (T, B, C) -> spikes (T, B, C) bool, currents and voltages before the reset (T, B, C). From rest."""
    state = State(torch.zeros_like(zs[0]), torch.zeros_like(zs[0]))
    spikes, currents, voltages = [], [], []
    for z in zs:
        s, v, state = step(z, state, p)
        spikes.append(s)
        currents.append(state.u)
        voltages.append(v)
    return torch.stack(spikes), torch.stack(currents), torch.stack(voltages)


def delayed(s: Tensor, delay: Tensor) -> Tensor:
    """s (T, B, C) as it arrives: 1 + delay[c] steps later, zeros before. delay (C,) int64."""
    steps = len(s)
    source = torch.arange(steps, device=s.device)[:, None] - 1 - delay
    there = source.clamp(min=0)[:, None, :].expand_as(s)
    return s.gather(0, there) * (source >= 0)[:, None, :]


def undelayed(g: Tensor, delay: Tensor) -> Tensor:
    """The transpose of `delayed`: g (T, B, C) moved 1 + delay[c] steps earlier, zeros after."""
    steps = len(g)
    source = torch.arange(steps, device=g.device)[:, None] + 1 + delay
    there = source.clamp(max=steps - 1)[:, None, :].expand_as(g)
    return g.gather(0, there) * (source < steps)[:, None, :]


def delay_gradient(g: Tensor, y: Tensor) -> Tensor:
    """dL/d(delay) (C,) = sum_{n,t} g[t] (y[t-1] - y[t]), y[-1] = 0.   g = dL/dy and y, the arrivals, (T, B, C)."""
    before = torch.cat([torch.zeros_like(y[:1]), y[:-1]])
    return (g * (before - y)).sum((0, 1))


class Slope(NamedTuple):
    """The surrogate derivative of a spike, ds/dv = peak exp(-|v - centre| / tau), v in units of the weights."""

    centre: float
    tau: float
    peak: float


def slope_of(threshold: float, tau_grad: float, scale_grad: float, shift: float) -> Slope:
    """lava-dl's: tau = 100 tau_grad threshold, peak = 0.1 scale_grad / (2 tau); `shift`: its epsilon, integers only."""
    tau = 100 * tau_grad * threshold
    return Slope(threshold + shift, tau, 0.1 * scale_grad / (2 * tau))


class Back(NamedTuple):
    ev: Tensor  # (T, B, C) dL/du by way of the voltage
    eu: Tensor  # (T, B, C) dL/dz
    dD: Tensor  # (3,) sums of eu[t+1] u[t], ev[t+1] w[t] and, as lava-dl has it, ev[t+1] v[t]; u, w, v in weight units


def scan_back(g: Tensor, u: Tensor, v: Tensor, slope: Slope, p: Cuba, unit: float) -> Back:
    """The linear way back past the reset, from g = dL/ds (T, B, C) float.

        gv[t] = g[t] peak exp(-|v[t] - centre| / tau)
        ev[t] = gv[t] + kv ev[t+1],    eu[t] = ev[t] + ku eu[t+1]

    u, v as `unroll` gave them; unit: what one of them is worth in weights (1/4096 or 1).
    """
    one = POINT if unit != 1 else 1
    ku, kv = p.ku / one, p.kv / one
    volts = v * unit
    gv = g * slope.peak * torch.exp(-(volts - slope.centre).abs() / slope.tau)
    ev, eu = torch.zeros_like(gv), torch.zeros_like(gv)
    e = f = torch.zeros_like(gv[0])
    for t in range(len(g) - 1, -1, -1):
        e = gv[t] + kv * e
        f = e + ku * f
        ev[t], eu[t] = e, f
    left = torch.where(v > p.threshold, torch.zeros_like(volts), volts)
    pairs = ((eu, u * unit), (ev, left), (ev, volts))
    dD = torch.stack([(later[1:] * state[:-1]).sum(dtype=torch.float64) for later, state in pairs])
    return Back(ev, eu, dD)
