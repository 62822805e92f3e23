"""Speed of compiled kernels with registers of 256 and 512 bits and with `kernels=fast`: bench_kernels.py [FOLDER]

Prints the CPU, the register width, the peak rate of multiply-adds in registers on one core, the share of it that a
matrix product reaches, and torch's; then times a training step of SLAYER and an epoch of the QRBM. Results with 512
bits must be bit-identical to those with 256. Variants run in separate processes, in turn, so that a failing one is only
reported. Medians of rounds. FOLDER: for kernels.json, with all figures. Four minutes, one of them for compilation.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

VARIANTS = {"narrow": "256 bits", "wide": "512 bits where there are", "fast": "kernels=fast"}
ROUNDS, SECONDS = 3, 150  # rounds; time after which no variant is started

FIGURES = Path(__file__).with_name("kernel_figures.py")

Figures = dict[str, Any]


def main(folder: Path | None) -> None:
    results: list[Figures] = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as caches:
        running = [start(variant, 1, caches) for variant in VARIANTS]  # compile all variants at the same time
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
    command = [sys.executable, str(FIGURES), variant, str(threads)]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def narrow_features() -> str:
    """LLVM features of this machine's processor, with AVX-512 and AMX switched off."""
    import llvmlite.binding as llvm

    wide = ("avx512", "amx", "avx10", "evex512")
    features = llvm.get_host_cpu_features().items()
    return ",".join(f"{'+' if on and not name.startswith(wide) else '-'}{name}" for name, on in features)


def finish(process: subprocess.Popen[str]) -> tuple[Figures | None, str]:
    """Wait for a variant; return its figures, or None and the reason why there are none."""
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
    """Whether narrow and wide agree bit for bit: SLAYER for each number of threads, the QRBM for all numbers."""
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


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
