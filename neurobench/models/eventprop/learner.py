"""Training on exact spike times: event-driven forward pass, adjoint backward pass, Adam."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.data.events import Events as Recordings
from neurobench.kernels.eventprop import Events, Loss, Neuron, run, spikes_of
from neurobench.metrics.operations import Operations, Population, synapses
from neurobench.models.common.late_events import warn_of_late_events
from neurobench.models.common.supervised import require_shapes
from neurobench.models.common.training import FACTORS, Moments, at_rest, descend
from neurobench.models.eventprop.spec import EventPropSNN
from neurobench.models.learner import Divergence, Initial, Seeds, Step, Sums, Task, TrainingRecord

_SEEN = 1000  # training samples whose number of events scales the initial weights


class Response(NamedTuple):
    """Response to B samples; times in ms."""

    first: Tensor  # (B, C) the outputs' first spikes, `length` if there is none
    fired: Tensor  # (B, N) int64 number of spikes of every neuron, layer by layer
    late: Tensor  # (N,) int64 those of all samples whose delay lasts beyond the end
    losses: Tensor  # (B,)
    gradient: np.ndarray  # (weights + delays,) of the mean loss; 0 if nothing is learned


class EventPropLearner:
    """Learner of the spiking network; see `neurobench.models.learner.Learner`."""

    def __init__(self, spec: EventPropSNN, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec, self.task, self.seeds = spec, task, seeds
        inputs = math.prod(task.shape) + (spec.bias_time is not None)
        self.sizes = (inputs, *spec.hidden, task.n_classes)
        weights = sum(one * other for one, other in pairwise(self.sizes))
        delays = sum(self.sizes[1:])
        self.params = {name: torch.zeros(n, dtype=torch.float64) for name, n in (("w", weights), ("delay", delays))}
        self.moments = {name: at_rest([part]) for name, part in self.params.items()}

    def start(self, train: Split, initial: Initial | None) -> None:
        """Draw initial weights, scaled to the training samples' number of events: mean m / n and standard deviation
        s / sqrt(n) for n events that arrive within a tau_mem. Raises UserError if none arrives, or if initial
        weights are given; warns if events come too late."""
        if initial is not None:
            raise UserError("model=eventprop_snn cannot start from another run or file; leave model.init_from out")
        events = self.inputs(train.limited(_SEEN).batch(slice(None)).x)
        warn_of_late_events(train, self.spec.length)
        if not len(events.t):
            raise UserError(f"no event in the first {self.spec.length:g} ms of the samples; use a longer model.length")
        arriving = len(events.t) / (len(events.start) - 1) / max(1.0, float(events.t.max()))
        draw, parts, spec = torch.Generator().manual_seed(self.seeds.init), [], self.spec
        for k, (rows, columns) in enumerate(pairwise(self.sizes)):
            mean, sd = spec.init_later if k else spec.init_first
            n = max(1.0, rows / (spec.length / spec.tau_mem / 2)) if k else arriving
            normal = torch.randn(rows * columns, generator=draw, dtype=torch.float64)
            parts.append(mean / n + sd / math.sqrt(n) * normal)
        self.params["w"] = torch.cat(parts)

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Take one step of Adam. `silent_labels`: samples whose label's neuron did not spike; `silent_outputs`: samples
        without any output spike, which count as the first class, as in `predict`."""
        spec = self.spec
        response = self.respond(batch.x, batch.y, learns=True)
        gradient, weights = torch.from_numpy(response.gradient), len(self.params["w"])
        # outputs have no delay: it would act as a class bias
        gradient[-self.task.n_classes if spec.delay else weights :] = 0
        norm = float(gradient.norm())
        if not math.isfinite(norm):
            raise Divergence(
                f"diverged at update {at.k}: the gradient is not finite; try a smaller lr than {spec.lr:g}"
            )
        if spec.clip is not None and norm > spec.clip:
            gradient *= spec.clip / norm
        factor = FACTORS[spec.lr_schedule](at.k, at.n)
        self._step("w", gradient[:weights], factor * spec.lr)
        if spec.delay:
            self._step("delay", gradient[weights:], factor * spec.delay_lr)
            self.params["delay"].clamp_(min=0)
        return self._sums(response, batch.y)

    def _step(self, name: str, gradient: Tensor, lr: float) -> None:
        self.moments[name] = descend([self.params[name]], [gradient], self.moments[name], lr)

    def measure(self, batch: Batch) -> Sums:
        return self._sums(self.respond(batch.x, batch.y), batch.y)

    def _sums(self, response: Response, y: Tensor) -> Sums:
        silent = response.first >= self.spec.length
        hidden = response.fired[:, : -self.task.n_classes].sum()
        extra = {
            "silent_outputs": float(silent.all(1).sum()),
            "silent_labels": float(silent.gather(1, y[:, None]).sum()),
            "hidden_spikes": float(hidden),
        }
        return Sums(float(response.losses.sum()), float((response.first.argmin(1) == y).sum()), extra)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return no metrics; nothing is left to learn."""
        return {}

    def predict(self, x: Any) -> Tensor:
        """Scores: time from each output's first spike to the end, in units of loss_tau; 0 if it does not spike."""
        return (self.spec.length - self.respond(x).first) / self.spec.loss_tau

    def respond(self, x: Any, y: Tensor | None = None, learns: bool = False) -> Response:
        """Run the network on B recordings and, if it `learns`, compute the gradient of their mean loss."""
        spec, tau, b = self.spec, self.spec.tau_mem, len(x)
        weights, delays = (self.params[name].numpy() for name in ("w", "delay"))
        first, fired = np.empty((b, self.task.n_classes)), np.empty((b, len(delays)), np.int64)
        late = np.zeros(len(delays), np.int64)
        gradient, losses = np.zeros(len(weights) + len(delays)), np.empty(b)
        loss = Loss(spec.loss_tau / tau, spec.early, spec.early_tau / tau, spec.wake)
        labels = np.zeros(b, np.int64) if y is None else y.cpu().numpy()
        network = (weights, delays, np.array(self.sizes), self.neuron, loss, labels, learns)
        run(self.inputs(x), *network, first, fired, late, losses, gradient)
        # of silent outputs exactly `length`, to which the product may round down
        ms = np.where(first < self.neuron.end, first * tau, spec.length)
        times, counts, lost = torch.from_numpy(ms), torch.from_numpy(fired), torch.from_numpy(late)
        return Response(times, counts, lost, torch.from_numpy(losses), gradient / max(b, 1))

    @property
    def neuron(self) -> Neuron:
        return Neuron(1.0, self.spec.length / self.spec.tau_mem, self.spec.most_spikes)

    def raster(self, x: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """Times (ms) and neurons of the first recording's spikes: inputs, then each layer's after their delays."""
        events, tau = self.inputs(x), self.spec.tau_mem
        weights, delays = (self.params[name].numpy() for name in ("w", "delay"))
        spikes, n = spikes_of(events, weights, delays, np.array(self.sizes), self.neuron), events.start[1]
        layers = [(spikes.t[k, : spikes.n[k, 1]], spikes.neuron[k, : spikes.n[k, 1]]) for k in range(len(spikes.n))]
        return [(t * tau, neuron) for t, neuron in ((events.t[:n], events.source[:n]), *layers)]

    def inputs(self, x: Any) -> Events:
        """Events within `length`, including those of the bias (the last input), in order of time. Raises UserError if
        the recordings come from another sensor."""
        if not isinstance(x, Recordings) or x.sensor != self.task.shape:
            given = getattr(x, "sensor", type(x).__name__)
            raise UserError(f"samples must be recordings of a sensor of {self.task.shape}, not {given}")
        _, rows, columns = x.sensor
        seen = x.t < self.spec.length * 1000
        owner = x.recording()[seen].numpy()
        t = x.t[seen].numpy() / (1000 * self.spec.tau_mem)
        source = ((x.p[seen].long() * rows + x.y[seen].long()) * columns + x.x[seen].long()).numpy()
        if self.spec.bias_time is not None:
            samples = np.arange(len(x))
            owner, source = (
                np.concatenate([owner, samples]),
                np.concatenate([source, np.full(len(x), self.sizes[0] - 1)]),
            )
            t = np.concatenate([t, np.full(len(x), self.spec.bias_time / self.spec.tau_mem)])
            order = np.lexsort((t, owner))
            owner, t, source = owner[order], t[order], source[order]
        start = np.concatenate([[0], np.bincount(owner, minlength=len(x)).cumsum()])
        return Events(t, source, start)

    def layers(self) -> list[Tensor]:
        """Weights (I, N) of each layer, in units of the threshold."""
        parts = self.params["w"].split([one * other for one, other in pairwise(self.sizes)])
        return [part.view(rows, -1) for part, rows in zip(parts, self.sizes[:-1], strict=True)]

    def state_dict(self) -> dict[str, Any]:
        moments = {name: {"first": m.first[0].clone(), "second": m.second[0].clone(), "t": m.t}
                   for name, m in self.moments.items()}  # fmt: skip
        return {"params": {name: part.clone() for name, part in self.params.items()}, "moments": moments}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another network."""
        require_shapes(self.params, state.get("params", {}))
        self.params = {name: part.clone() for name, part in state["params"].items()}
        for name, m in state["moments"].items():
            self.moments[name] = Moments([m["first"].clone()], [m["second"].clone()], m["t"])


def operations(learner: EventPropLearner, x: Any) -> Operations:
    """Operations of predicting x. Every product accumulates a spike that arrives before the end. Without steps, costs
    per step are undefined."""
    events, response = learner.inputs(x), learner.respond(x)
    fired, late = response.fired, response.late
    arrived = torch.from_numpy(np.bincount(events.source, minlength=learner.sizes[0]))
    connections, populations, offset = [], [], 0
    for k, W in enumerate(learner.layers()):
        name, spikes = f"layer{k + 1}", fired[:, offset : offset + W.shape[1]]
        connections.append(synapses(name, W.t(), arrived, len(x), spikes=True))
        populations.append(Population(name, int((spikes > 0).sum()), spikes.numel()))
        arrived, offset = spikes.sum(0) - late[offset : offset + W.shape[1]], offset + W.shape[1]
    no_steps = "events come at any time: there are no steps"
    undefined = {
        **dict.fromkeys(("effective_macs_per_step", "effective_acs_per_step"), no_steps),
        "dense_operations": f"{no_steps} in which every input could have come",
        "membrane_updates": "a membrane is followed from event to event, not in steps",
    }
    return Operations(len(x), len(x), connections, populations, learner.params, undefined=undefined)
