"""Overhead of 200 jobs of one second on two workers, on one machine and on a real SLURM:
`python tests/bench/bench_cluster.py`.

The overhead is the sweep's time beyond the seconds of its jobs divided by two workers: planning, starting, waiting. A
cluster starts an interpreter per task, so short runs share one (`--with jobs_per_task=100`). `--status` is timed as a
whole command, with 200 jobs in the sweep's folder.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from tests.sweeps.slurm_cluster import missing, slurm_cluster  # noqa: E402

JOBS, WORKERS, LIMIT = 200, 2, 0.10
ONE_SECOND = ["model=toy", "training.epochs=4", "model.pause=0.004", f"seed=range({JOBS})", "--workers", str(WORKERS)]


def measure(name: str, folder: Path, env: dict[str, str], *words: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests" / "plugin"), **env}
    command = [sys.executable, "-m", "neurobench", "sweep"]
    begun = time.perf_counter()
    done = subprocess.run([*command, *ONE_SECOND, *words], cwd=folder, env=env, capture_output=True, text=True)
    took = time.perf_counter() - begun
    assert f"{JOBS} of {JOBS} jobs finished" in done.stdout, done.stdout[-2000:] + done.stderr
    seconds = [json.loads(file.read_text())["seconds"] for file in folder.glob("outputs/.sweeps/*/*.json")]
    share = sum(seconds) / WORKERS
    overhead = took / share - 1
    print(f"{name}: {JOBS} jobs of {statistics.median(seconds):.2f} s on {WORKERS} workers took {took:.1f} s, ", end="")
    print(f"their own seconds / {WORKERS} are {share:.1f}: overhead {overhead:+.1%}, limit {LIMIT:.0%}")
    answers = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([*command, "--status"], cwd=folder, env=env, capture_output=True, check=True)
        answers.append(time.perf_counter() - begun)
    print(f"{name}: --status answers in {statistics.median(answers):.2f} s (median of 5), limit 1 s", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure("one machine", Path(folder), {})
    if missing():
        print(f"SLURM is not installed (no {', '.join(missing())}): apt-get install slurm-wlm munge")
        return
    with tempfile.TemporaryDirectory() as folder, slurm_cluster(Path(folder) / "slurm") as env:
        words = ["--launcher", "slurm", "--with", f"jobs_per_task={JOBS // WORKERS}"]
        measure("SLURM", Path(folder), env, *words)


if __name__ == "__main__":
    main()
