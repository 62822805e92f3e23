"""How fast the SLAYER network trains and predicts: python tests/bench/bench_slayer.py [threads, 2]

Wanted: at least 4 times the training throughput of SpikingJelly (multi-step LIF, its fastest form on a CPU) and 25
times that of snnTorch (Synaptic, two states as here); stretch 8 and 60. snnTorch is run as its tutorials write it (one
turn: it is slow) and, beside that, with the products of a layer done for all steps at once. Net 2312-512-512-10,
T = 300, batches of 32 bundled recordings, weight norm, dropout, Adam, loss on rates for all; delays and the fixed-point
grid are ours alone, and so is binning: the others are handed dense tensors. All take turns in one process, with the
same threads; medians.

The limit: of the products of a training step only dL/dx of layers 2 and 3 are dense, whatever the order of work. How
long torch's own matrix product takes for these alone is measured beside the step.
"""

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch: threads that spin while they wait take the cores of others
sys.path.insert(0, str(Path(__file__).parents[2] / ".venv/peers/slayer"))

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from neurobench.backends.sim.core import SimulatedCore
from neurobench.data.nmnist import NMNIST
from neurobench.models.learner import Step, Task
from neurobench.models.slayer.losses import spike_rate
from neurobench.models.slayer.recipe import SlayerSNN
from neurobench.models.slayer.spikes import as_dense
from neurobench.runs.machine import pin_threads
from neurobench.training.seeds import spawn

CPU = torch.device("cpu")
SIZES = (2312, 512, 512, 10)
BATCH, ROUNDS, OURS_A_ROUND, WARM = 32, 3, 8, 2
DROPOUT, LR = 0.05, 0.001


class Drop(nn.Module):
    """Of neurons, for all time: x (T, N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * (torch.rand(x.shape[1:]) >= DROPOUT) / (1 - DROPOUT)


def linear(k: int) -> nn.Module:
    return weight_norm(nn.Linear(SIZES[k], SIZES[k + 1], bias=False))


def spikingjelly() -> nn.Module:
    from spikingjelly.activation_based import functional, neuron, surrogate

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList([linear(k) for k in range(3)])
            lif = {"tau": 1 / 0.03, "v_threshold": 1.25, "surrogate_function": surrogate.ATan(), "step_mode": "m"}
            self.lif = nn.ModuleList([neuron.LIFNode(decay_input=False, detach_reset=True, **lif) for _ in range(3)])
            self.drop = Drop()

        def forward(self, x: Tensor) -> Tensor:
            functional.reset_net(self)
            for k in range(3):
                x = self.lif[k](self.linear[k](x))
                x = self.drop(x) if k < 2 else x
            return x

    return Net()


def snntorch() -> nn.Module:
    import snntorch as snn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList([linear(k) for k in range(3)])
            self.lif = nn.ModuleList(
                [snn.Synaptic(alpha=0.75, beta=0.97, threshold=1.25, reset_mechanism="zero") for _ in range(3)]
            )
            self.drop = Drop()

        def forward(self, x: Tensor) -> Tensor:
            for k in range(3):
                z, (syn, mem), out = self.linear[k](x), self.lif[k].init_synaptic(), []
                for now in z:
                    s, syn, mem = self.lif[k](now, syn, mem)
                    out.append(s)
                x = torch.stack(out)
                x = self.drop(x) if k < 2 else x
            return x

    return Net()


def snntorch_by_steps() -> nn.Module:
    """As snnTorch's tutorials write it: the loop over time goes through all layers, a small product at each step."""
    import snntorch as snn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList([linear(k) for k in range(3)])
            self.lif = nn.ModuleList(
                [snn.Synaptic(alpha=0.75, beta=0.97, threshold=1.25, reset_mechanism="zero") for _ in range(3)]
            )

        def forward(self, x: Tensor) -> Tensor:
            states, out = [lif.init_synaptic() for lif in self.lif], []
            shares = [(torch.rand(x.shape[1], size) >= DROPOUT) / (1 - DROPOUT) for size in SIZES[1:3]]
            with nn.utils.parametrize.cached():  # weight norm once a pass, not once a step
                for s in x:
                    for k in range(3):
                        s, *states[k] = self.lif[k](self.linear[k](s), *states[k])
                        s = s * shares[k] if k < 2 and self.training else s
                    out.append(s)
            return torch.stack(out)

    return Net()


