"""Measurements of one variant for bench_kernels.py, as a line of JSON: kernel_figures.py narrow|wide|fast THREADS"""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

SIZES = {"dL/dx of layer 2": (300, 512, 512), "dL/dx of layer 3": (300, 10, 512)}  # (T, K, J) of (T, K) (K, J)
SLAYER_STEPS, UPDATES, BATCH = 24, 600, {"slayer": 32, "qrbm": 100}
WARM = 4  # steps before the timed ones

Figures = dict[str, Any]


def measure(variant: str, threads: int) -> Figures:
    from neurobench.experiment.threads import Threads, pin_threads
    from neurobench.kernels import host
    from neurobench.storage.provenance import provenance

    pin_threads(Threads(threads, threads))
    host.use_fast(variant == "fast")
    return {
        "processor": provenance("cpu", threads)["processor"],
        "width": host.WIDTH,
        "fast": host.fast(),
        "peak": peak_rate() if threads == 1 else None,
        "products": {name: product_rates(*sizes) for name, sizes in SIZES.items()} if threads == 1 else {},
        "slayer": slayer_figures(),
        "qrbm": qrbm_figures(),
    }


def rate(work: Callable[[], object], operations: float) -> float:
    """Rate of a calculation in GFLOP/s, from the median of 7 times of at least 10 ms."""
    repeats, times = max(1, int(1e9 / operations)), []
    for _ in range(8):
        begun = time.perf_counter()
        for _ in range(repeats):
            work()
        times.append(time.perf_counter() - begun)
    return repeats * operations / median(times[1:]) / 1e9


