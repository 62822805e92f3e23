"""The narrow devices that a backend can offer, one verb each.

A device's recipe is a frozen dataclass that a backend's YAML names; it imports nothing heavy. `open` makes the
device. A device keeps no random state: each call is handed its seed, so a resumed run repeats the same draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from neurobench.problems.rbm import RBM

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from neurobench.problems.circuit import Angles, Program


class DeviceRecipe(Protocol):
    """What a backend's YAML names for each device."""

    def open(self, seed: int, device: torch.device) -> Any:
        """The device. `seed` is the identity of an emulated chip; `device` is where torch computes."""
        ...


class Reads(NamedTuple):
    """What a sampler answered."""

    v: Tensor  # (R, V) float32 in {0, 1}
    h: Tensor  # (R, H) float32 in {0, 1}
    info: Mapping[str, float]  # what it cost: reads, sweeps, modelled device seconds


class Sampler(Protocol):
    """Draws joint states of a restricted Boltzmann machine. Every one is a `dimod.Sampler` as well."""

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """`num_reads` states; chains start at `initial_hidden` (R, H) where given, else at random."""
        ...


class AnalogMac(Protocol):
    """Multiplies matrices of small integers in the analog domain, and digitises the products to 8 bits."""

    gain: float  # of the host's linear model of this device: LSB of the read-out for x * w = 1 sent once
    noise_std: float  # LSB, of one partial sum, in the same model
    identity: Mapping[str, Any]  # what tells this chip from another one; empty where there is no chip
    calibration: Mapping[str, float]  # what was measured of the chip; empty where there is none

    def matmul(self, x: Tensor, w: Tensor, num_sends: int, seed: int) -> Tensor:
        """(B, I) @ (I, O) -> (B, O) float32, whole numbers in [-128, 127].

        x is rounded to [0, 31] and w to [-63, 63]; outside is an error. Each input is sent `num_sends` times.
        """
        ...

    def host(self) -> AnalogMac:
        """The linear model of this device with what was measured of it; an ideal device is its own model."""
        ...


class CircuitDevice(Protocol):
    """Runs batches of bound circuits. `...` stands for the leading axes of the angles, broadcast."""

    def expectation(self, program: Program, angles: Angles) -> Tensor:
        """(..., n_obs) in [-1, 1], exact and differentiable: noise and errors of the read-out averaged."""
        ...

    def counts(self, program: Program, angles: Angles, shots: int, seed: int) -> Tensor:
        """(..., 2^n) int64, rows sum to shots: how often each basis state was read."""
        ...

    def estimate(self, program: Program, counts: Tensor) -> Tensor:
        """(..., 2^n) counts -> (..., n_obs) float64 estimates of the observables, mitigated where the device does."""
        ...

    def cost(self, program: Program, circuits: int, shots: int) -> Mapping[str, float]:
        """What running so many circuits costs in modelled device time; empty where nothing is modelled."""
        ...

    def ideal(self) -> CircuitDevice:
        """The same without noise: what host software can compute. An ideal device is its own."""
        ...

    def variants(self) -> CircuitVariants:
        """Devices that differ from this one in a single respect, to tell what its imperfections do."""
        ...


class CircuitVariants(NamedTuple):
    """Empty of an ideal device."""

    readout: Mapping[str, CircuitDevice]  # "gates_only", "raw", "mitigated": what is done about the read-out's errors
    noise: Mapping[float, CircuitDevice]  # factor on the errors of gates and read-out -> device


class Core(NamedTuple):
    """The arithmetic of a spiking core, as numbers: time loops belong to kernels, which are handed these.

    States are in 1/4096 of a unit of the weights, weights and thresholds in 1/64.
    """

    arithmetic: str  # "fixed", or "float": then nothing is rounded and the rest is without meaning
    u_limit: int  # the current wraps once where it leaves (-u_limit, u_limit]
    v_limit: int  # the voltage is clipped to +-v_limit
    i_decay: tuple[int, int]  # what iDecay and vDecay, in 1/4096 a step, can be
    v_decay: tuple[int, int]
    threshold_mantissa: int  # at most


class FixedPoint(NamedTuple):
    """The arithmetic of a learning chip, as numbers for a kernel. Widths are in bits, sign included."""

    weight_bits: int
    membrane_bits: int
    alpha_bits: int  # fraction of the membrane's decay
    kappa_bits: int  # fraction of the traces' decay
    trace_bits: int  # of inputs and recurrent neurons
    trace_out_bits: int  # of readouts
    stochastic: bool  # an update is a chance of one LSB; else it is rounded
    update_scale: float  # multiplies every update; 1: NEST's learning rate


class LearningCore(Protocol):
    """A spiking core that learns on the chip."""

    pool: str  # how pixels become inputs: "none", "16x16" or "11x11x2" cells (columns, rows, polarities)
    fixed_point: FixedPoint | None  # None: floating point, nothing is rounded
