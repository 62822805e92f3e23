"""Operation counts compared with those of PyPI's package neurobench: python tests/bench/bench_counts.py

Small networks built here, and runs of four models trained here at smoke scale. That package counts the same weights on
the same samples, in batches of one, in a separate process, because its import name is that of this package.
`make bench-counts` installs it. Figures that differ without a known reason are marked; the exit code is then 1.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neurobench.metrics.operations import Operations, convolution, linear, membrane_updates, population, total

HERE = Path(__file__).resolve().parent
PEER = HERE.parents[1] / ".venv/peers/neurobench"
# Figure of this package -> the peer's name of it.
FIGURES = {
    "parameter_count": "ParameterCount",
    "footprint_bytes": "Footprint",
    "connection_sparsity": "ConnectionSparsity",
    "activation_sparsity": "ActivationSparsity",
    "effective_macs": "Effective_MACs",
    "effective_acs": "Effective_ACs",
    "dense_operations": "Dense",
    "membrane_updates": "MembraneUpdates",
}
DIGITS = {"connection_sparsity": 5e-5}  # the peer rounds to four decimals
Layers = list[dict[str, Any]]


class Case(NamedTuple):
    ours: Operations
    layers: Layers  # the same network for the peer, see peers/neurobench_counts.py
    x: Tensor  # inputs: (N, ...), or (N, T, I)
    but: Mapping[str, str] = {}  # figure -> reason why the peer's value differs


def sparse(*shape: int, seed: int, share: float = 0.6) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=draw) * (torch.rand(*shape, generator=draw) < share)


def mlp(binary: bool) -> Case:
    """MLP 12-9-4, a third of the weights 0. With binary inputs the first layer's products are accumulations."""
    x = sparse(5, 12, seed=1)
    x = (x != 0).float() if binary else x
    w1, w2, b = sparse(9, 12, seed=2), sparse(4, 9, seed=3), torch.randn(9, generator=torch.Generator().manual_seed(4))
    h = torch.relu(x @ w1.t() + b)
    ours = Operations(
        5,
        5,
        [linear("first", w1, x, spikes=binary), linear("second", w2, h, spikes=False)],
        [population("hidden", h)],
        {"w1": w1, "b": b, "w2": w2},
    )
    layers = [
        {"kind": "linear", "name": "first", "weight": w1, "bias": b},
        {"kind": "relu", "name": "hidden"},
        {"kind": "linear", "name": "second", "weight": w2},
    ]
    return Case(ours, layers, x)


def cnn() -> Case:
    """CNN of two convolutions, with stride and padding, and a linear layer."""
    x, w1, w2, w3 = (sparse(*shape, seed=1) for shape in ((3, 2, 9, 8), (4, 2, 3, 3), (5, 4, 3, 3), (6, 100)))
    first = torch.relu(torch.nn.functional.conv2d(x, w1, stride=2, padding=1))
    second = torch.relu(torch.nn.functional.conv2d(first, w2, padding=1))
    ours = Operations(
        3,
        3,
        [
            convolution("conv1", w1, x, spikes=False, stride=2, padding=1),
            convolution("conv2", w2, first, spikes=False, padding=1),
            linear("out", w3, second.flatten(1), spikes=False),
        ],
        [population("relu1", first), population("relu2", second)],
        {"w1": w1, "w2": w2, "w3": w3},
    )
    layers = [
        {"kind": "conv", "name": "conv1", "weight": w1, "stride": 2, "padding": 1},
        {"kind": "relu", "name": "relu1"},
        {"kind": "conv", "name": "conv2", "weight": w2, "padding": 1},
        {"kind": "relu", "name": "relu2"},
        {"kind": "flatten", "name": "flat"},
        {"kind": "linear", "name": "out", "weight": w3},
    ]
    return Case(ours, layers, x)


