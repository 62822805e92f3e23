"""Search of EventProp's settings on Yin-Yang by validation, seeds 100, 101, ..., then test runs with seeds 0 to 9.

    python tests/bench/search_eventprop.py FOLDER [seconds] [processes]

One process per core, one thread each. Writes into FOLDER: search.jsonl (one line per training: settings, seed,
held-out figures), chosen.json and final.json (test figures of ten seeds after the last epoch, for the chosen settings
only, and for the same settings with 50,000 training samples of the same stream and as many updates). Test samples are
not encoded before the choice.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

for _library in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch  # noqa: E402

from neurobench.data.dataset import Split  # noqa: E402
from neurobench.models.learner import Seeds, Step, Task  # noqa: E402
from tests.specs import spec  # noqa: E402

LARGER = 50_000
NOT_MODEL = ("window", "batch", "train")  # settings of data and training, not of the model
FIRST = [  # changes to the preset in the first round
    {},
    {"delay": True},
    {"delay": True, "delay_lr": 0.006},
    {"lr": 0.001},
    {"lr": 0.004},
    {"lr": 0.001, "delay": True},
    {"lr": 0.004, "delay": True},
    {"batch": 16},
    {"batch": 64},
    {"batch": 128, "lr": 0.004},
    {"hidden": (120,)},
    {"hidden": (400,)},
    {"hidden": (400,), "lr": 0.001},
    {"hidden": (100, 100)},
    {"early": 0.003},
    {"early": 0.01},
    {"early": 0.06},
    {"loss_tau": 1.0},
    {"loss_tau": 4.0},
    {"loss_tau": 1.0, "early": 0.01},
    {"loss_tau": 4.0, "early": 0.01},
    {"window": 40.0, "length": 70.0},
    {"window": 50.0, "length": 80.0},
    {"window": 20.0, "length": 50.0},
    {"most_spikes": 2},
    {"most_spikes": 4},
    {"most_spikes": 4, "delay": True},
    {"init_first": (5.0, 3.7)},
    {"init_first": (8.0, 3.7)},
    {"init_first": (3.0, 4.0)},
    {"init_later": (42.0, 12.0)},
    {"init_later": (80.0, 10.0)},
]


def split_of(part: str, settings: dict[str, Any]) -> Split:
    """Split of the packaged data set in the latency code of experiment=eventprop_yin_yang."""
    dataset = spec("dataset/yin_yang", train=settings.get("train", 5000))
    code = spec("encoder/latency", cells=1, dimmest=0.0, window=settings.get("window", 30.0), repeats=1)
    split = getattr(dataset.load(0), part)
    return replace(split, x=code.encode(split.x, split.ids))


def train(job: tuple[dict[str, Any], int, int, str]) -> dict[str, Any]:
    """Train one network (settings, seed, updates, split to measure on); return its figures after the last update."""
    settings, seed, updates, part = job
    torch.set_num_threads(1)
    began, batch = time.perf_counter(), settings.get("batch", 32)
    fields = {key: value for key, value in settings.items() if key not in NOT_MODEL}
    model = spec("model/eventprop_snn", **fields)
    samples = split_of("train", settings)
    seeds = Seeds(0, 1000 + seed, 2000 + seed, 0)
    learner = model.build(Task("events", (1, 4, 1), 3), seeds, {}, torch.device("cpu"))
    learner.start(samples, None)
    draw, per_epoch = torch.Generator().manual_seed(3000 + seed), len(samples) // batch
    for k in range(updates):
        if k % per_epoch == 0:
            order, correct = torch.randperm(len(samples), generator=draw), 0.0
        index = order[k % per_epoch * batch :][:batch]
        correct += learner.learn(samples.batch(index), Step(k, updates, k // per_epoch, per_epoch)).correct
    measured = split_of(part, settings)
    sums = learner.measure(measured.batch(slice(None)))
    seen = ((updates - 1) % per_epoch + 1) * batch
    return {
        "settings": settings, "seed": seed, "updates": updates, "measured_on": part, "n": len(measured),
        "accuracy": sums.correct / len(measured), "loss": sums.loss / len(measured), "train_accuracy": correct / seen,
        "hidden_spikes": sums.extra["hidden_spikes"] / len(measured), "seconds": time.perf_counter() - began,
    }  # fmt: skip


def updates_of(settings: dict[str, Any], samples: int) -> int:
    return samples // settings.get("batch", 32)


def ranked(results: list[dict[str, Any]]) -> list[tuple[float, dict[str, Any]]]:
    """Settings by mean held-out accuracy over their seeds, best first."""
    by_settings = defaultdict(list)
    for result in results:
        by_settings[json.dumps(result["settings"])].append(result["accuracy"])
    return sorted(((mean(a), json.loads(s)) for s, a in by_settings.items()), key=lambda pair: -pair[0])


def main(folder: Path, seconds: float, processes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    train(({}, 99, 2, "validation"))  # compile the kernels before the pool is forked
    rate = 150 * 32 / train(({}, 99, 150, "validation"))["seconds"] * 0.6  # samples / s of one process while others run
    share = seconds * rate
    # One third of the time each: all settings on one seed; the best four and their pairs on three; the final seeds.
    samples = int(share * processes / 3 / len(FIRST))
    log = (folder / "search.jsonl").open("a")

    def rounds(jobs: list[tuple[dict[str, Any], int, int, str]]) -> list[dict[str, Any]]:
        results = []
        for result in pool.imap_unordered(train, jobs):
            print(f"{result['accuracy']:.4f} loss {result['loss']:.4f} {result['seconds']:.0f} s", job_words(result))
            log.write(json.dumps(result) + "\n")
            log.flush()
            results.append(result)
        return results

    with multiprocessing.get_context("fork").Pool(processes) as pool:
        first = ranked(rounds([(s, 100, updates_of(s, samples), "validation") for s in FIRST]))
        best = [settings for _, settings in first[:4]]
        pairs = [{**one, **other} for k, one in enumerate(best) for other in best[k + 1 :]]
        second = {json.dumps(s): s for s in [*best, *pairs]}.values()
        samples = int(share * processes / 3 / (3 * len(second)))
        jobs = [(s, seed, updates_of(s, samples), "validation") for s in second for seed in (101, 102, 103)]
        accuracy, chosen = ranked(rounds(jobs))[0]
        (folder / "chosen.json").write_text(json.dumps({"settings": chosen, "validation_accuracy": accuracy}))
        print("chosen", chosen, accuracy)
        samples = int(share * processes / 3 / 20)
        more = {**chosen, "train": LARGER}
        updates = updates_of(chosen, samples)
        final = rounds([(s, seed, updates, "test") for s in (chosen, more) for seed in range(10)])
    (folder / "final.json").write_text(json.dumps(final, indent=1))
    for settings in (chosen, more):
        values = [
            r["accuracy"]
            for r in final
            if r["settings"] == json.loads(json.dumps(settings)) or r["settings"] == settings
        ]
        print(f"test {mean(values):.4f} +- {stdev(values):.4f}, n={len(values)} seeds, {updates} updates", settings)


def job_words(result: dict[str, Any]) -> str:
    return f"on {result['measured_on']}, seed {result['seed']}, {result['updates']} updates, {result['settings']}"


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        Path(words[0]),
        float(words[1]) if len(words) > 1 else 330.0,
        int(words[2]) if len(words) > 2 else os.cpu_count(),
    )
