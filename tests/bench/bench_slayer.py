"""Speed of training and prediction of the SLAYER network: python tests/bench/bench_slayer.py [threads, 2]

Targets: at least 4 times the training throughput of SpikingJelly (multi-step LIF, its fastest form on a CPU) and 25
times that of snnTorch (Synaptic, two states as here); stretch targets 8 and 60. snnTorch is run as in its tutorials
and also with the products of a layer computed for all steps at once. If the processor has a matrix unit (AMX), training
with `kernels=fast` is timed as well. Net 2312-512-512-10, T = 300, batches of 32
bundled recordings, weight norm, dropout, Adam, loss on rates for all; only this package has delays and the fixed-point
grid, and only its time includes binning: the others receive dense tensors. All alternate in one process, with the same
threads; medians. If other processes use the cores as well, CPU time is more informative than wall time. With a CUDA
device everything is repeated there; `--device` selects one of the two.

The limit: of the products of a training step only dL/dx of layers 2 and 3 are dense, whatever the order of work. The
time of torch's matrix product for these alone is measured next to the step.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # before torch, as in a run; makes snnTorch a third faster
sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[2] / ".venv/peers/slayer"))

import numba
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from neurobench.data.dataset import Split
from neurobench.experiment.plan import spawn
from neurobench.experiment.threads import Threads, pin_threads
from neurobench.kernels.host import use_fast
from neurobench.models.learner import Step, Task
from neurobench.models.slayer.losses import spike_rate
from neurobench.models.slayer.spikes import as_dense
from tests.bench.gpu_records import note
from tests.bench.machine import print_machine
from tests.specs import spec

CPU = torch.device("cpu")
SIZES = (2312, 512, 512, 10)
ROUNDS, OURS_A_ROUND, WARM = 3, 8, 2
FAST = "ours, kernels=fast"
DROPOUT, LR = 0.05, 0.001
TASK = Task("events", (2, 34, 34), 10)


class Drop(nn.Module):
    """Dropout of neurons, the same at all steps: x (T, N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        return x * (torch.rand(x.shape[1:], device=x.device) >= DROPOUT) / (1 - DROPOUT)


def linear(k: int) -> nn.Module:
    return weight_norm(nn.Linear(SIZES[k], SIZES[k + 1], bias=False))


class Layered(nn.Module):
    """Network that computes a layer's product for all steps, then its neurons: x (T, N, C) -> spikes (T, N, C)."""

    def __init__(self, neurons: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.linear = nn.ModuleList([linear(k) for k in range(3)])
        self.neurons = nn.ModuleList([neurons() for _ in range(3)])
        self.drop = Drop()

    def forward(self, x: Tensor) -> Tensor:
        for k in range(3):
            x = self.neurons[k](self.linear[k](x))
            x = self.drop(x) if k < 2 else x
        return x


def spikingjelly() -> nn.Module:
    """SpikingJelly's network. On CUDA, version 2 itself selects its CUDA kernels if built, else those in Triton."""
    from spikingjelly.activation_based import neuron, surrogate

    class Multistep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            lif = {"tau": 1 / 0.03, "v_threshold": 1.25, "surrogate_function": surrogate.ATan(), "step_mode": "m"}
            self.lif = neuron.LIFNode(decay_input=False, detach_reset=True, **lif)

        def forward(self, z: Tensor) -> Tensor:
            self.lif.reset()
            return self.lif(z)

    return Layered(Multistep)


def synaptic() -> nn.Module:
    import snntorch as snn

    return snn.Synaptic(alpha=0.75, beta=0.97, threshold=1.25, reset_mechanism="zero")


def snntorch() -> nn.Module:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif = synaptic()

        def forward(self, z: Tensor) -> Tensor:
            (syn, mem), out = self.lif.init_synaptic(), []
            for now in z:
                s, syn, mem = self.lif(now, syn, mem)
                out.append(s)
            return torch.stack(out)

    return Layered(Loop)


def snntorch_by_steps() -> nn.Module:
    """snnTorch's network as in its tutorials: the loop over time computes all layers, a small product at each step."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList([linear(k) for k in range(3)])
            self.lif = nn.ModuleList([synaptic() for _ in range(3)])

        def forward(self, x: Tensor) -> Tensor:
            states, out = [lif.init_synaptic() for lif in self.lif], []
            draws = [torch.rand(x.shape[1], size, device=x.device) for size in SIZES[1:3]]
            shares = [(draw >= DROPOUT) / (1 - DROPOUT) for draw in draws]
            with nn.utils.parametrize.cached():  # weight norm once per pass, not per step
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


class Peer:
    """A network of another library with the same loss and optimiser."""

    def __init__(self, make: Callable[[], nn.Module], device: torch.device):
        torch.manual_seed(0)
        self.net = make().to(device)
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


class Spent(NamedTuple):
    wall: float  # s
    cpu: float  # s, of all threads; less affected by other processes


class Clock:
    """Stopwatch that collects the times of each kind of work."""

    def __init__(self, device: torch.device):
        self._device = device
        self._spent: dict[tuple[str, str], list[Spent]] = {}

    def take(self, name: str, what: str, work: Callable[[], object]) -> None:
        begin = Spent(time.perf_counter(), time.process_time())
        work()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        spent = Spent(time.perf_counter() - begin.wall, time.process_time() - begin.cpu)
        self._spent.setdefault((name, what), []).append(spent)

    def __getitem__(self, key: tuple[str, str]) -> Spent:
        """Median times of a contender's work."""
        return Spent(*(statistics.median(each) for each in zip(*self._spent[key], strict=True)))


def compare(device: torch.device, split: Split, size: int) -> None:
    """Time all networks in turn on one device, with batches of `split`."""
    rounds = 1 + (OURS_A_ROUND + WARM) * size // len(split)
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0)).repeat(rounds).split(size)
    batches = [split.batch(rows) for rows in order[: OURS_A_ROUND + WARM]]
    clock = Clock(device)
    devices = {"core": spec("backend/sim", "core").open(0, device)}
    ours: Any = spec("model/slayer_snn").build(TASK, spawn(0), devices, device)
    for k in range(WARM):  # compiles or loads kernels, and allocates memory
        clock.take("ours", f"step {k + 1}", lambda k=k: ours.learn(batches[k], Step(k, 100, 0)))
        print(f"step {k + 1}, ours: {clock['ours', f'step {k + 1}'].wall:.2f} s")
    ours.predict(batches[0].x)
    has_fast = device.type == "cpu" and use_fast(True)
    if has_fast:
        fast: Any = spec("model/slayer_snn").build(TASK, spawn(0), devices, device)
        for k in range(WARM):
            fast.learn(batches[k], Step(k, 100, 0))
    use_fast(False)
    dense, y = as_dense(ours.inputs(batches[0].x), device), batches[0].y.to(device)
    peers = {name: Peer(make, device) for name, (package, make) in PEERS.items() if importlib.util.find_spec(package)}
    for name in PEERS.keys() - peers.keys():
        print(f"{name} is not there: make .venv/peers/slayer")
    if device.type == "cuda":  # kernels are compiled at their first call
        for peer in peers.values():
            peer.train(dense, y)
        tell_kernels(device, list(peers))
    eu = {k: torch.randn(size * 300, SIZES[k + 1], device=device) for k in (1, 2)}
    out = {k: torch.empty(size * 300, SIZES[k], device=device) for k in (1, 2)}
    for turn in range(ROUNDS):
        for k, batch in enumerate(batches[WARM:]):
            step, rows = Step(turn * OURS_A_ROUND + k + WARM, 100, 0), order[k + WARM]
            clock.take("ours", "train", lambda batch=batch, step=step: ours.learn(batch, step))
            clock.take("ours", "predict", lambda batch=batch: ours.predict(batch.x))
            clock.take("reader", "train", lambda rows=rows: ours.inputs(split.batch(rows).x))
            clock.take("limit", "train", lambda: [torch.mm(eu[k], ours.quantized[k].w.t(), out=out[k]) for k in eu])
        use_fast(has_fast)
        for k, batch in enumerate(batches[WARM:] if has_fast else ()):
            step = Step(turn * OURS_A_ROUND + k + WARM, 100, 0)
            clock.take(FAST, "train", lambda batch=batch, step=step: fast.learn(batch, step))
        use_fast(False)
        for name, peer in peers.items():
            clock.take(name, "train", lambda peer=peer: peer.train(dense, y))
            clock.take(name, "predict", lambda peer=peer: peer.predict(dense))
    tell(clock, list(peers), device.type, size)
    if has_fast:
        tell_fast(clock, list(peers), size)


