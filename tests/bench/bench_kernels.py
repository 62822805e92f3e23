"""Compiled kernels in registers of 256 and of 512 bits and with `kernels=fast`: bench_kernels.py [FOLDER]

CPU, width, the highest rate of multiply-adds that a loop in registers reaches on a core, how near to it the product of
a matrix comes, beside torch's; then a training step of SLAYER and an epoch of the QRBM. 512 bits must give the bits of
256. Each variant computes in processes of its own, in turns, so that one that fails is a line here. Medians of rounds.
FOLDER: for kernels.json, which holds every figure. Four minutes, of which one compiles.
"""

import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin take the cores of others
sys.path.insert(0, str(Path(__file__).parents[2]))

VARIANTS = {"narrow": "256 bits", "wide": "512 bits where there are", "fast": "kernels=fast"}
ROUNDS, SECONDS = 3, 150  # the first round compiles; none begins after this time
SIZES = {"dL/dx of layer 2": (300, 512, 512), "dL/dx of layer 3": (300, 10, 512)}  # (T, K, J) of (T, K) (K, J)
SLAYER_STEPS, UPDATES, BATCH = 24, 600, {"slayer": 32, "qrbm": 100}
WARM = 4  # steps before those that are timed

Figures = dict[str, Any]


def main(folder: Path | None) -> None:
    results: list[Figures] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as caches:
        running = [start(variant, 1, caches) for variant in VARIANTS]  # compile, at the same time
        failed = {variant: fault for variant, (_, fault) in zip(VARIANTS, map(finish, running), strict=True) if fault}
        for _ in range(ROUNDS):
            for threads in (1, 2):
                for variant in [name for name in VARIANTS if name not in failed]:
                    if time.monotonic() - begun > SECONDS:
                        break
                    figures, fault = finish(start(variant, threads, caches))
                    if figures is None:
                        failed[variant] = fault
                    else:
                        results.append({"variant": variant, "threads": threads, **figures})
    for variant, fault in failed.items():
        print(f"{variant}: FAILED, {fault}")
    if results:
        print_tables(results)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernels.json").write_text(json.dumps({"results": results, "failed": failed}, indent=1))
    sys.exit(bool(failed) or not same_bits(results))


def start(variant: str, threads: int, caches: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": f"{caches}/{variant}"}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        environment[name] = str(threads)
    if variant == "narrow":
        environment["NUMBA_CPU_FEATURES"] = narrow_features()
    command = [sys.executable, __file__, "--measure", variant, str(threads)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def narrow_features() -> str:
    """Of the processor at hand, without AVX-512 and AMX."""
    import llvmlite.binding as llvm

    wide = ("avx512", "amx", "avx10", "evex512")
    features = llvm.get_host_cpu_features().items()
    return ",".join(f"{'+' if on and not name.startswith(wide) else '-'}{name}" for name, on in features)


def finish(process: subprocess.Popen[str]) -> tuple[Figures | None, str]:
    """Its figures, or why there are none."""
    try:
        out, errors = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, "not done after ten minutes"
    if process.returncode < 0:
        return None, f"ended by {signal.Signals(-process.returncode).name}"
    if process.returncode:
        return None, (errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
    figures: Figures = json.loads(out.splitlines()[-1])
    return figures, ""


def same_bits(results: list[Figures]) -> bool:
    """Of the narrow and the wide variant: SLAYER's for each number of threads, the QRBM's whatever their number."""
    exact = [each for each in results if each["variant"] != "fast"]
    slayer = {(each["threads"], each["slayer"]["digest"]) for each in exact}
    return len(slayer) == len({each["threads"] for each in exact}) and len({r["qrbm"]["digest"] for r in exact}) <= 1


def print_tables(results: list[Figures]) -> None:
    print(results[0]["processor"])
    for variant, words in VARIANTS.items():
        mine = [each for each in results if each["variant"] == variant]
        for threads in sorted({each["threads"] for each in mine}):
            rounds = [each for each in mine if each["threads"] == threads]
            if threads == 1:
                print_rates(f"{variant} ({words})", rounds)
            print_times(threads, rounds)
    if {"narrow", "wide"} <= {each["variant"] for each in results}:
        print(f"\nnarrow and wide: {'the same bits' if same_bits(results) else 'DIFFERENT BITS'}")


def print_rates(name: str, rounds: list[Figures]) -> None:
    first, peak = rounds[0], median(each["peak"] for each in rounds)
    tiles = "; products by AMX" if first["fast"] else ""
    print(f"\n{name}: {first['width']} bits{tiles}; multiply-adds in registers {peak:.0f} GFLOP/s a core")
    for product in first["products"]:
        ours, torchs, error = (
            median(each["products"][product][key] for each in rounds) for key in ("ours", "torch", "error")
        )
        print(
            f"  {product:18} {ours:6.1f} GFLOP/s, {ours / peak:4.0%} of that; torch {torchs:6.1f}, "
            f"{ours / torchs:.2f}x; error {error:.1e} of the sum of magnitudes"
        )


def print_times(threads: int, rounds: list[Figures]) -> None:
    step = 1e3 * median(each["slayer"]["step"] for each in rounds)
    epoch, dense = (median(each["qrbm"][key] for each in rounds) for key in ("epoch", "products"))
    slayer, qrbm = (" ".join(sorted({each[model]["digest"] for each in rounds})) for model in ("slayer", "qrbm"))
    print(
        f"  {threads} thread(s), {len(rounds)} round(s): SLAYER step {step:6.1f} ms, {slayer}   "
        f"QRBM epoch {epoch:.2f} s, {epoch / dense:.2f} of its five dense products, {qrbm}"
    )


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


# What follows is computed in the process of a variant.


def measure(variant: str, threads: int) -> Figures:
    from neurobench.experiment.build import pin_threads
    from neurobench.kernels import host
    from neurobench.storage.provenance import provenance

    pin_threads(threads)
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
    """GFLOP/s, the median of 7 times of at least 10 ms."""
    repeats, times = max(1, int(1e9 / operations)), []
    for _ in range(8):
        begun = time.perf_counter()
        for _ in range(repeats):
            work()
        times.append(time.perf_counter() - begun)
    return repeats * operations / median(times[1:]) / 1e9


def peak_rate() -> float:
    """Of fused multiply-adds on as many sums as hide their latency."""
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
            after = [builder.fadd(builder.fmul(total, factor, flags), factor, flags) for total in totals]
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
    """Ours as in a step of SLAYER, with weights on its grid, and torch's."""
    import numpy as np
    import torch

    from neurobench.kernels.cuba.product import COLUMNS, multiply, pack_transposed
    from neurobench.kernels.cuba.product_amx import fits, multiply_amx, pack_pairs, tile_grid
    from neurobench.kernels.host import fast

    random = np.random.default_rng(0)
    a = random.standard_normal((steps, inner)).astype(np.float32)
    w = (random.integers(-128, 128, (width, inner)) / 32).astype(np.float32)
    panels, out = np.empty((-(-width // COLUMNS), inner, COLUMNS), np.float32), np.empty((steps, width), np.float32)
    pack_transposed(w, panels)
    work = partial(multiply, a, panels, out)
    if fast() and fits(steps, w):
        tiles = np.empty(tile_grid(w), np.uint16)
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
    """Seconds of v W, h W', u W, v'p and u'q for an epoch, by torch."""
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
    """12 hex digits of every tensor."""
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
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
