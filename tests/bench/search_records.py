"""Search of settings for the best results, on held-out samples, and final runs of the chosen presets over their seeds.

    python tests/bench/search_records.py FOLDER search [--cores 16] [--seconds 460] [--only eprop] [--smoke]
    python tests/bench/search_records.py FOLDER choose
    python tests/bench/search_records.py FOLDER final  [--cores 16] [--seconds 540] [--only eprop] [--smoke]

search: one process per core, threads pinned to 1; trains and validates, never uses a test sample for a figure. Every
epoch appends a JSON line to FOLDER/search.jsonl (setting, seed, epochs, figures of held-out samples, seconds), so that
an interrupted search shows its progress. A job of e-prop runs as many epochs as fit into its share of the time on this
machine. choose: prints the log as a table, the best of each model first. final: `neurobench run` of the presets over
their seeds, run folders in FOLDER/runs. The emulated recordings are generated once, on all cores, before any process
that reads them starts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
EMULATED = "experiment=nest_eprop_nmnist_emulated"


class Job(NamedTuple):
    name: str
    words: tuple[str, ...]  # overrides on the command line
    seed: int = 0
    timed: bool = False  # run as many epochs as fit into the time
    threads: int = 1


def eprop() -> Iterator[Job]:
    wide = ("model.hidden=400", "model.feedback=symmetric")
    settings: dict[str, tuple[str, ...]] = {
        "400 symmetric": wide,
        "400 random": ("model.hidden=400",),
        "200 symmetric": ("model.hidden=200", "model.feedback=symmetric"),
        "400 symmetric adaptive": (*wide, "model.neuron=iaf_adapt", "model.adapt_beta=0.1", "model.adapt_tau=100"),
        "400 symmetric softmax": (*wide, "model.error=softmax", "model.lr_out=0.1"),
        "400 symmetric window 50": (*wide, "model.window=50"),
        "400 symmetric shift 1": (*wide, "model.shift=1"),
        "800 symmetric": ("model.hidden=800", "model.feedback=symmetric"),
    }
    for name, words in settings.items():
        yield Job(f"eprop {name}", (EMULATED, "dataset.recorded=false", *words), timed=True)


def qrbm() -> Iterator[Job]:
    moved = ("model.jitter=1", "training.epochs=20")
    tuned = (*moved, "model.features=probability")
    settings: dict[str, tuple[str, ...]] = {
        "20 epochs, moved, 4 copies": (*moved, "model.readout_copies=4"),
        "20 epochs, moved, 4 copies, pcd": (*moved, "model.readout_copies=4", "model.negative=pcd", "model.lr=0.02"),
        "fine-tuned 30": (*tuned, "model.fine_tune=30"),
        "fine-tuned 40, dropout .3": (*tuned, "model.fine_tune=40", "model.fine_tune_dropout=0.3"),
        "20 epochs": ("training.epochs=20",),
    }
    for name, words in settings.items():
        yield Job(f"qrbm {name}", ("experiment=dynex_qrbm_best", *words))


def hxtorch() -> Iterator[Job]:
    """Jobs on emulated chips, drawn by seeds that no table uses."""

    def words(host: int, tuned: int, *more: str) -> tuple[str, ...]:
        steps = (f"model.phases.host.steps={host}", f"model.phases.tuned.steps={tuned}")
        data = (f"dataset.train={350 * (host + 16 + tuned)}", "dataset.validation=20000")
        return ("experiment=hxtorch_yin_yang_half_lsb", *steps, *data, *more)

    settings = {
        "6000 + 400": words(6000, 400),
        "12000 + 4000": words(12000, 4000),
        "12000 + 4000, lr .2": words(12000, 4000, "model.phases.tuned.lr=0.2"),
        "12000 + 4000, lr 1": words(12000, 4000, "model.phases.tuned.lr=1.0"),
        "12000 + 4000, scale .5": words(12000, 4000, *(f"model.phases.{p}.logit_scale=0.5" for p in ("host", "tuned"))),
        "12000 + 4000, sends 80": words(12000, 4000, "model.num_sends=[80,4]"),
        "12000 + 4000, avg 10": words(12000, 4000, "model.avg=10"),
        "12000 + 4000, 256 hidden": words(12000, 4000, "model.hidden=256"),
        "12000 + 12000": words(12000, 12000),
    }
    for name, given in settings.items():
        for seed in (101, 102):
            yield Job(f"hxtorch {name}", given, seed)


def qcnn() -> Iterator[Job]:
    settings: dict[str, tuple[str, ...]] = {
        "as it is": (),
        "zz": ("model.zz=true",),
        "zz, depth 2, reupload": ("model.zz=true", "model.depth=2", "model.reupload=true"),
        "depth 2, reupload": ("model.depth=2", "model.reupload=true"),
        "dropout .2": ("model.dropout=0.2",),
        "batch 32": ("training.batch_size=32",),
    }
    for name, words in settings.items():
        for seed in (0, 1):
            yield Job(f"qcnn {name}", ("experiment=qutrunk_ten_digits", *words), seed)


def convolutions() -> Iterator[Job]:
    """Jobs of SLAYER on 1000 emulated recordings, 5000 held out; no real ones, so that folds of these stay unused."""
    data = ("dataset=nmnist_emulated", "dataset.train=6000", "dataset.validation=5000", "dataset.recorded=false")
    shared = ("experiment=lava_nmnist_conv", *data, "dataset.test=10")
    before = ("model.convolutions=[16c7s3p3]", "model.threshold=1.25", "model.weight_scale=1.0")
    plain = ("model.true_rate=0.2", "model.false_rate=0.03")
    settings: dict[str, tuple[str, ...]] = {
        "as the preset was": (*before, *plain),
        "no weight norm": (*before, *plain, "model.weight_norm=false"),
        "threshold .6": (*before, *plain, "model.threshold=0.6"),
        "lr .01": (*before, *plain, "model.lr=0.01"),
        "batches of 8": (*before, *plain, "training.batch_size=8"),
        "weights of twice the size": (*before, *plain, "model.threshold=2.5", "model.weight_scale=2.0"),
        "rates .5 and .05": before,
        "those and weights of twice the size": ("model.convolutions=[16c7s3p3]",),
        "rates .8 and .05": (*before, "model.true_rate=0.8"),
        "as it is": (),
        "dropout .2": ("model.dropout=0.2",),
        "256 dense": ("model.hidden=[256]",),
        "one layer, 32 channels": ("model.convolutions=[32c7s3p3]",),
        "one layer, stride 2": ("model.convolutions=[16c7s2p3]",),
        "5 ms": ("model.sampling_time=5.0",),
    }
    for name, words in settings.items():
        yield Job(f"convolutions {name}", (*shared, "training.epochs=30", *words))
    yield Job("convolutions as it is, all epochs", shared)


def finals() -> Iterator[Job]:
    """Jobs of the chosen presets, one per seed."""
    for name, seeds, threads in FINAL:
        for seed in seeds:
            yield Job(name, (f"experiment={name}",), seed, threads=threads)


SEARCH = {"eprop": eprop, "qrbm": qrbm, "hxtorch": hxtorch, "qcnn": qcnn, "convolutions": convolutions}
FINAL: tuple[tuple[str, range, int], ...] = (
    ("nest_eprop_nmnist_emulated_best", range(3), 3),
    ("dynex_qrbm_moved", range(3), 1),
    ("dynex_qrbm_hybrid", range(3), 1),
    ("hxtorch_yin_yang_half_lsb_longer", range(5), 1),
    ("qutrunk_ten_digits", range(5), 1),
    ("lava_nmnist_conv", range(3), 1),
)
SMOKE = ("scale=smoke",)
TWINS = ("validation_tanh_accuracy", "validation_mlp_accuracy")  # classical heads, trained on the same batches


def work(job: Job, seconds: float, out: Path) -> None:
    """Run one job of the search; each has a separate process."""
    import torch

    from neurobench.config.compose import composer
    from neurobench.experiment.build import build_learner, load_splits
    from neurobench.experiment.plan import parse
    from neurobench.experiment.threads import Threads, pin_threads
    from neurobench.experiment.training import training_loop
    from neurobench.metrics.costs import Ledger

    begun = time.perf_counter()
    words = [*job.words, f"seed={job.seed}", "device=cpu", "threads=1"]
    pin_threads(Threads(1, 1))
    with composer() as compose:
        plan = parse(compose(words), words)
        splits = load_splits(plan)
        if job.timed:
            left = seconds - (time.perf_counter() - begun)
            words.append(f"training.epochs={fitting_epochs(plan, splits, left)}")
            plan = parse(compose(words), words)
    learner = build_learner(plan, torch.device("cpu"), Ledger())

    def note(**figures: Any) -> None:
        said = {"name": job.name, "words": words, "seed": job.seed, "epochs": plan.training.epochs}
        line = {**said, **held_out(figures), "seconds": round(time.perf_counter() - begun, 1)}
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")

    loop = training_loop(plan, learner, splits, Notes(note), Ledger())
    loop.run()
    note(**learner.finalize(splits.train, splits.validation, loop.record), final=1.0)


def held_out(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if "validation" in name or name in ("epoch", "final")}


class Notes:
    """Progress meter that passes the figures of each epoch to a function."""

    def __init__(self, note: Any):
        self.note = note

    def begin(self, *_: int) -> None: ...

    def batch(self, *_: Any) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.note(**row)

    def close(self) -> None: ...


def fitting_epochs(plan: Any, splits: Any, seconds: float, batches: int = 150) -> int:
    """Number of epochs, validation included, that fit into the time, estimated from updates of a discarded learner."""
    import torch

    from neurobench.experiment.build import build_learner
    from neurobench.metrics.costs import Ledger
    from neurobench.models.learner import Step

    learner, size = build_learner(plan, torch.device("cpu"), Ledger()), plan.training.batch_size
    whole = -(-len(splits.train) // size)
    learner.start(splits.train, None)
    begun = wall = time.perf_counter()
    for k in range(min(batches + 5, whole)):
        if k == 5:  # kernels are compiled by then
            begun = time.perf_counter()
        learner.learn(splits.train.batch(slice(k * size, (k + 1) * size)), Step(k, 10**6, 0, whole))
    done = max(1, min(batches, whole - 5))
    an_epoch = (time.perf_counter() - begun) / done * whole * (1 + 0.6 * len(splits.validation) / len(splits.train))
    return max(1, int(0.93 * (seconds - (time.perf_counter() - wall)) / an_epoch))


def chosen(log: Path) -> Iterator[str]:
    """Lines of a Markdown table: for each setting the last held-out figure, averaged over its seeds."""
    last: dict[tuple[str, int], dict[str, Any]] = {}
    for line in map(json.loads, log.read_text().splitlines()):
        last[line["name"], line["seed"]] = {**last.get((line["name"], line["seed"]), {}), **line}
    rows = []
    for name in dict.fromkeys(name for name, _ in last):
        runs = [run for (other, _), run in last.items() if other == name]
        values = [run.get("readout_validation_accuracy", run.get("validation_accuracy", 0.0)) for run in runs]
        complete = all("final" in run for run in runs)
        rows.append((name.split()[0], complete, sum(values) / len(values), name, runs))
    yield "| setting | words | epochs | held out, % | seeds | seconds |\n|---|---|---|---|---|---|"
    for _, complete, mean, name, runs in sorted(rows, key=lambda row: (row[0], -row[1], -row[2])):
        words = " ".join(word for word in runs[0]["words"] if not word.startswith(("seed=", "device=", "threads=")))
        seeds = ",".join(str(run["seed"]) for run in runs)
        twins = (f"{twin} {100 * sum(run[twin] for run in runs) / len(runs):.2f}" for twin in TWINS if twin in runs[0])
        figure = "; ".join([f"{100 * mean:.2f}", *twins]) + ("" if complete else " (cut short)")
        seconds = max(run["seconds"] for run in runs)
        yield f"| {name} | `{words}` | {runs[0]['epochs']} | {figure} | {seeds} | {seconds:.0f} |"


def command(job: Job, args: argparse.Namespace, seconds: float) -> list[str]:
    if args.mode == "final":
        words = (*job.words, f"seed={job.seed}", f"threads={job.threads}", "device=cpu", f"outputs={args.folder}/runs")
        start = "from neurobench.cli.main import main; raise SystemExit(main())"
        return [sys.executable, "-c", start, "run", *words]
    given = json.dumps(job)
    return [sys.executable, __file__, str(args.folder), "job", "--job", given, "--seconds", str(seconds)]


def queue(jobs: list[Job], args: argparse.Namespace, end: float) -> None:
    """Run jobs in order as cores become free; stop those that are still running at `end`."""
    running: dict[subprocess.Popen[bytes], tuple[Job, float]] = {}
    waiting = list(jobs)
    while (waiting or running) and time.monotonic() < end:
        used = sum(job.threads for job, _ in running.values())
        ready = next((job for job in waiting if job.threads <= args.cores - used), None)
        if ready is not None and time.monotonic() < end - 20:
            waiting.remove(ready)
            running[launch(ready, args, end - time.monotonic() - 8)] = ready, time.monotonic()
            continue
        for process in [process for process in running if process.poll() is not None]:
            job, begun = running.pop(process)
            print(f"{job.name}, seed {job.seed}: {process.returncode}, {time.monotonic() - begun:.0f} s", flush=True)
        time.sleep(0.2)
    for process, (job, _) in running.items():
        process.terminate()
        print(f"{job.name}, seed {job.seed}: stopped", flush=True)
    for job in waiting:
        print(f"{job.name}, seed {job.seed}: not begun", flush=True)


def launch(job: Job, args: argparse.Namespace, seconds: float) -> subprocess.Popen[bytes]:
    name = "".join(letter if letter.isalnum() else "_" for letter in f"{job.name} {job.seed}")
    with (args.folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command(job, args, seconds), env=environment(job.threads), stdout=log, stderr=log)


def environment(threads: int) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **dict.fromkeys(POOLS, str(threads)), "PYTHONPATH": path}


def emulate(cores: int) -> None:
    """Generate the emulated recordings into the cache that all processes share."""
    begun = time.monotonic()
    script = f"""
