"""Time of listing and reporting ten thousand finished runs: `python tests/bench/bench_report.py [N]`.

The N runs are generated, over names and settings of packaged experiments, each with the files that a run writes (except
checkpoint and log). Whole processes are timed, medians of three.
"""

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurobench.report.published import published_tables

NEUROBENCH = str(Path(sys.executable).parent / "neurobench")
LIMITS = {"list runs": 2.0, "table all": 2.0, "report": 10.0}
FIGURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "5ab4d5b60000000049454e44ae426082"
)


def settings() -> Iterator[tuple[str, str, list[str]]]:
    """Name, hash and metrics of every experiment at paper scale."""
    for tables in published_tables().values():
        for entry in tables:
            yield entry.name, entry.setting_hashes["paper"], [row.metric for row in entry.rows]


def generate(outputs: Path, n: int) -> None:
    draw, there = random.Random(0), list(settings())
    for number in range(n):
        name, setting, metrics = there[number % len(there)]
        seed = number // len(there)
        folder = outputs / name / f"20260101-{number:06d}-{setting[:6]}"
        (folder / "figures").mkdir(parents=True)
        (folder / "figures" / "learning_curve.png").write_bytes(FIGURE)
        accuracy = draw.uniform(0.9, 0.99)
        data = {"source": "bundled", "sha256": "0" * 64, "n_train": 55000, "n_validation": 5000, "n_test": 10000}
        data |= {"evaluated_on": "the official test set", "emulated": False}
        result: dict[str, Any] = {
            "schema": 1, "name": name, "model": "qrbm", "dataset": "mnist", "backend": ("sim", "mock")[number % 2],
            "scale": "paper", "seed": seed,
            "metrics": {**{f"figure_{i}": draw.random() for i in range(12)}, **dict.fromkeys(metrics, accuracy),
                        "test_accuracy": accuracy},
            "intervals": {"test_accuracy": [accuracy - 0.005, accuracy + 0.005]}, "undefined": {}, "epochs": 3,
            "best_epoch": None, "data": data, "config_hash": f"{number:012x}", "setting_hash": setting,
            "seconds": {"train": 1.0, "settle": 1.0, "test": 0.1}, "peak_rss_mb": 700,
        }  # fmt: skip
        record = {"schema": 1, "status": "finished", "commit": "0" * 40, "versions": {}, "seeds": {"root": seed}}
        record |= {"host": "host", "started": "2026-01-01T00:00:00+0000", "config_hash": result["config_hash"]}
        rows = [{"epoch": e, "train_loss": 1 / e, "validation_loss": 1.1 / e, "seconds": 1.0} for e in (1, 2, 3)]
        (folder / "result.json").write_text(json.dumps(result, indent=2))
        (folder / "run.json").write_text(json.dumps(record, indent=2))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "config.yaml").write_text(f"model:\n  name: qrbm\n  n_hidden: 300\nseed: {seed}\n" + "# \n" * 40)


def seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):  # generated figures may lie outside their bands
        raise SystemExit(done.stderr)
    return time.perf_counter() - begun


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    outputs = Path(tempfile.mkdtemp())
    try:
        generate(outputs, n)
        print(f"{n} finished runs; whole processes, medians of 3")
        for verb, limit in LIMITS.items():
            words = [*verb.split(), "--outputs", str(outputs)]
            if verb == "report":
                words += ["--to", str(outputs / "report.html")]
            taken = statistics.median(seconds([NEUROBENCH, *words]) for _ in range(3))
            print(f"neurobench {verb:10} {taken:6.2f} s   limit {limit:.0f} s   {taken / limit:.2f} of it")
        print(f"report.html {(outputs / 'report.html').stat().st_size / 2**20:.1f} MiB")
    finally:
        shutil.rmtree(outputs)


if __name__ == "__main__":
    main()
