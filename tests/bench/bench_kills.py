"""Kill a run 50 times while its jobs are queued: python tests/bench/bench_kills.py [KILLS]

A full run of the hybrid network on a mock chip with a job queue (`tests/devices/queue_server.py`, on the loopback
address: it delays, fails, loses, repeats and mutes answers), restarted with --resume after each SIGKILL, which is sent
at a random moment while a job is queued. Required: the figures of an undisturbed run, every circuit paid for once, no
job lost.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.cli.main import main
from neurobench.config import targets
from neurobench.devices import jobs as seam
from tests.cli.test_poll import WORDS, YAML
from tests.devices.loopback import LoopbackQueue

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
SERVER = Path(__file__).parents[1] / "devices/queue_server.py"
FAULTS = {"delay": 0.4, "fail": 0.05, "lose": 0.03, "mute": 0.1, "repeat": 0.1, "down": 0.05, "seed": 1}
LONGER = ["scale.train=32", "training.batch_size=2"]


def started(faults: dict[str, Any]) -> tuple[subprocess.Popen, int]:
    server = subprocess.Popen([sys.executable, str(SERVER), json.dumps(faults)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


def child(folder: Path, outputs: str) -> int:
    """Fork a process that starts the run or resumes it; return its process id."""
    if pid := os.fork():
        return pid
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        words = [f"outputs={folder / outputs}", "-cd", str(folder), "-q", "--resume", "training.checkpoint_every=0"]
        os._exit(main(["run", *WORDS, "model.train_on=device", "model.gradient=spsa", *LONGER, *words]))


def queued(outputs: Path) -> int:
    """Number of jobs that a run has sent, or is about to send, and that are unanswered."""
    lines = (line for file in outputs.glob("*/*/jobs.jsonl") for line in file.read_text().splitlines())
    intents = [line for line in lines if '"intent"' in line and line.endswith("}")]
    return len({json.loads(line)["key"] for line in intents}) - len(list(outputs.glob("*/*/jobs/*.npy")))


def computed(folder: Path, outputs: str, kills: int) -> tuple[dict[str, Any], int]:
    """Return the result of a run and the number of times it was killed before it ended."""
    draw, done = random.Random(3), 0
    while True:
        pid = child(folder, outputs)
        if done < kills:
            while not (queued(folder / outputs) or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)):
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 0.6))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            if code := os.waitstatus_to_exitcode(status):
                sys.exit(f"the run failed with exit code {code}")
            (file,) = (folder / outputs).glob("*/*/result.json")
            return json.loads(file.read_text()), done
        done += 1


def billed(port: int) -> tuple[int, int, int]:
    """Number of jobs that were paid for, of those paid for more than once, and of those that the device accepted."""
    bill = LoopbackQueue(port).ask("bill")
    names = [tag.rpartition("-")[0] for tag, _ in bill["jobs"]]
    return len(names), len(names) - len(set(names)), bill["taken"]


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    targets.ALLOWED, seam.FIRST_PAUSE = ("tests",), 0.05
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "backend").mkdir()
        results = {}
        for outputs, faults, kills in (("undisturbed", {}, 0), ("killed", FAULTS, KILLS)):
            server, port = started(faults)
            (folder / "backend/loopback.yaml").write_text(YAML.format(port=port))
            results[outputs], done = computed(folder, outputs, kills)
            paid, twice, taken = billed(port)
            print(
                f"{outputs:12} {done:3} kills, {taken} jobs taken, {paid} paid for, {twice} of them twice", flush=True
            )
            server.kill()
        same = results["undisturbed"]["metrics"] == results["killed"]["metrics"]
        print(
            f"figures {'are the same to the bit' if same else 'DIFFER'}; shots billed in the record: "
            f"{results['killed']['device_costs']['circuit']['shots']:g}"
        )
        sys.exit(not same or twice > 0 or done < KILLS)