PEERS: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "SpikingJelly": ("spikingjelly", spikingjelly),
    "snnTorch": ("snntorch", snntorch_by_steps),
    "snnTorch, layer by layer": ("snntorch", snntorch),
}
SLOW = "snnTorch"  # a minute a step


class Peer:
    """A network of another library under the same loss and optimiser."""

    def __init__(self, make: Callable[[], nn.Module]):
        torch.manual_seed(0)
        self.net = make()
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=LR)

    def train(self, x: Tensor, y: Tensor) -> None:
        self.net.train()
        loss = spike_rate(self.net(x).transpose(0, 1), y, 0.2, 0.03)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()

    @torch.no_grad()
    def predict(self, x: Tensor) -> None:
        self.net.eval()
        self.net(x).mean(0)


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main(threads: int) -> None:
    pin_threads(threads)
    split = NMNIST(validation=0).load(0).train
    batches = [split.batch(slice(first, first + BATCH)) for first in range(0, BATCH * (OURS_A_ROUND + WARM), BATCH)]
    recipe = SlayerSNN(core=SimulatedCore().open(0, CPU))
    ours: Any = recipe.build(Task("events", (2, 34, 34), 10), spawn(0), CPU)
    for k in range(WARM):  # compilation, or its cache, and fresh memory
        print(f"step {k + 1}, ours: {seconds(lambda k=k: ours.learn(batches[k], Step(k, 100, 0))):.2f} s")
    ours.predict(batches[0].x)
    dense = as_dense(ours.inputs(batches[0].x))
    peers = {name: Peer(make) for name, (package, make) in PEERS.items() if importlib.util.find_spec(package)}
    for name in PEERS.keys() - peers.keys():
        print(f"{name} is not there: make .venv/peers/slayer")
    times: dict[tuple[str, str], list[float]] = {}

    def note(name: str, what: str, spent: float) -> None:
        times.setdefault((name, what), []).append(spent)

    eu = {k: torch.randn(BATCH * 300, SIZES[k + 1]) for k in (1, 2)}
    out = {k: torch.empty(BATCH * 300, SIZES[k]) for k in (1, 2)}
    for turn in range(ROUNDS):
        for k, batch in enumerate(batches[WARM:]):
            step = Step(turn * OURS_A_ROUND + k + WARM, 100, 0)
            note("ours", "train", seconds(lambda batch=batch, step=step: ours.learn(batch, step)))
            note("ours", "predict", seconds(lambda batch=batch: ours.predict(batch.x)))
            note(
                "limit", "train", sum(seconds(lambda k=k: torch.mm(eu[k], ours.held[k].w.t(), out=out[k])) for k in eu)
            )
        for name, peer in peers.items():
            if turn and name == SLOW:
                continue
            note(name, "train", seconds(lambda peer=peer: peer.train(dense, batches[0].y)))
            note(name, "predict", seconds(lambda peer=peer: peer.predict(dense)))
    median = {key: statistics.median(values) for key, values in times.items()}
    print(f"2312-512-512-10, T = 300, batches of {BATCH} N-MNIST recordings, {threads} thread(s), samples/s")
    for what in ("train", "predict"):
        for name in ("ours", *peers):
            spent = median[name, what]
            print(f"{what:8s} {name:25s} {BATCH / spent:8.1f}   ours is {spent / median['ours', what]:6.1f}x")
    share = median["limit", "train"] / median["ours", "train"]
    print(
        f"limit, the dense products alone: {BATCH / median['limit', 'train']:.0f} samples/s; a step reaches {share:.0%}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
