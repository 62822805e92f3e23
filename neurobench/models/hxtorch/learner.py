"""Training of the hxtorch perceptron: forward on the device or on its linear model, gradient always from the model."""

import copy
import math
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench import live
from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.devices.mac.protocol import AnalogMac
from neurobench.kernels.random import derive, fingerprint
from neurobench.models.common.exchange import safetensors
from neurobench.models.common.training import Moments, at_rest, cosine, descend, exponential
from neurobench.models.hxtorch import network
from neurobench.models.hxtorch.network import Activity, Network, softmax_gradient
from neurobench.models.hxtorch.spec import HXTorchMLP, Phase, Position, position
from neurobench.models.learner import Initial, Seeds, Step, Sums, Task, TrainingRecord

LEARN, PREDICT, PASS, SHOW = range(4)  # purposes of random draws
MAP = 16  # points along a side of the live decision map, if no grid precedes the batches
FORMAT = 1
SAME_CHIP = 0.005  # relative: how well two calibrations of one chip agree
TRANSFER = 0.05  # relative: a chip whose gain is further off rescales all logits, unlike in training


class HXTorchMLPLearner:
    """Learner of the hxtorch perceptron; see `neurobench.models.learner.Learner`."""

    def __init__(
        self, spec: HXTorchMLP, task: Task, seeds: Seeds, devices: Mapping[str, AnalogMac], device: torch.device
    ):
        self.spec, self.task, self.seeds, self.device = spec, task, seeds, device
        self.mac = devices["mac"]
        self.host = self.mac.host()
        self.net = network.initial(spec, prod(task.shape), task.n_classes, self.mac.gain, seeds.init, device)
        self.moments = at_rest(self.net.parameters())
        self.begun: dict[str, int] = {}  # phase -> its first update, in order
        self.cap: float | None = None  # upper bound of the accuracy with these rounded inputs
        self.source: str | None = None  # the run whose weights training started from
        self.initial_weights: dict[str, Tensor] | None = None  # of that run
        is_plane = task.shape == (4,)
        self.shown = self.inputs(network.grid_points(spec.grid or MAP)) if is_plane else None  # points of the live map

    def start(self, train: Split, initial: Initial | None) -> None:
        """Compute the accuracy's upper bound, and take over weights and num_sends of another run."""
        if self.task.shape == (4,) and not self.spec.exact:
            self.cap = network.input_cap(self.inputs(train.x), train.y.to(self.device))
        if initial is None:
            return
        state = initial.state or {}
        # Training on the linear model may be continued on any chip of about its gain.
        self._require_fit(state, SAME_CHIP if state.get("chip") else TRANSFER)
        self.net = self.net.with_weights(state["weights"], state["num_sends"])
        self.source, self.initial_weights = str(initial.path), self.net.weights()

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Take one step of Adam. The loss is the mean cross-entropy of the scaled logits."""
        now = position(self.spec.plan, at)
        phase = self.spec.plan[now.name]
        if now.j == 0:
            self.begun[now.name] = at.k
            self.moments = at_rest(self.net.parameters())
        x, y = self.inputs(batch.x), batch.y.to(self.device)
        seed, ahead = derive(self.seeds.training, LEARN, at.k), self.spec.grid**2
        x = torch.cat([self.shown, x]) if ahead and self.shown is not None else x
        act = self.forward(x, self.device_of(phase), seed)
        act, on_grid = Activity(*(part[ahead:] for part in act)), act.logits[:ahead]
        if self.shown is not None and (live.wanted() or (live.watched() and now.ends_phase)):
            self._show(on_grid, phase, at.k)
        g = softmax_gradient(act.logits, y, phase.logit_scale)
        gradients = network.backward(g, act, self.net, self.mac.gain)
        self.moments = descend(self.net.parameters(), gradients, self.moments, learning_rate(phase, now))
        return _sums(act.logits, y, phase.logit_scale)

    def _show(self, logits: Tensor, phase: Phase, k: int) -> None:
        """Publish the decision map before update k, from the grid that preceded the batch or the host's model."""
        if not len(logits):
            assert self.shown is not None
            logits = self.forward(self.shown, self.host, derive(self.seeds.training, SHOW, k)).logits
        where = "on the device" if phase.where == "device" and self.spec.grid else "on the host's model"
        p = torch.softmax(phase.logit_scale * logits, 1)
        side = math.isqrt(len(p))
        live.publish(live.ClassMap(f"update {k}, {where}", p.reshape(side, side, -1).transpose(0, 1).tolist()))

    def device_of(self, phase: Phase) -> AnalogMac:
        return self.host if phase.where == "host" else self.mac

    def forward(self, x: Tensor, mac: AnalogMac, seed: int, net: Network | None = None) -> Activity:
        net = net or self.net
        return network.exact_forward(x, net, mac.gain) if self.spec.exact else network.forward(x, net, mac, seed)

    def measure(self, batch: Batch) -> Sums:
        """Metrics on the device, whatever the phase; logits are unscaled."""
        return _sums(self.predict(batch.x), batch.y.to(self.device), 1.0)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return the accuracy's upper bound, and the results of calibration."""
        cap = {} if self.cap is None else {"input_cap": self.cap}
        calibrated = {f"calibrated_{name}": value for name, value in self.mac.calibration.items()}
        return {**cap, "gain": self.mac.gain, "noise_std": self.mac.noise_std, **calibrated}

    def predict(self, x: Any) -> Tensor:
        """Logits in LSB, computed on the device."""
        return self.respond(x).logits

    def respond(self, x: Any) -> Activity:
        """Values of the layers in a prediction. Equal x get equal noise."""
        x = self.inputs(x)
        return self.forward(x, self.mac, derive(self.seeds.training, PREDICT, fingerprint(x)))

    def snapshot(self, label: str) -> dict[str, Any]:
        """Weights and their phase; empty for frames unless samples are points of a plane, which alone are drawn."""
        if label.startswith("frame/") and self.task.shape != (4,):
            return {}
        return {"phase": list(self.begun)[-1], "weights": self.net.weights()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "settings": self._settings(),
            "num_sends": self.net.num_sends,
            "gain": self.mac.gain,
            "noise_std": self.mac.noise_std,
            "chip": dict(self.mac.identity),
            "calibration": dict(self.mac.calibration),
            "weights": self.net.weights(),
            "moments": dict(copy.deepcopy(self.moments)._asdict()),
            "begun": dict(self.begun),
            "cap": self.cap,
            "source": self.source,
            "initial_weights": self.initial_weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network or device."""
        self._require_fit(state, SAME_CHIP)
        self.net = self.net.with_weights(state["weights"], state["num_sends"])
        stored = state["moments"]
        first, second = ([m.to(self.device, copy=True) for m in stored[name]] for name in ("first", "second"))
        self.moments = Moments(first, second, stored["t"])
        self.begun, self.initial_weights = dict(state["begun"]), state["initial_weights"]
        self.cap, self.source = state["cap"], state["source"]

    def _settings(self) -> dict[str, Any]:
        names = ("hidden", "avg", "shift", "bias", "half_lsb", "exact")
        sizes = {"inputs": self.net.first.weight.shape[1], "classes": len(self.net.second.weight)}
        return {**sizes, **{name: getattr(self.spec, name) for name in names}}

    def _require_fit(self, state: Mapping[str, Any], tolerance: float) -> None:
        """Check a state. Raises UserError unless it belongs to this network and, with SAME_CHIP, to this chip."""
        if "settings" not in state or state.get("format") != FORMAT:
            raise UserError(
                f"the checkpoint is not one of hxtorch_mlp in format {FORMAT}; train one with this version."
            )
        theirs, ours, gain = state["settings"], self._settings(), self.mac.gain
        faults = [
            f"{key}={theirs[key]} in the checkpoint, {ours[key]} here" for key in ours if theirs[key] != ours[key]
        ]
        for number, (stored, wanted) in enumerate(zip(state["num_sends"], self.spec.num_sends, strict=True), start=1):
            if wanted is not None and stored != wanted:
                faults.append(f"num_sends of layer {number}={stored} in the checkpoint, {wanted} here")
        if tolerance == SAME_CHIP:
            faults += _chip_faults(state["chip"], dict(self.mac.identity))
        if abs(state["gain"] / gain - 1) > tolerance:
            faults.append(
                f"gain={state['gain']:.5g} in the checkpoint, {gain:.5g} here (more than {tolerance:.1%} apart)"
            )
        if faults:
            advice = "Use the same settings, or train again."
            raise UserError(f"the checkpoint does not fit: {'; '.join(faults)}. {advice}")

    def inputs(self, x: Any) -> Tensor:
        return network.to_inputs(x.to(self.device).flatten(1), self.spec.half_lsb)


def exports(learner: HXTorchMLPLearner) -> Mapping[str, Callable[[], bytes]]:
    return {"safetensors": lambda: safetensors(learner.net.weights())}


def _sums(logits: Tensor, y: Tensor, scale: float) -> Sums:
    loss = cross_entropy(scale * logits, y, reduction="sum")
    return Sums(float(loss), float((logits.argmax(1) == y).sum()))


def learning_rate(phase: Phase, at: Position) -> float:
    """Rate of an update: lr gamma^j, or lr (1 + cos(pi j / steps)) / 2; j counted in the phase's `steps`."""
    if phase.schedule == "cosine":
        return phase.lr * cosine(at.j, at.length)
    return phase.lr * exponential(at.j, at.length, phase.gamma, phase.steps)


def _chip_faults(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    if bool(theirs) != bool(ours):
        names = ["a chip" if chip else "no chip" for chip in (theirs, ours)]
        return [f"{names[0]} in the checkpoint, {names[1]} here"]
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return [f"{key} of the chip={theirs.get(key)} in the checkpoint, {ours.get(key)} here" for key in keys]