def tell_kernels(device: torch.device, peers: list[str]) -> None:
    """Print and record which kernels SpikingJelly selected."""
    if "SpikingJelly" in peers:
        from spikingjelly._ops.lif import _selection

        kernels = _selection.diagnostics(device)["implementation"]
        print(f"SpikingJelly's kernels: {kernels}")
        note("kernels", name="SpikingJelly", kernels=kernels)


def tell(clock: Clock, peers: list[str], device: str, size: int) -> None:
    for what in ("train", "predict"):
        mine = clock["ours", what]
        for name in ("ours", *peers):
            spent = clock[name, what]
            note("slayer", name=name, work=what, batch=size, device=device, rate=size / spent.wall)
            print(
                f"{what:8s} {name:25s} {size / spent.wall:8.1f}   ours is {spent.wall / mine.wall:6.1f}x"
                f"   by CPU time {spent.cpu / mine.cpu:6.1f}x"
            )
    mine, limit, reader = (clock[name, "train"] for name in ("ours", "limit", "reader"))
    print(
        f"reader: batches are gathered, moved and binned at {size / reader.wall:.0f} samples/s, "
        f"{reader.wall / mine.wall:.1%} of a step, which contains it"
    )
    print(
        f"limit, the dense products alone: {size / limit.wall:.0f} samples/s; "
        f"a step reaches {limit.wall / mine.wall:.0%} of it, {limit.cpu / mine.cpu:.0%} by CPU time"
    )


