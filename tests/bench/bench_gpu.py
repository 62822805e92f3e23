"""Tests and timings of every CUDA code path: python tests/bench/bench_gpu.py [folder] [--profile] [--minutes 30]

Writes into the folder (outputs/gpu): a log of each part, `records.jsonl` with the measurements, and `GPU.md`, made from
them. A part is stopped when the time is up; its measurements until then are kept, and the page lists what is missing.
Exit code 1 if a test failed; otherwise the page is written to `--page` as well.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".venv/peers/slayer"))
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from neurobench.storage.provenance import cores, provenance
from tests.bench.gpu_records import FILE, note, read, table

ROOT = Path(__file__).parents[2]
LIBRARIES = ("torch", "triton", "numba", "spikingjelly", "snntorch")


def words_of_tests() -> list[str]:
    """Arguments for pytest: a process per file if pytest-xdist is installed, as numba's compilation takes most time."""
    files = sorted(str(path) for path in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.gpu" in path.read_text())
    parallel = ["-n", str(len(files))] if find_spec("xdist") else []
    return ["-m", "pytest", "-q", "-m", "gpu", "--durations=10", *parallel, *files]


def machine(threads: int) -> None:
    state = provenance("cuda", threads)
    versions = {"Python": state["python"]}
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    date, gpu = time.strftime("%Y-%m-%d"), torch.cuda.get_device_name()
    commit = state["commit"] or "unknown"
    note("machine", gpu=gpu, cpu=state["processor"], threads=threads, versions=versions, date=date, commit=commit)


def run(name: str, words: list[str], folder: Path, seconds: float) -> int | None:
    """Run a part, write its output to its log and the screen, return its exit code; None if its time ran out."""
    begin = time.perf_counter()
    print(f"== {name}: {' '.join(words)}", flush=True)
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    log = folder / f"{name}.log"
    with log.open("w") as file:
        try:
            done = subprocess.run(
                [sys.executable, *words],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": path},
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=max(seconds, 0.1),
            )
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = None
    took = time.perf_counter() - begin
    print(
        log.read_text(),
        f"== {name}: {'stopped' if code is None else f'exit code {code}'} after {took:.0f} s",
        flush=True,
    )
    if code is None:
        note("absent", name=name, reason=f"stopped after {took:.0f} s, when no time was left")
    elif code != 0 and name != "tests":
        note("absent", name=name, reason=f"exit code {code}")
    return code


def main(folder: Path, profiles: bool, minutes: float, published: Path | None) -> int:
    if not torch.cuda.is_available():
        print("bench-gpu: no CUDA device here; nothing was measured, and GPU.md stays as it is")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    records, end, threads = folder / "records.jsonl", time.monotonic() + 60 * minutes, cores()
    records.unlink(missing_ok=True)
    os.environ[FILE] = str(records)
    machine(threads)
    bench = "tests/bench"
    parts = {}
    if profiles:
        parts["profile_32"] = [f"{bench}/profile_slayer.py", "32"]
        parts["profile_128"] = [f"{bench}/profile_slayer.py", "128"]
    for size in (32, 128):
        parts[f"slayer_{size}"] = [f"{bench}/bench_slayer.py", str(threads), "--device", "cuda", "--batch", str(size)]
    parts["tests"] = words_of_tests()
    parts["camera"] = [f"{bench}/bench_camera.py"]
    parts["devices"] = [f"{bench}/bench_devices.py", str(threads)]
    codes = {name: run(name, words, folder, end - time.monotonic()) for name, words in parts.items()}
    if codes["tests"] is not None:
        lines = (folder / "tests.log").read_text().strip().splitlines()
        note("tests", verdict=lines[-1].strip("= ") if lines else f"exit code {codes['tests']}")
    page = table(read(records))
    (folder / "GPU.md").write_text(page)
    print(page)
    failed = codes["tests"] not in (0, None)
    if published and not failed:
        published.write_text(page)
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "outputs/gpu")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    sys.exit(main(args.folder.absolute(), args.profile, args.minutes, args.page))
