"""Training of a NIR graph: events to frames, steps, readout, backpropagation through time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.data.events import Events
from neurobench.devices.core.specs import Core, FixedCore
from neurobench.models.common.late_events import warn_of_late_events
from neurobench.models.common.supervised import measured, training_loss
from neurobench.models.common.training import Moments, at_rest, descend
from neurobench.models.learner import Initial, Seeds, Step, Sums, Task, TrainingRecord
from neurobench.models.nir_graph.dynamics import Dynamics
from neurobench.models.nir_graph.files import layered, with_parameters
from neurobench.models.nir_graph.fixed import on_core
from neurobench.models.nir_graph.network import GraphNetwork
from neurobench.models.nir_graph.spec import MOST_STEPS, NIRGraph
from neurobench.problems.nir_file import read_nir
from neurobench.problems.spiking_graph import GraphError, SpikingGraph

BLOCK = 32  # samples run at once in prediction,
AT_ONCE = 2**28  # or fewer of many steps: values of their frames, which bounds memory


class NIRGraphLearner:
    """Learner of a NIR graph; see `neurobench.models.learner.Learner`. `file`: the graph's file as read."""

    def __init__(self, spec: NIRGraph, task: Task, seeds: Seeds, devices: Mapping[str, Any], device: torch.device):
        self.spec, self.task, self.seeds, self.device = spec, task, seeds, device
        self.core: Core | None = devices["core"].arithmetic if "core" in devices else None
        sizes = (math.prod(task.shape), *spec.hidden, task.n_classes)
        self._open(layered(sizes, seeds.init), "model.init_from=null")

    def _open(self, content: bytes, name: str) -> None:
        graph = read_nir(content, name)
        expects, shows = math.prod(graph.shapes[""]), graph.shapes[graph.output]
        if expects != math.prod(self.task.shape):
            raise UserError(
                f"{name} reads {expects} values (shape {graph.shapes['']}); a sample of this data set has "
                f"{math.prod(self.task.shape)} (shape {self.task.shape}). Choose the data set that it was trained on."
            )
        if not same_order(graph.shapes[""], self.task.shape):
            raise UserError(
                f"{name} reads values in axes of {graph.shapes['']}; a sample of this data set has {self.task.shape}: "
                "polarities, rows, columns. Export the network for that order, or for a flat input."
            )
        if math.prod(shows) != self.task.n_classes:
            raise UserError(f"{name} outputs {shows}; this data set has {self.task.n_classes} classes.")
        self.dt = self.spec.dt or 1e3 * _stated_dt(graph, name)
        # a run that starts from this one reads the step from the file
        self.file = content if self.spec.dt is None else with_parameters(content, {}, 1e-3 * self.dt)
        self.bin = self.spec.bin or self.dt
        if self.spec.steps(self.bin) > MOST_STEPS:
            steps = f"model.length={self.spec.length:g} ms are {self.spec.steps(self.bin)} steps of {self.bin:g} ms"
            raise UserError(f"{steps}; at most {MOST_STEPS} can be run. Set model.bin or a shorter model.length.")
        spec = self.spec
        how = Dynamics(1e-3 * self.dt, scheme=spec.scheme, reset=spec.reset, tie=spec.tie)
        self.network = GraphNetwork(graph, how, self.device)
        self.moments = at_rest(list(self.network.parameters.values()))

    def start(self, train: Split, initial: Initial | None) -> None:
        """Open the graph of `initial`, if any. Raises UserError if the core cannot run it; warns if the step had to be
        assumed, a time constant is shorter than it, or events come too late."""
        warn_of_late_events(train, self.spec.length)
        if initial is not None:
            self._begin_with(initial)
            if self.spec.dt is None and self.network.graph.dt is None:
                warnings.warn(
                    f"model.init_from={initial.reference} states no dt: a step of {self.dt:g} ms is assumed. If it was "
                    "exported with another, set model.dt, in ms (snnTorch: 0.1), and model.bin",
                    stacklevel=2,
                )
        if shorter := self.network.shorter_than_a_step():
            warnings.warn(
                f"{'; '.join(shorter)}: shorter than a step of {self.dt:g} ms, so that 1 - dt / tau is below 0 and the "
                "state changes sign from step to step. If another framework used a shorter step, set model.dt, in ms",
                stacklevel=2,
            )
        self._as_run()  # raises before training if the core cannot run it

    def _begin_with(self, initial: Initial) -> None:
        source = f"model.init_from={initial.reference}"
        if initial.state is None:
            self._open(initial.path.read_bytes(), source)
        elif "file" in initial.state:
            self._restore(initial.state, source)
        else:
            raise UserError(f"{source}: {initial.path} contains no network of nir_graph.")

    def learn(self, batch: Batch, at: Step) -> Sums:
        """Take one step of Adam on the batch's mean cross-entropy. With lr=0 the batch is ignored."""
        if self.spec.lr == 0:
            return Sums()
        parameters = list(self.network.parameters.values())
        for each in parameters:
            each.requires_grad_()
        scores = self._scores(batch.x, self.network)
        loss, sums = training_loss(scores, batch.y.to(self.device), 0.0, at.k)
        if not loss.requires_grad:
            raise UserError("no weight of this graph acts on its output: nothing can be trained. Set model.lr=0.")
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        for each in parameters:
            each.requires_grad_(False)
        self.moments = descend(parameters, gradients, self.moments, self.spec.lr)
        return sums

    def measure(self, batch: Batch) -> Sums:
        return measured(self.predict(batch.x), batch.y.to(self.device), 0.0)

    def finalize(self, train: Split, validation: Split, record: TrainingRecord) -> Mapping[str, float]:
        """Return the number of parameters; nothing is left to learn."""
        return {"parameters": float(sum(part.numel() for part in self.network.parameters.values()))}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Scores of the classes, computed in integers if `model.core` names a core of integers."""
        values = self.spec.steps(self.bin) * math.prod(self.task.shape)  # of one sample
        blocks, network = torch.arange(len(x)).split(min(BLOCK, max(1, AT_ONCE // values))), self._as_run()
        return torch.cat([self._scores(x[index], network) for index in blocks])

    def _as_run(self) -> GraphNetwork:
        return on_core(self.network, self.core) if isinstance(self.core, FixedCore) else self.network

    def frames(self, x: Events) -> Tensor:
        """Frames (T, B, *shape of the graph's input). An event at time t is in step rint(t / bin)."""
        steps, shape = self.spec.steps(self.bin), self.task.shape
        at = torch.from_numpy(np.rint(x.t.numpy() / (1e3 * self.bin)).astype(np.int64))
        pixel = (x.p.long() * shape[1] + x.y.long()) * shape[2] + x.x.long()
        seen = at < steps
        place = ((at * len(x) + x.recording()) * math.prod(shape) + pixel)[seen]
        dense = torch.bincount(place, minlength=steps * len(x) * math.prod(shape)).float()
        dense = dense if self.spec.counts else dense.clamp(max=1)
        return dense.reshape(steps, len(x), *self.network.graph.shapes[""]).to(self.device)

    def _scores(self, x: Any, network: GraphNetwork) -> Tensor:
        y = network.run(self.frames(x)).flatten(2).float()
        if self.spec.readout == "last":
            return y[-1]
        return y.sum(0) if self.spec.readout == "sum" else y.amax(0)

    def state_dict(self) -> dict[str, Any]:
        return {
            "file": torch.frombuffer(bytearray(self.file), dtype=torch.uint8),
            "parameters": {name: each.detach().clone() for name, each in self.network.parameters.items()},
            "moments": {
                "first": [each.clone() for each in self.moments.first],
                "second": [each.clone() for each in self.moments.second],
                "t": self.moments.t,
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state. Raises UserError if it belongs to another model."""
        if "file" not in state:
            raise UserError("the checkpoint contains no graph. Train again.")
        self._restore(state, "the checkpoint's graph")
        moments = state["moments"]
        first, second = ([each.to(self.device, copy=True) for each in moments[key]] for key in ("first", "second"))
        self.moments = Moments(first, second, moments["t"])

    def _restore(self, state: Mapping[str, Any], name: str) -> None:
        self._open(bytes(state["file"].numpy().tobytes()), name)
        self.network.load(state["parameters"])


def exports(learner: NIRGraphLearner) -> Mapping[str, Callable[[], bytes]]:
    """Export formats: the graph with its current weights."""
    return {"nir": lambda: with_parameters(learner.file, learner.network.parameters, 1e-3 * learner.dt)}


def same_order(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether the values of two shapes of one size are in the same order, since axes are only joined or split: those of
    (2, 34, 34), (2, 1156) and (2312,) are, those of (34, 34, 2) are not."""
    ends, others = ({math.prod(shape[:k]) for k in range(len(shape) + 1)} for shape in (one, other))
    return ends <= others or others <= ends


def _stated_dt(graph: SpikingGraph, name: str) -> float:
    """Seconds per step according to the file, else 1 ms."""
    try:
        return graph.dt or 1e-3
    except GraphError as fault:
        raise UserError(f"{name}: {fault}. Set model.dt, in ms.") from fault