def tell_fast(clock: Clock, peers: list[str], size: int) -> None:
    mine = clock[FAST, "train"].wall
    others = ", ".join(f"{name} {clock[name, 'train'].wall / mine:.1f}x" for name in ("ours", *peers))
    print(f"train with kernels=fast: {size / mine:.1f} samples/s; compared with {others}")


def main(threads: int, only: str, size: int) -> None:
    print_machine()
    pin_threads(Threads(threads, threads))
    if numba.get_num_threads() != threads:
        sys.exit(f"numba has {numba.get_num_threads()} thread(s), not {threads}: start without OMP_NUM_THREADS")
    begin = time.perf_counter()
    splits = spec("dataset/nmnist", validation=0).load(0)
    reading = time.perf_counter() - begin
    count = len(splits.train) + len(splits.test)
    print(f"2312-512-512-10, T = 300, batches of {size} N-MNIST recordings, {threads} thread(s), samples/s")
    if only != "cuda":
        compare(CPU, splits.train, size)
    print(f"reader: files are checked and decoded at {count / reading:.0f} recordings/s, once a run")
    if only == "cpu":
        return
    if torch.cuda.is_available():
        print(f"on {torch.cuda.get_device_name()}")
        compare(torch.device("cuda"), splits.train, size)
    else:
        print("on CUDA: skipped, torch finds no CUDA device here")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("threads", type=int, nargs="?", default=2)
    parser.add_argument("--device", choices=("both", "cpu", "cuda"), default="both")
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    main(args.threads, args.device, args.batch)