def snn() -> Case:
    """SNN 8-6-3 over 20 steps, snnTorch's neuron. Weights in eighths and decays in quarters, so that sums are exact."""
    from neurobench.models.slayer.neuron import FloatNeuron, delayed, unroll

    draw = torch.Generator().manual_seed(1)
    x = (torch.rand(20, 4, 8, generator=draw) < 0.2).float()
    w1, w2 = (torch.randint(-4, 9, shape, generator=draw) / 8 for shape in ((6, 8), (3, 6)))
    neuron = FloatNeuron(0.75, 0.5, 1.25)
    at_once = torch.zeros(6, dtype=torch.int64)
    s1, _, v1 = unroll(neuron, x @ w1.t())
    arrived = delayed(s1, at_once).float()
    s2, _, v2 = unroll(neuron, arrived @ w2.t())
    updates = [membrane_updates(torch.where(s, 0, v)) for s, v in ((s1, v1), (s2, v2))]
    ours = Operations(
        4,
        80,
        [linear("first", w1, x, spikes=True), linear("second", w2, arrived, spikes=True)],
        [population("hidden", s1, updates[0]), population("out", s2, updates[1])],
        {"w1": w1, "w2": w2},
    )
    constants = {"alpha": 0.75, "beta": 0.5, "threshold": 1.25}
    layers: Layers = [
        {"kind": "linear", "name": "first", "weight": w1},
        {"kind": "synaptic", "name": "hidden", **constants},
        {"kind": "delay", "name": "one step", "delay": at_once},
        {"kind": "linear", "name": "second", "weight": w2},
        {"kind": "synaptic", "name": "out", **constants},
    ]
    more = (
        "a snnTorch neuron keeps five constants as buffers (24 bytes), and each delay is one of the peer's parameters"
    )
    return Case(ours, layers, x.transpose(0, 1), {"footprint_bytes": more, "parameter_count": more})


def hxtorch(learner: Any, x: Tensor) -> Case:
    """Perceptron of hxtorch in floats: no rounding, no copies."""
    from neurobench.models.hxtorch.evaluation import operations

    net = learner.net
    gain, shift = learner.mac.gain, 2.0**-net.shift
    layers = []
    for name, layer in (("first", net.first), ("second", net.second)):
        layers.append({"kind": "linear", "name": name, "weight": gain * layer.num_sends * layer.weight})
        layers[-1]["bias"] = layer.bias
    layers.insert(1, {"kind": "relu", "name": "hidden"})
    layers.insert(2, {"kind": "affine", "name": "shift", "factor": shift, "offset": 0.0})
    return Case(operations(learner, x), layers, learner.inputs(x))


def slayer(learner: Any, x: Any) -> Case:
    """SLAYER network as the chip stores it: weights of one byte, delays, integers."""
    from neurobench.models.slayer.evaluation import operations
    from neurobench.models.slayer.spikes import as_dense

    layers: Layers = []
    for k, layer in enumerate(learner.quantized, 1):
        neuron = layer.neuron
        constants = torch.tensor(neuron[:3], dtype=torch.int32)
        layers.append({"kind": "linear", "name": f"synapses{k}", "weight": layer.W.t().contiguous()})
        limits = {"u_limit": neuron.u_limit, "v_limit": neuron.v_limit}
        layers.append({"kind": "cuba", "name": f"layer{k}", "constants": constants, **limits})
        layers.append({"kind": "delay", "name": f"delay{k}", "delay": layer.delay.to(torch.uint8)})
    return Case(operations(learner, x), layers, as_dense(learner.inputs(x)).transpose(0, 1).contiguous())


def qrbm(learner: Any, x: Tensor) -> Case:
    """QRBM: hidden probabilities and logistic regression on them, centred and scaled."""
    from neurobench.models.qrbm.classifier import operations

    r, rbm = learner.fitted, learner.rbm
    weight = (r.weight / r.scale[:, None]).t().contiguous()
    layers = [
        {"kind": "linear", "name": "visible_hidden", "weight": rbm.W.t().contiguous(), "bias": rbm.b},
        {"kind": "sigmoid", "name": "hidden"},
        {"kind": "linear", "name": "readout", "weight": weight, "bias": r.bias - r.mean @ weight.t()},
    ]
    why = "mean and scale of the features are kept beside the readout here; in the peer's copy its weights contain them"
    return Case(operations(learner, x), layers, learner.pixels(x), {"footprint_bytes": why})


def qcnn(learner: Any, x: Tensor) -> Case:
    """Hybrid network with a sigmoid, its classical counterpart, as the head."""
    from neurobench.models.qcnn.learner import operations

    p = learner.main.named()
    layers: Layers = [{"kind": "affine", "name": "pixels", "factor": 2.0, "offset": -1.0}]
    for name in ("conv1", "conv2"):
        layers.append({"kind": "conv", "name": name, "weight": p[f"{name}.weight"], "bias": p[f"{name}.bias"]})
        layers.append({"kind": "pool", "name": f"{name} pool", "kernel_size": 2})
        layers.append({"kind": "relu", "name": f"{name} relu"})
    layers.append({"kind": "flatten", "name": "flat"})
    layers.append({"kind": "linear", "name": "hidden", "weight": p["hidden.weight"], "bias": p["hidden.bias"]})
    layers.append({"kind": "relu", "name": "hidden relu"})
    layers.append({"kind": "linear", "name": "z", "weight": p["z.weight"], "bias": p["z.bias"]})
    layers.append({"kind": "sigmoid", "name": "probability"})
    return Case(operations(learner, x), [_plain(layer) for layer in layers], x)


