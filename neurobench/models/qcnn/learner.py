"""The hybrid network learns, and its classical twins beside it on the same batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.kernels.random import derive, fingerprint
from neurobench.models.common.augment import moved
from neurobench.models.common.schedules import FACTORS
from neurobench.models.learner import Divergence, Seeds, Step, Task
from neurobench.models.qcnn import circuits, counts, network
from neurobench.models.qcnn.gradients import Way
from neurobench.models.qcnn.history import History
from neurobench.models.qcnn.member import Member
from neurobench.models.qcnn.spec import QUANTUM, HybridQCNN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neurobench.data.dataset import Batch, Split, Splits
    from neurobench.metrics.operations import Operations

_LEARN, _PREDICT, _DROP, _MOVE = range(4)  # purposes of a draw
FORMAT = 1


class HybridQCNNLearner:
    """See `neurobench.models.learner.Learner`."""

    def __init__(self, recipe: HybridQCNN, task: Task, seeds: Seeds, device: torch.device):
        self.recipe, self.task, self.seeds, self.device = recipe, task, seeds, device
        self.members = {
            head: Member(recipe, head, task.shape, task.n_classes, derive(seeds.init, number), device)
            for number, head in enumerate((recipe.head, *recipe.classical))
        }
        self.main = self.members[recipe.head]
        self.way: Way | None = None  # how circuits are run to predict
        self.learning_way: Way | None = None  # and to learn
        if recipe.head in QUANTUM:
            self.way, self.learning_way = self._ways()
        self.history = History()

    def _ways(self) -> tuple[Way, Way]:
        recipe = self.recipe
        program = circuits.one_qubit()
        if recipe.head == "linear":
            program = circuits.layered(recipe.n_qubits, recipe.depth, recipe.reupload, recipe.zz)
        factor = 1.0 if recipe.shift_without_half else 0.5
        way = Way(recipe.circuit, program, recipe.shots, recipe.gradient, factor)
        if recipe.train_on == "ideal":
            return way, Way(recipe.circuit.ideal(), program, None, "autograd")
        return way, way

    def start(self, train: Split) -> None:
        """Tell what an epoch on the device costs, before any of it is spent."""
        cost = self._cost(len(train))
        if cost.get("qpu_seconds"):
            hours = cost["qpu_seconds"] / 3600
            told = f"{cost['circuits']:,.0f} circuits, {cost['shots']:,.0f} shots"
            warnings.warn(f"an epoch of training would take {hours:.3g} h on the real processor: {told}", stacklevel=2)

    def _cost(self, samples: int) -> dict[str, float]:
        way = self.learning_way
        if way is None:
            return {}
        circuits_run = samples * way.circuits()
        return {"circuits": circuits_run, **way.device.cost(way.program, circuits_run, way.shots or 0)}

    def learn(self, batch: Batch, at: Step) -> Mapping[str, float]:
        """One step of Adam of each network, with the same images dropped in the same places."""
        x, y = self.images(batch.x), batch.y.to(self.device)
        if self.recipe.batch_one and len(y) != 1:
            raise UserError(
                f"batch_one=true, as in the tutorial's view(1, -1), takes one image at a time, not {len(y)}. "
                "Set training.batch_size=1, or model.batch_one=false."
            )
        before = self.main.params.clone()
        dropout = 0.0 if self.recipe.dropout_first_epoch_only and at.epoch else self.recipe.dropout
        kept = network.dropped(len(y), dropout, derive(self.seeds.training, _DROP, at.k), self.device)
        x = moved(x, self.recipe.jitter, derive(self.seeds.training, _MOVE, at.k))
        lr = FACTORS[self.recipe.schedule](at.k, at.n) * self.recipe.lr
        sums: dict[str, float] = {}
        for head, member in self.members.items():
            way = self.learning_way if member is self.main else None
            loss, correct = member.learn(x, y, kept, way, derive(self.seeds.training, _LEARN, at.k), lr)
            if not math.isfinite(loss):
                raise Divergence(f"diverged at update {at.k}: loss is {loss}; try a smaller model.lr")
            sums |= {"loss": loss, "correct": correct} if member is self.main else {f"{head}_accuracy": correct}
        self.history.note(at.epoch, before, sums, len(y))
        return sums

    @torch.no_grad()
    def measure(self, batch: Batch) -> Mapping[str, float]:
        """With circuits run as they are to learn; `predict` runs them on the device in any case."""
        x, y = self.images(batch.x), batch.y.to(self.device)
        sums: dict[str, float] = {}
        for head, member in self.members.items():
            way = self.learning_way if member is self.main else None
            found = member.scores(x, way, self.predict_seed(x))
            correct = float((found.argmax(1) == y).sum())
            if member is self.main:
                sums |= {"loss": float(member.losses(found, y, way).sum()), "correct": correct}
            else:
                sums[f"{head}_accuracy"] = correct
        return sums

    def settle(self, train: Split, validation: Split) -> Mapping[str, float]:
        """Nothing is left to learn. For the record: parameters, and what running the circuits cost."""
        self.history.close(self.main.params)
        figures = {"parameters": float(len(self.main.params))}
        for head in self.recipe.classical:
            figures[f"{head}_parameters"] = float(len(self.members[head].params))
        epochs = len(self.history.sums)
        return figures | {f"training_{name}": value * epochs for name, value in self._cost(len(train)).items()}

    @torch.no_grad()
    def predict(self, x: Any) -> Tensor:
        """Probabilities or logits; with shots or noise as the device gives them. The same x meets the same draws."""
        x = self.images(x)
        return self.main.scores(x, self.way, self.predict_seed(x))

    @torch.no_grad()
    def operations(self, x: Any) -> Operations:
        """Of the network that predicts; those beside it are not counted."""
        x = self.images(x)
        return counts.of_member(self.main, x, self.way, self.predict_seed(x))

    def published_way(self, splits: Splits) -> Mapping[str, float]:
        from neurobench.models.qcnn.beside import all_figures

        return all_figures(self, splits)

    def figures(self, test: Split) -> Mapping[str, Figure | bytes]:
        from neurobench.models.qcnn.figures import all_figures

        return all_figures(self, test)

    def exports(self) -> Mapping[str, Callable[[], bytes]]:
        if self.way is None:
            return {}
        from neurobench.models.qcnn.qasm import trained_program

        return {"qasm3": lambda: trained_program(self)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "settings": self._settings(),
            "members": {head: member.state_dict() for head, member in self.members.items()},
            "history": self.history.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises UserError where the state is of another network."""
        if state.get("format") != FORMAT or "members" not in state:
            raise UserError(
                f"the checkpoint is not one of hybrid_qcnn in format {FORMAT}; train one with this version."
            )
        here = self._settings()
        there = state["settings"]
        differing = [
            f"{key}={there.get(key)} there, {value} here" for key, value in here.items() if there[key] != value
        ]
        if differing:
            raise UserError(
                f"the checkpoint does not fit: {'; '.join(differing)}. Use the same settings, or train anew."
            )
        for head, member in self.members.items():
            member.load_state_dict(state["members"][head])
        self.history.load_state_dict(state["history"], self.device)

    def _settings(self) -> dict[str, Any]:
        """All that the parameters' shapes and meaning depend on."""
        names = ("head", "n_qubits", "depth", "reupload", "zz")
        return {
            **{name: getattr(self.recipe, name) for name in names},
            "classical": list(self.recipe.classical),
            "classes": self.task.n_classes,
            "shape": list(self.task.shape),
        }

    def images(self, x: Any) -> Tensor:
        """Raises UserError for what is no batch of images like those that the network was built for."""
        if not isinstance(x, Tensor) or x.dtype != torch.float32 or tuple(x.shape[1:]) != self.task.shape or not len(x):
            seen = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise UserError(
                f"images must be float32 (B, {', '.join(map(str, self.task.shape))}) with B at least 1, not {seen}"
            )
        return x.to(self.device)

    def predict_seed(self, x: Tensor) -> int:
        """The same images meet the same draws."""
        if self.recipe.shots is None:
            return 0
        return derive(self.seeds.training, _PREDICT, fingerprint(x))
