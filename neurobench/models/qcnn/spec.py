"""Configuration of the hybrid network: parameters and their bounds, no heavy imports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, get_args

from neurobench.config.bounds import Bound, BoundsError, Fault
from neurobench.config.errors import UserError
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.common.exchange import FORMATS
from neurobench.models.learner import ModelSpec, Task

QUANTUM, TWO_CLASS = ("binary", "linear"), ("binary", "sigmoid")
SMALLEST_SIDE = 16  # pixels: with fewer, two 5x5 convolutions with pooling leave nothing

Classical = Literal["sigmoid", "tanh", "mlp", "ring"]


@dataclass(frozen=True, kw_only=True)
class HybridQCNN(ModelSpec):
    """LeNet-like trunk -> n numbers z -> head (see `heads.py`) -> scores of the classes.

    Open settings (`auto`, null) follow from the head, and the head from the number of classes: see `for_task`.

    Source: the tutorial "QuTrunk + MNIST + Amazon Deep Learning AMI" (binary); its network is the Qiskit textbook's.
    """

    opens: ClassVar[str] = "neurobench.models.qcnn.learner.HybridQCNNLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image",)
    figures: ClassVar[str] = "neurobench.models.qcnn.figures.all_figures"
    exports: ClassVar[str] = "neurobench.models.qcnn.learner.exports"
    formats: ClassVar[Mapping[str, str]] = {"qasm3": "the circuit in OpenQASM 3: qiskit, PennyLane, Braket", **FORMATS}
    operations: ClassVar[str] = "neurobench.models.qcnn.learner.operations"
    tutorial_metrics: ClassVar[str] = "neurobench.models.qcnn.comparisons.tutorial_metrics"
    printout: ClassVar[str] = "neurobench.models.qcnn.printout.printout"
    moves: ClassVar[Mapping[str, Any]] = {"jitter": 0}
    gpu_from_batch: ClassVar[int | None] = (
        512  # speed of an H100 relative to 16 cores, batches of 64: training 0.8 to 1.2, prediction 0.5
    )

    head: Literal["auto", "binary", "linear", "sigmoid", "tanh", "mlp", "ring"]
    classical: tuple[Classical, ...] | None
    n_qubits: Annotated[int, Bound(1, 64)] | None
    depth: Annotated[int, Bound(0, 1000)] | None
    reupload: bool
    zz: bool
    gain: Annotated[float, Bound(0, 1000, above=True)] | None
    shots: Annotated[int, Bound(1, 2**31 - 1)] | None
    gradient: Literal["autograd", "param_shift", "spsa", "straight_through"]
    train_on: Literal["device", "ideal"]
    lr: Annotated[float, Bound(0, 1000, above=True)] | None
    schedule: Literal["auto", "constant", "one_cycle"]
    weight_decay: Annotated[float, Bound(0, 1000)] | None
    dropout: Annotated[float, Bound(0, 1, below=True)]
    jitter: Annotated[int, Bound(0, 8)]
    nll_on_probabilities: bool
    shift_without_half: bool
    dropout_first_epoch_only: bool
    batch_one: bool
    circuit: Annotated[str, Uses("circuit")]
    entangled: bool = True

    def for_task(self, task: Task) -> HybridQCNN:
        """Copy of this spec with all open settings resolved. Raises UserError if it does not fit the task."""
        head = ("binary" if task.n_classes == 2 else "linear") if self.head == "auto" else self.head
        defaults = _defaults(head, self.classical)
        chosen = {name: value for name, value in defaults.items() if getattr(self, name) in (None, "auto")}
        try:
            spec = replace(self, head=head, **chosen)
        except BoundsError as error:
            raise UserError("; ".join(f"model.{field}{sentence}" for field, sentence in error.faults)) from None
        two = [name for name in (head, *(spec.classical or ())) if name in TWO_CLASS]
        if two and task.n_classes != 2:
            raise UserError(
                f"head={two[0]} distinguishes two classes, the data have {task.n_classes}; use model.head=auto, or two "
                "digits: dataset.digits=[0,1]"
            )
        if min(task.shape[1:]) < SMALLEST_SIDE:
            raise UserError(f"images of {task.shape[1:]} pixels are too small; each side needs {SMALLEST_SIDE} or more")
        return spec

    def demand(self, task: Task) -> Demand:
        spec = self.for_task(task)
        quantum = spec.head in QUANTUM
        settings = {"exact_for": self._exact_for()} if quantum else {}
        return Demand(qubits=(spec.n_qubits or 1) if quantum else 1, settings=settings)

    def _exact_for(self) -> str | None:
        """The setting that requires exact expectations from the device; None if counts suffice."""
        if self.shots is None:
            return "model.shots=null"
        counted = self.train_on == "ideal" or self.gradient in ("param_shift", "spsa")
        return None if counted else f"model.gradient={self.gradient}"

    def conflicts(self) -> list[Fault]:
        faults = []
        n, classical = self.n_qubits or 1, self.classical or ()
        if self.head in TWO_CLASS and n != 1:
            faults.append(("n_qubits", f"={n}: head={self.head} has one; set head=linear for more"))
        if self.head == "binary" and ((self.depth and "ring" not in classical) or self.reupload or self.zz):
            faults.append(("depth", ", reupload and zz belong to head=linear; head=binary has the tutorial's circuit"))
        if not self.entangled and self.head not in ("auto", "linear"):
            faults.append(("entangled", f"=False removes the CZ ring from head=linear; head={self.head} has none"))
        if not self.entangled and self.head == "linear" and (self.n_qubits == 1 or self.depth == 0):
            faults.append(("entangled", "=False removes the CZ ring; with one qubit or depth=0 there is none"))
        if self.head == "linear" and self.zz and self.n_qubits == 1:
            faults.append(("zz", "=True needs a pair of qubits; set n_qubits=2 or more"))
        if self.head == "linear" and self.reupload and self.depth == 0:
            faults.append(("reupload", "=True applies the angles again in each layer; depth=0 has none"))
        if len(set(classical)) < len(classical) or self.head in classical:
            faults.append(("classical", f"={list(classical)} names a head twice, {self.head} being the first"))
        if "sigmoid" in classical and n != 1:
            faults.append(("classical", "=sigmoid has one number z; use tanh or mlp with several qubits"))
        faults += self._without_a_circuit() if self.head in get_args(Classical) else []
        if self.nll_on_probabilities and not {"auto", *TWO_CLASS} & {self.head, *classical}:
            sentence = f"=True changes the loss of head={' and '.join(TWO_CLASS)}; head={self.head} has logits"
            faults.append(("nll_on_probabilities", sentence))
        counts = self.shots is not None and self.head not in get_args(Classical)
        if self.gradient == "autograd" and counts and self.train_on == "device":
            sentence = f"=autograd needs exact expectations, counts of shots={self.shots} have no derivative; set "
            faults.append(("gradient", sentence + "gradient=param_shift, or shots=null, or train_on=ideal"))
        if self.gradient != "autograd" and self.train_on == "ideal" and self.head not in get_args(Classical):
            sentence = f"={self.gradient} is for train_on=device; train_on=ideal learns by gradient=autograd"
            faults.append(("gradient", sentence))
        if self.shift_without_half and self.gradient != "param_shift":
            faults.append(("shift_without_half", f"=True changes gradient=param_shift, not {self.gradient}"))
        return faults

    def _without_a_circuit(self) -> list[Fault]:
        """Settings of circuits, which a network with a classical head does not have."""
        still = {"reupload": False, "zz": False, "shots": None, "gradient": "autograd", "train_on": "device"}
        moved = [name for name, value in still.items() if getattr(self, name) != value]
        return [(name, f"={getattr(self, name)} is for a circuit; head={self.head} has none") for name in moved]


def _defaults(head: str, classical: tuple[Classical, ...] | None) -> dict[str, Any]:
    """Values of a head for settings that the configuration leaves open. `classical`: heads for comparison, if they are
    set. Source: conf/model/hybrid_qcnn.yaml."""
    depth = 1 if {"linear", "ring"} & {head, *(classical or ())} else 0
    if head in TWO_CLASS:
        rates = {"lr": 0.004, "schedule": "constant", "weight_decay": 0.001}
        twins = ("sigmoid",) if head == "binary" else ()
        return {"classical": twins, "n_qubits": 1, "depth": depth, "gain": 2.0, **rates}
    comparisons = {"linear": ("tanh", "mlp"), "tanh": ("mlp",)}.get(head, ())
    circuit = {"depth": depth, "gain": 4.0 if head == "linear" else 2.0}
    rates = {"lr": 0.008, "schedule": "one_cycle", "weight_decay": 0.0}
    return {"classical": comparisons, "n_qubits": 8, **circuit, **rates}