def _plain(layer: dict[str, Any]) -> dict[str, Any]:
    """Copy the tensors of a layer: a view would be saved with its whole storage."""
    return {key: value.detach().clone() if isinstance(value, Tensor) else value for key, value in layer.items()}


SMALL: dict[str, Callable[[], Case]] = {
    "MLP, graded inputs": lambda: mlp(binary=False),
    "MLP, binary inputs": lambda: mlp(binary=True),
    "CNN": cnn,
    "SNN of snnTorch's neurons": snn,
}
SLAYER_SMALL = ("model.hidden=[24,16]", "model.length=80.0", "scale.test=4")
# Name -> overrides of the run to train, and conversion of its network for the peer.
TRAINED: dict[str, tuple[tuple[str, ...], Callable[[Any, Any], Case]]] = {
    "hxtorch_mlp in floats": (("experiment=hxtorch_yin_yang_float",), hxtorch),
    "slayer_snn on the emulated Loihi 2": (("model=slayer_snn", "backend=mock", *SLAYER_SMALL), slayer),
    "qrbm": (("model=qrbm", "model.features=probability"), qrbm),
    "hybrid_qcnn with a classical head": (("model=hybrid_qcnn", "model.head=sigmoid", "model.classical=[]"), qcnn),
}


def trained(overrides: tuple[str, ...], samples: int, into: Path) -> tuple[Any, Any]:
    """Train a run; return its finalized learner and inputs from its test samples."""
    from neurobench.experiment.reload import load_learner
    from neurobench.storage.folder import RunFolder

    command = [sys.executable, "-m", "neurobench", "run", *overrides, "scale=smoke", "seed=0"]
    done = subprocess.run(command, env={**os.environ, "NEUROBENCH_OUTPUTS": str(into)}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr + done.stdout)
    (result,) = into.rglob("result.json")
    loaded = load_learner(RunFolder(result.parent))
    return loaded.learner, loaded.splits().test.batch(slice(0, samples)).x


def of_peer(cases: Mapping[str, Case]) -> dict[str, dict[str, float]]:
    """Operation counts of the peer for each case."""
    with tempfile.TemporaryDirectory() as folder:
        asked, told = Path(folder) / "cases.pt", Path(folder) / "told.json"
        torch.save({name: {"layers": case.layers, "x": case.x} for name, case in cases.items()}, asked)
        script = str(HERE / "peers/neurobench_counts.py")
        # Run in another folder, the peer's first on the path, so that `import neurobench` finds the peer's package.
        command = [sys.executable, "-P", script, str(asked), str(told)]
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(PEER)}, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        answers = json.loads(told.read_text())
    return {name: {**answer, **answer.pop("SynapticOperations")} for name, answer in answers.items()}


def differs(figure: str, ours: float, theirs: float) -> bool:
    return abs(ours - theirs) > DIGITS.get(figure, 1e-9 * max(1.0, abs(theirs)))


def main() -> int:
    if not PEER.is_dir():
        print("PyPI's neurobench is not there: make .venv/peers/neurobench")
        return 0
    cases = {name: make() for name, make in SMALL.items()}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (overrides, make)) in enumerate(TRAINED.items()):
            cases[name] = make(*trained(overrides, 20, Path(folder) / str(number)))
    answers, unlike = of_peer(cases), 0
    for name, case in cases.items():
        figures, undefined = total([case.ours])
        print(f"\n{name}: {case.ours.samples} samples, {case.ours.steps} steps")
        print(f"  {'':22} {'ours':>16} {'neurobench 2.3':>16}")
        for figure, their_name in FIGURES.items():
            ours, theirs = figures.get(figure), answers[name][their_name]
            if ours is None:
                print(f"  {figure:22} {'-':>16} {theirs:16,.6g}  {undefined[figure]}")
                continue
            note = case.but.get(figure, "DIFFERS") if differs(figure, ours, theirs) else ""
            unlike += note == "DIFFERS"
            print(f"  {figure:22} {ours:16,.6g} {theirs:16,.6g}  {note}")
    print(f"\n{unlike} figures differ without a reason" if unlike else "\nall figures are the same, or differ as said")
    return 1 if unlike else 0


if __name__ == "__main__":
    sys.exit(main())
