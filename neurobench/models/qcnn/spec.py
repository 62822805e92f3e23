"""What a configuration says about the hybrid network: parameters, their bounds, and nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from neurobench.config.bounds import Bound, Fault
from neurobench.config.errors import UserError
from neurobench.config.spec import Uses
from neurobench.data.dataset import Layout
from neurobench.devices.spec import Demand
from neurobench.models.learner import ModelSpec, Task

QUANTUM, TWO_CLASS = ("binary", "linear"), ("binary", "sigmoid")
SMALLEST_SIDE = 16  # pixels: less, and two 5x5 convolutions with pooling leave nothing

Classical = Literal["sigmoid", "tanh", "mlp"]


@dataclass(frozen=True, kw_only=True)
class HybridQCNN(ModelSpec):
    """LeNet-like trunk -> n numbers z -> head -> scores of the classes. Heads:

        binary   one qubit, H then RY(z): scores P(1), 1 - P(1); two classes
        linear   n qubits, angles tanh(z) pi/2, `depth` times CZ ring, RZ, RY; gain <Z>, linear to the classes
        sigmoid  the classical twin of binary: sigmoid(z)
        tanh     the classical twin of linear: gain tanh(z), linear to the classes
        mlp      the same with one more mixing layer: gain tanh(W tanh(z)), W n x n

    Source: the tutorial "QuTrunk + MNIST + Amazon Deep Learning AMI" (binary); its network is the Qiskit textbook's.
    """

    opens: ClassVar[str] = "neurobench.models.qcnn.learner.HybridQCNNLearner"
    reads: ClassVar[tuple[Layout, ...]] = ("image",)

    head: Literal["binary", "linear", "sigmoid", "tanh", "mlp"] = "binary"
    classical: tuple[Classical, ...] = ("sigmoid",)  # heads trained beside it on the same batches, the same way
    n_qubits: Annotated[int, Bound(1, 64)] = 1  # numbers z, for a classical head too
    depth: Annotated[int, Bound(0, 1000)] = 0  # layers of the circuit: CZ ring, then RZ and RY on every wire
    reupload: bool = False  # RY(s x) once more in each layer, s learned
    zz: bool = False  # <Z_i Z_j> of all pairs as features too
    gain: Annotated[float, Bound(0, 1000, above=True)] = 2.0  # of the features at first; it is learned
    shots: Annotated[int, Bound(1, 2**31 - 1)] | None = None  # of each circuit; null: exact expectations
    gradient: Literal["autograd", "param_shift", "spsa", "straight_through"] = "autograd"
    train_on: Literal["device", "ideal"] = "device"  # ideal: without noise and shots; the device then only predicts
    lr: Annotated[float, Bound(0, 1000, above=True)] = 4e-3  # the largest, of a cycle
    schedule: Literal["constant", "one_cycle"] = "constant"
    weight_decay: Annotated[float, Bound(0, 1000)] = 1e-3
    dropout: Annotated[float, Bound(0, 1, below=True)] = 0.0  # of whole channels after the second convolution
    jitter: Annotated[int, Bound(0, 8)] = 0  # pixels by which training images are moved at random, each way
    # What is wrong with the tutorial's code, each for itself:
    nll_on_probabilities: bool = False  # loss -P(class) in place of -log P(class)
    shift_without_half: bool = False  # param_shift: twice the true gradient of the circuit
    dropout_first_epoch_only: bool = False  # eval() after the first epoch is never undone
    batch_one: bool = False  # view(1, -1): only one image at a time
    circuit: Annotated[str, Uses("circuit")]

    def conflicts(self) -> list[Fault]:
        return [*self._head_faults(), *self._gradient_faults()]

    def _head_faults(self) -> list[tuple[str, str]]:
        faults = []
        if self.head in TWO_CLASS and self.n_qubits != 1:
            faults.append(("n_qubits", f"={self.n_qubits}: head={self.head} has one; set head=linear for more"))
        if self.head == "binary" and (self.depth or self.reupload or self.zz):
            faults.append(("depth", ", reupload and zz belong to head=linear; head=binary has the tutorial's circuit"))
        if self.head == "linear" and self.zz and self.n_qubits < 2:
            faults.append(("zz", "=True needs a pair of qubits; set n_qubits=2 or more"))
        if len(set(self.classical)) < len(self.classical) or self.head in self.classical:
            faults.append(("classical", f"={list(self.classical)} names a head twice, {self.head} being the first"))
        for kind in self.classical:
            if kind == "sigmoid" and self.n_qubits != 1:
                faults.append(("classical", "=sigmoid has one number z; take tanh or mlp beside several qubits"))
        return faults

    def _gradient_faults(self) -> list[tuple[str, str]]:
        faults = []
        trained_by_counts = self.shots is not None and self.train_on == "device"
        if trained_by_counts and self.gradient == "autograd":
            faults.append(
                (
                    "gradient",
                    f"=autograd needs exact expectations, counts of shots={self.shots} have no derivative; set "
                    "gradient=param_shift, or shots=null, or train_on=ideal",
                )
            )
        if self.shift_without_half and self.gradient != "param_shift":
            faults.append(("shift_without_half", f"=True changes gradient=param_shift, not {self.gradient}"))
        return faults

    def demand(self, task: Task) -> Demand:
        two = [head for head in (self.head, *self.classical) if head in TWO_CLASS]
        if two and task.n_classes != 2:
            raise UserError(
                f"head={two[0]} tells two classes apart, the data have {task.n_classes}; take "
                "model=hybrid_qcnn_digits (head=linear), or two digits: dataset.digits=[0,1]"
            )
        if min(task.shape[1:]) < SMALLEST_SIDE:
            raise UserError(
                f"images of {task.shape[1:]} pixels are too small; at least {SMALLEST_SIDE} a side are wanted"
            )
        return Demand(qubits=self.n_qubits if self.head in QUANTUM else 1)