from neurobench.config.compose import composer
from neurobench.experiment.build import load_splits
from neurobench.experiment.plan import parse
from neurobench.experiment.threads import Threads, pin_threads
pin_threads(Threads({cores}, {cores}))
with composer() as compose:
    load_splits(parse(compose(["{EMULATED}"])))
"""
    subprocess.run([sys.executable, "-c", script], env=environment(cores), check=True)
    print(f"emulated recordings: {time.monotonic() - begun:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("mode", choices=["search", "choose", "final", "job"])
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=460)
    parser.add_argument("--only", default="")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--job")
    args = parser.parse_args()
    args.folder = args.folder.resolve()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.mode == "job":
        name, words, *rest = json.loads(args.job)
        work(Job(name, tuple(words), *rest), args.seconds, args.folder / "search.jsonl")
        return
    if args.mode == "choose":
        print("\n".join(chosen(args.folder / "search.jsonl")))
        return
    end = time.monotonic() + args.seconds
    jobs = list(finals()) if args.mode == "final" else [job for make in SEARCH.values() for job in make()]
    jobs = [job for job in jobs if args.only in job.name]
    if args.smoke:
        jobs = [job._replace(words=(*job.words, *SMOKE)) for job in jobs if job.seed in (0, 101)]
    if any("emulated" in word for job in jobs for word in job.words) and not args.smoke:
        emulate(args.cores)
    queue(jobs, args, end)


if __name__ == "__main__":
    main()