def peak_rate() -> float:
    """Peak rate of fused multiply-adds, GFLOP/s, on enough independent sums to hide their latency."""
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic

    from neurobench.kernels.host import WIDTH

    sums, vector = 12, ir.VectorType(ir.FloatType(), WIDTH // 32)
    index = ir.IntType(64)

    @intrinsic
    def multiply_adds(typingctx, count):  # type: ignore[no-untyped-def]
        def code(context, builder, signature, args):  # type: ignore[no-untyped-def]
            entry, body, done = builder.block, builder.append_basic_block("body"), builder.append_basic_block("done")
            factor = ir.Constant(vector, [0.999] * (WIDTH // 32))
            builder.branch(body)
            builder.position_at_end(body)
            k, totals = builder.phi(index), [builder.phi(vector) for _ in range(sums)]
            flags = ("contract",)
            after = [builder.fadd(builder.fmul(total, factor, flags=flags), factor, flags=flags) for total in totals]
            for n, (total, following) in enumerate(zip(totals, after, strict=True)):
                total.add_incoming(ir.Constant(vector, [float(n)] * (WIDTH // 32)), entry)
                total.add_incoming(following, body)
            next_k = builder.add(k, ir.Constant(index, 1))
            k.add_incoming(ir.Constant(index, 0), entry)
            k.add_incoming(next_k, body)
            builder.cbranch(builder.icmp_signed("<", next_k, args[0]), body, done)
            builder.position_at_end(done)
            total = after[0]
            for other in after[1:]:
                total = builder.fadd(total, other)
            return builder.extract_element(total, ir.Constant(index, 0))

        return types.float32(types.int64), code

    @njit
    def loop(count):  # type: ignore[no-untyped-def]
        return multiply_adds(count)

    count = 100_000
    loop(count)
    return rate(lambda: loop(count), 2.0 * sums * WIDTH / 32 * count)


def product_rates(steps: int, inner: int, width: int) -> Figures:
    """Rates of a matrix product: as in a step of SLAYER, with weights on its grid, and by torch; and its error."""
    import numpy as np
    import torch

    from neurobench.kernels.aligned import aligned, on_lines
    from neurobench.kernels.cuba.product import COLUMNS, multiply, pack_transposed
    from neurobench.kernels.cuba.product_amx import fits, multiply_amx, pack_pairs, tile_grid
    from neurobench.kernels.host import fast

    random = np.random.default_rng(0)
    a = aligned(random.standard_normal((steps, inner)), np.float32)
    w = (random.integers(-128, 128, (width, inner)) / 32).astype(np.float32)
    panels, out = on_lines((-(-width // COLUMNS), inner, COLUMNS), np.float32), on_lines((steps, width), np.float32)
    pack_transposed(w, panels)
    work = partial(multiply, a, panels, out)
    if fast() and fits(steps, w):
        tiles = on_lines(tile_grid(w), np.uint16)
        pack_pairs(w, tiles)
        work = partial(multiply_amx, a, tiles, out)
    work()
    wanted = a.astype(np.float64) @ w.T.astype(np.float64)
    magnitudes = np.abs(a).astype(np.float64) @ np.abs(w.T).astype(np.float64)
    operations = 2.0 * steps * inner * width
    left, right, result = torch.from_numpy(a), torch.from_numpy(w).t(), torch.empty(steps, width)
    return {
        "ours": rate(work, operations),
        "torch": rate(lambda: torch.mm(left, right, out=result), operations),
        "error": float((np.abs(out - wanted) / magnitudes).max()),
    }


def slayer_figures() -> Figures:
    import torch

    from neurobench.experiment.plan import spawn
    from neurobench.models.learner import Step, Task
    from tests.specs import spec

    split = spec("dataset/nmnist", validation=0).load(0).train
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0)).split(BATCH["slayer"])
    devices = {"core": spec("backend/sim", "core").open(0, torch.device("cpu"))}
    task = Task("events", (2, 34, 34), 10)
    learner: Any = spec("model/slayer_snn").build(task, spawn(0), devices, torch.device("cpu"))
    batches, times = [split.batch(order[k]) for k in range(SLAYER_STEPS)], []
    for k, batch in enumerate(batches):
        begun = time.perf_counter()
        learner.learn(batch, Step(k, SLAYER_STEPS, 0))
        times.append(time.perf_counter() - begun)
    return {"step": median(times[WARM:]), "digest": digest(learner.state_dict())}


def qrbm_figures() -> Figures:
    import torch

    from neurobench.models.learner import Seeds, Step, Task
    from tests.specs import spec

    train, cpu = spec("dataset/mnist", validation=0).load(0).train, torch.device("cpu")
    sampler = spec("backend/sim", "sampler").open(0, cpu)
    task = Task("image", (1, 28, 28), 10)
    learner: Any = spec("model/qrbm", n_hidden=300).build(task, Seeds(0, 0, 0, 0), {"sampler": sampler}, cpu)
    learner.start(train, None)
    size = BATCH["qrbm"]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    begun = time.perf_counter()
    for k in range(UPDATES):
        learner.learn(train.batch(order[k * size : (k + 1) * size]), Step(k, UPDATES, 0))
    epoch = time.perf_counter() - begun
    return {"epoch": epoch, "products": dense_products(), "digest": digest(learner.state_dict())}


def dense_products() -> float:
    """Seconds that torch takes for the products v W, h W', u W, v'p and u'q of an epoch."""
    import torch

    size = BATCH["qrbm"]
    W, v, h = torch.rand(784, 300), torch.rand(size, 784), torch.rand(size, 300)
    up, down, step = torch.empty(size, 300), torch.empty(size, 784), torch.empty(784, 300)
    begun = time.perf_counter()
    for _ in range(UPDATES // 4):
        torch.mm(v, W, out=up)
        torch.mm(h, W.t(), out=down)
        torch.mm(v, W, out=up)
        torch.mm(v.t(), h, out=step)
        torch.mm(v.t(), h, out=step)
    return 4 * (time.perf_counter() - begun)


def digest(state: Any) -> str:
    """Hash of all tensors of a state, 12 hex digits."""
    import torch

    hashed = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            hashed.update(part.contiguous().numpy().tobytes())
        elif isinstance(part, dict | list | tuple):
            for inner in part.values() if isinstance(part, dict) else part:
                add(inner)

    add(state)
    return hashed.hexdigest()[:12]


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
