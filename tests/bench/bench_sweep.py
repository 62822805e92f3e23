"""Overhead of a sweep over its runs, and the effect of kills: `python tests/bench/bench_sweep.py`.

1. Jobs of about one second each, run sequentially in one warm worker, compared with direct calls of the same runs in
   one process that has everything imported: alternating in one run, the overhead is the worker's excess time.
2. Twelve jobs whose sweep is killed (SIGKILL, all of its processes) three times at random moments, compared with an
   undisturbed sweep: both must give the same twelve results.
3. Fifty kills at random moments of a process that continuously writes a run's files: none may be broken.
"""

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
PLUGIN = str(ROOT / "tests" / "plugin")
sys.path.insert(0, PLUGIN)
ENVIRONMENT = {**os.environ, "PYTHONPATH": PLUGIN}
JOB = ["model=toy", "training.epochs=4", "model.pause=0.002"]
LIMIT = 0.10

WRITER = """
import sys, zlib
from pathlib import Path
from neurobench.storage.atomic import write_bytes
from neurobench.storage.folder import RunFolder
run = RunFolder(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10**9):
    run.update(status="running", number=number, ballast=list(range(5000)))
    run.rewrite_metrics([{"epoch": number, "loss": 0.5}] * 200)
    payload = number.to_bytes(8, "big") * 50_000
    write_bytes(run.path / "checkpoint.pt", zlib.crc32(payload).to_bytes(4, "big") + payload)
    run.write_result({"number": number, "metrics": {str(key): 0.5 for key in range(2000)}})
"""


def sweep(outputs: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "neurobench", "sweep", *words, f"outputs={outputs}"]


def overhead(jobs: int = 6, turns: int = 3) -> None:
    from rich.console import Console

    from neurobench.experiment.execute import execute
    from neurobench.sweeps.job import warm
    from neurobench.sweeps.launch import Settings, run_jobs
    from neurobench.sweeps.plan import jobs_of

    warm(os.getppid(), [], None)
    quiet = Console(file=open(os.devnull, "w"), width=100)  # noqa: SIM115, PTH123
    folder = Path(tempfile.mkdtemp())
    ratios, direct_s = [], []
    for turn in range(-1, turns):  # the first turn is a warm-up for both
        words = [*JOB, f"seed=range({jobs})"]
        planned = jobs_of([*words, f"outputs={folder}/direct{turn}"])
        begun = time.perf_counter()
        for job in planned:
            execute(job.plan, quiet)
        direct = time.perf_counter() - begun
        begun = time.perf_counter()
        run_jobs(jobs_of([*words, f"outputs={folder}/sweep{turn}"]), Settings(workers=1), quiet)
        swept = time.perf_counter() - begun
        if turn >= 0:
            ratios.append(swept / direct - 1)
            direct_s.append(direct / jobs)
    shutil.rmtree(folder)
    told = statistics.median(ratios)
    print(f"{jobs} jobs of {statistics.median(direct_s):.2f} s in one warm worker, planning included; {turns} turns")
    print(f"sweep overhead {told:+.1%}   limit {LIMIT:.0%}   {told / LIMIT:.2f} of it   (turns {ratios})")


def results(outputs: Path) -> dict[int, str]:
    told = [json.loads(file.read_text()) for file in outputs.glob("*/*/result.json")]
    return {result["seed"]: json.dumps(result["metrics"], sort_keys=True) for result in told}


def kills() -> None:
    moments = random.Random(int(time.time()))
    folder = Path(tempfile.mkdtemp())
    words = (*JOB, "training.checkpoint_every=0", "seed=range(12)", "--workers", "2")
    for number in range(3):
        child = subprocess.Popen(
            sweep(folder / "killed", *words), env=ENVIRONMENT, stdout=subprocess.DEVNULL, start_new_session=True
        )
        before = len(results(folder / "killed"))
        while child.poll() is None and not any((folder / "killed").glob("toy*/*/metrics.jsonl")):
            time.sleep(0.02)
        time.sleep(moments.uniform(1, 8))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        print(f"kill {number + 1}: {len(results(folder / 'killed')) - before} jobs had finished in this sitting")
    for name in ("killed", "calm"):
        done = subprocess.run(
            sweep(folder / name, *words), env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    killed, calm = results(folder / "killed"), results(folder / "calm")
    folders = len(list((folder / "killed").glob("toy*/*/run.json")))
    assert killed == calm, "a killed sweep ended with other results"
    print(f"12 jobs, 3 kills: the same {len(killed)} results as undisturbed, in {folders} folders")
    shutil.rmtree(folder)


def broken_files(kills: int = 50) -> None:
    moments, path, broken = random.Random(int(time.time())), Path(tempfile.mkdtemp()), 0
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(moments.uniform(0.05, 0.3))
        child.kill()
        child.wait()
        try:
            for name in ("run.json", "result.json"):
                json.loads((path / name).read_text())
            [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
            data = (path / "checkpoint.pt").read_bytes()
            assert zlib.crc32(data[4:]) == int.from_bytes(data[:4], "big")
        except FileNotFoundError:
            pass  # killed before the first write
        except Exception as error:
            broken += 1
            print(f"broken: {error}")
    print(f"{kills} kills during writes of four files: {broken} broken")
    assert not broken
    shutil.rmtree(path)


if __name__ == "__main__":
    wanted = sys.argv[1:] or ["overhead", "kills", "broken_files"]
    for name in wanted:
        globals()[name]()
