"""Speed of the quantum layer compared with other libraries, in one run: python tests/bench/bench_qcnn.py

Targets: forward and backward of the layer at 4 to 8 qubits at least 10 times as fast as PennyLane's backprop and 5
times as DeepQuantum, at 4 qubits at least 100 times as PennyLane's lightning with adjoint gradients; the noisy layer at
4 qubits at least 10 times as default.mixed. An epoch of digits 0 and 1 at least 40 times as fast as the tutorial's loop
with QuTrunk, its circuits alone 1000 times.

64 images, two layers of CZ ring, RZ, RY, float32 if the peer supports it, one thread, alternating, medians. Peers:
make .venv/peers/qcnn .venv/peers/qutrunk; a missing one is reported.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.extend(str(Path(__file__).parents[2] / folder) for folder in ("", ".venv/peers/qcnn", ".venv/peers/qutrunk"))

import torch
from torch import Tensor

from neurobench.data.dataset import Batch
from neurobench.devices.circuit.mock_noise import Noise
from neurobench.devices.circuit.protocol import Expectations
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.experiment.plan import spawn
from neurobench.models.learner import Step, Task
from neurobench.models.qcnn.circuits import layered, one_qubit, ring
from neurobench.problems.circuit import Angles, Program
from tests.bench.machine import print_machine
from tests.specs import spec

CPU = torch.device("cpu")
BATCH, DEPTH, REPEATS = 64, 2, 5
Layer = Callable[[Tensor, Tensor], Tensor]  # x (B, n), w (L, n, 2) -> (B, n)


def ours(device: Any, program: Program) -> Layer:
    return lambda x, w: device.expectation(program, Angles(x, w.flatten())).values


def pennylane(n: int, depth: int, device: str, method: str, noisy: Noise | None = None) -> Layer:
    import pennylane as qml

    wires = qml.device(device, wires=n)
    strengths = noisy.strengths if noisy else (0.0, 0.0)

    def noise(wire: int, strength: float) -> None:
        if noisy:  # depolarization alone: less than this package simulates
            qml.DepolarizingChannel(0.75 * strength, wires=wire)

    @qml.qnode(wires, interface="torch", diff_method=method)
    def circuit(x: Tensor, w: Tensor) -> Any:
        for i in range(n):
            qml.Hadamard(i)
            qml.RY(x[..., i], i)
            noise(i, strengths[0])
        for layer in range(depth):
            for pair in ring(n):
                qml.CZ(pair)
                for wire in pair:
                    noise(wire, strengths[1])
            for i in range(n):
                qml.RZ(w[layer, i, 0], i)
                qml.RY(w[layer, i, 1], i)
                noise(i, strengths[0])
        return [qml.expval(qml.PauliZ(i)) for i in range(n)]

    return lambda x, w: torch.stack(circuit(x, w), -1)


def deepquantum(n: int, depth: int) -> Layer:
    import deepquantum as dq

    circuit = dq.QubitCircuit(n)
    for i in range(n):
        circuit.h(i)
        circuit.ry(i, encode=True)
    for _ in range(depth):
        for pair in ring(n):
            circuit.cz(*pair)
        for i in range(n):
            circuit.rz(i, encode=True)
            circuit.ry(i, encode=True)
    for i in range(n):
        circuit.observable(i, "z")

    def layer(x: Tensor, w: Tensor) -> Tensor:
        circuit(torch.cat([x, w.flatten().expand(len(x), -1)], 1))
        return circuit.expectation()

    return layer


def timed(layer: Layer, n: int, depth: int) -> tuple[float, Tensor]:
    draw = torch.Generator().manual_seed(n)
    x = torch.randn(BATCH, n, generator=draw).requires_grad_()
    w = (0.1 * torch.randn(depth, n, 2, generator=draw)).requires_grad_()
    begin = time.perf_counter()
    z = layer(x, w)
    torch.autograd.grad(z.square().sum(), (x, w) if depth else (x,))
    return time.perf_counter() - begin, z.detach().float()


def race(title: str, contenders: dict[str, tuple[Callable[[], Layer], int]], n: int, depth: int, same: bool) -> None:
    """Time layers in turn. `contenders`: name -> function that builds the layer, runs per turn; the first is "ours"."""
    layers: dict[str, Layer] = {}
    for name, (make, _) in contenders.items():
        try:
            layers[name] = make()
            timed(layers[name], n, depth)
        except ImportError as missing:
            print(f"{title}: {name} is left out, {missing}")
            layers.pop(name, None)
    truth = timed(layers["ours"], n, depth)[1]
    times: dict[str, list[float]] = {name: [] for name in layers}
    for _ in range(REPEATS):
        for name, layer in layers.items():
            for _ in range(contenders[name][1]):
                seconds, z = timed(layer, n, depth)
                times[name].append(seconds)
            assert not same or (z - truth).abs().max() < 1e-4, f"{name} computes another circuit"
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        print(f"{title}: {name:32s} {1e3 * value:9.2f} ms  ({value / median['ours']:6.1f}x ours)", flush=True)


def layers_race() -> None:
    sim, by_torch = StatevectorDevice(CPU), StatevectorDevice(CPU, compiled=False)
    for n in (1, 4, 6, 8):
        depth = DEPTH if n > 1 else 0
        program = layered(n, DEPTH, reupload=False, zz=False) if n > 1 else one_qubit()
        contenders: dict[str, tuple[Callable[[], Layer], int]] = {
            "ours": (lambda p=program: ours(sim, p), 20),
            "ours, torch alone": (lambda p=program: ours(by_torch, p), 5),
            "PennyLane default.qubit backprop": (lambda n=n, d=depth: pennylane(n, d, "default.qubit", "backprop"), 2),
            "DeepQuantum": (lambda n=n, d=depth: deepquantum(n, d), 2),
        }
        if n <= 4:
            make = lambda n=n, d=depth: pennylane(n, d, "lightning.qubit", "adjoint")  # noqa: E731
            contenders["PennyLane lightning.qubit adjoint"] = (make, 1)
        race(f"{n} qubit{'s' * (n > 1)}", contenders, n, depth, same=True)


def noisy_race() -> None:
    device = spec("backend/mock", "circuit").open(0, CPU)
    noise, program = device.processor.noise, layered(4, DEPTH, reupload=False, zz=False)
    contenders: dict[str, tuple[Callable[[], Layer], int]] = {
        "ours": (lambda: ours(device, program), 10),
        "PennyLane default.mixed backprop": (lambda: pennylane(4, DEPTH, "default.mixed", "backprop", noise), 1),
    }
    race("4 noisy qubits", contenders, 4, DEPTH, same=False)


def epoch_race() -> None:
    """Time an epoch of 800 images of the tutorial's size: here in batches of 64, and with PennyLane's layer instead."""
    x, y = torch.rand(800, 1, 28, 28), torch.arange(800) % 2

    def epoch(circuit: Any, size: int, **fields: Any) -> float:
        model = spec("model/hybrid_qcnn", head="binary", classical=(), **fields)
        learner = model.build(Task("image", (1, 28, 28), 2), spawn(0), {"circuit": circuit}, CPU)
        begin = time.perf_counter()
        for k in range(0, 800, size):
            learner.learn(Batch(x[k : k + size], y[k : k + size]), Step(k // size, 800 // size, 0, 800 // size))
        return time.perf_counter() - begin

    contenders: dict[str, Callable[[], float]] = {
        "ours, batches of 64": lambda: epoch(StatevectorDevice(CPU), 64),
        "ours, batches of 16": lambda: epoch(StatevectorDevice(CPU), 16),
        "ours, one by one": lambda: epoch(StatevectorDevice(CPU), 1),
    }
    try:
        peer = _Foreign(pennylane(1, 0, "default.qubit", "backprop"))
        contenders["PennyLane layer, one by one"] = lambda: epoch(peer, 1)
    except ImportError as missing:
        print(f"epoch: PennyLane is left out, {missing}")
    shots = {"shots": 100, "gradient": "param_shift"}
    contenders["ours, 100 shots, batches of 64"] = lambda: epoch(StatevectorDevice(CPU), 64, **shots)
    try:
        run = qutrunk()
        contenders["QuTrunk loop, 100 shots"] = lambda: 8 * tutorial_loop(run, x[:100], y[:100])  # an eighth is timed
    except ImportError as missing:
        print(f"epoch: QuTrunk is left out, {missing}")
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(3):
        for name, work in contenders.items():
            times[name].append(work())
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        print(f"epoch of 800 images: {name:28s} {value:7.2f} s  ({value / median['ours, batches of 64']:6.1f}x)")


def qutrunk() -> Callable[[float], float]:
    """Return a function angle -> P(1) from 100 shots of the tutorial's circuit. QuTrunk imports rustworkx by its old
    name."""
    import rustworkx

    sys.modules.setdefault("retworkx", rustworkx)
    from qutrunk.circuit import QCircuit
    from qutrunk.circuit.gates import Barrier, H, Measure, Ry

    def run(theta: float) -> float:
        circuit = QCircuit()
        q = circuit.allocate(1)
        H * q[0]
        Barrier * q
        Ry(theta) * q[0]
        Measure * q[0]
        counts = json.loads(str(circuit.run(shots=100).get_counts()).replace("'", '"'))
        return sum(int(key, base=2) * value for entry in counts for key, value in entry.items()) / 100

    return run


def tutorial_loop(run: Callable[[float], float], x: Tensor, y: Tensor) -> float:
    """Seconds of the tutorial's training loop: one image at a time, with three runs of the circuit each."""

    class Hybrid(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, z: Tensor) -> Tensor:
            ctx.save_for_backward(z)
            return torch.tensor([[run(float(z))]])

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            theta = float(ctx.saved_tensors[0])
            return g * (run(theta + torch.pi / 2) - run(theta - torch.pi / 2))

    trunk = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 6, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2)),
        *(torch.nn.Conv2d(6, 16, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Dropout2d()),
        *(torch.nn.Flatten(), torch.nn.Linear(256, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)),
    )
    optimizer = torch.optim.Adam(trunk.parameters(), lr=1e-4, weight_decay=1e-3)
    begin = time.perf_counter()
    for image, label in zip(x.split(1), y.split(1), strict=True):
        optimizer.zero_grad()
        one = Hybrid.apply(trunk(2 * image - 1))
        torch.nn.functional.nll_loss(torch.cat([one, 1 - one], -1), label).backward()
        optimizer.step()
    return time.perf_counter() - begin


