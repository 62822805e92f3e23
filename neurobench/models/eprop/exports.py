"""Export of the recurrent network as a NIR graph: W_in - LI - Threshold, spikes back through W_rec, W_out - LI.

An e-prop neuron that fires lowers its potential by the threshold and leaks on; NIR's LIF is reset to a value. An exact
equivalent is a leaky integrator, a threshold, and a recurrent weight of -alpha v_th from each neuron to itself, since
v(t) = alpha (v(t - 1) - v_th z(t - 1)) + x(t). With alpha = exp(-1 ms / tau) per step, tau = dt / (1 - alpha) and
r = 1 / (1 - alpha) make one Euler step of dt one step of the neuron; `psc_delta` is reset to a value and is an LIF.
Recurrent spikes arrive a step later, there and here. Readouts see a spike a step earlier than here (`shift_steps`).
The graph reads all pixels of a recording, unless they are pooled.
Source: Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15:8122 (2024).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neurobench.config.errors import UserError
from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.learner import EpropLearner
from neurobench.models.eprop.minibatch import BsshslmEngine
from neurobench.problems.nir_file import nir_package

DT = 1e-3  # s


def formats(learner: EpropLearner) -> Mapping[str, Callable[[], bytes]]:
    return {"nir": lambda: write_nir(learner)}


def write_nir(learner: EpropLearner) -> bytes:
    """Content of the NIR file. Raises UserError for neurons that NIR has no equations for."""
    c, nir = learner.c, nir_package()
    if fault := _beyond_nir(learner):
        raise UserError(f"{fault}, which NIR cannot express. model.neuron=iaf and psc_delta can be exported.")
    w_in, w_rec, w_out = (np.asarray(each, np.float64) for each in learner.engine.weights())
    w_in = _by_pixel(learner, w_in)
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array([w_in.shape[1]])}), "w_in": _linear(nir, w_in)}
    if c.hard_reset:
        limits = (_full(c, c.v_th), _full(c, c.v_reset))
        nodes["neuron"] = nir.LIF(*_leak(c.alpha, c.N), _full(c, 0), *limits)
        spiking = "neuron"
    else:
        w_rec = w_rec - c.alpha * c.v_th * np.eye(c.N)
        nodes["neuron"] = nir.LI(*_leak(c.alpha, c.N), _full(c, 0))
        nodes["threshold"] = nir.Threshold(_full(c, c.v_th))
        spiking = "threshold"
    nodes |= {"w_rec": _linear(nir, w_rec), "w_out": _linear(nir, w_out)}
    nodes["readout"] = nir.LI(*_leak(c.alpha_out, c.K), np.zeros(c.K, np.float32))
    nodes["output"] = nir.Output({"output": np.array([c.K])})
    edges = [("input", "w_in"), ("w_in", "neuron"), (spiking, "w_rec"), ("w_rec", "neuron"), (spiking, "w_out")]
    edges += [("w_out", "readout"), ("readout", "output"), *([] if c.hard_reset else [("neuron", "threshold")])]
    metadata = {"dt": DT, "shift_steps": 1, "window_steps": c.W, **_arithmetic(learner)}
    memory = io.BytesIO()
    nir.write(memory, nir.NIRGraph(nodes, edges, metadata=metadata))
    return memory.getvalue()


def _by_pixel(learner: EpropLearner, w_in: np.ndarray) -> np.ndarray:
    """Weights (N, pixels of the sensor), 0 for pixels without an input, so that the graph reads whole recordings. Those
    of pooled inputs remain: events of a cell in one step count once, which a sum over its pixels does not."""
    source_of = learner.inputs.source_of
    return w_in if learner.inputs.once else np.where(source_of < 0, 0.0, w_in[:, source_of])


def _arithmetic(learner: EpropLearner) -> dict[str, Any]:
    """Metadata on the engine's arithmetic. A chip's weights are whole multiples of the scales; its states are integers
    too, but the graph's equations do not round them."""
    if isinstance(engine := learner.engine, ChipEngine):
        return {"arithmetic": "fixed", "weight_scale": engine.lsb, "readout_scale": float(engine.lsb_out)}
    return {"arithmetic": "float"}


def _beyond_nir(learner: EpropLearner) -> str:
    c = learner.c
    if isinstance(learner.engine, BsshslmEngine):
        return f"model.neuron={learner.spec.neuron} resets a step late and weighs its inputs differently"
    if c.adapt_beta:
        return f"model.neuron={learner.spec.neuron} has a threshold that adapts"
    if c.refractory:
        return f"model.t_ref={learner.spec.t_ref} is a refractory time"
    if np.isfinite(c.v_min):
        return f"model.v_min={learner.spec.v_min} bounds the potential"
    return ""


def _linear(nir: Any, weight: np.ndarray) -> Any:
    return nir.Linear(weight.astype(np.float32))


def _full(c: Constants, value: float) -> np.ndarray:
    return np.full(c.N, value, np.float32)


def _leak(decay: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """NIR's tau and r of n neurons."""
    return np.full(n, DT / (1 - decay), np.float32), np.full(n, 1 / (1 - decay), np.float32)