def circuits_race() -> None:
    """Time only the circuits of the tutorial's epoch: 2400 of 100 shots."""
    try:
        run = qutrunk()
    except ImportError:
        return
    device, program, theta = StatevectorDevice(CPU), one_qubit(), torch.randn(2400, 1)
    device.counts(program, Angles(theta, theta.new_zeros(0)), 100, seed=0)
    begin = time.perf_counter()
    for seed in range(20):
        device.counts(program, Angles(theta, theta.new_zeros(0)), 100, seed=seed)
    mine = (time.perf_counter() - begin) / 20
    begin = time.perf_counter()
    for angle in theta[:100, 0].tolist():
        run(angle)
    theirs = (time.perf_counter() - begin) * 24
    print(f"2400 circuits of 100 shots: ours {1e3 * mine:.2f} ms, QuTrunk {theirs:.2f} s  ({theirs / mine:.0f}x ours)")


class _Foreign:
    """Circuit device that computes expectations with another library's layer."""

    def __init__(self, layer: Layer):
        self.layer = layer

    def expectation(self, program: Program, angles: Angles) -> Expectations:
        return Expectations(self.layer(angles.sample, angles.shared).float(), {})

    def ideal(self) -> Any:
        return self


if __name__ == "__main__":
    print_machine()
    torch.set_num_threads(1)
    layers_race()
    noisy_race()
    epoch_race()
    circuits_race()
