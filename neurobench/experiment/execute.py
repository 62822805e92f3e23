"""One run: load, build, fit, evaluate, draw, record."""

from __future__ import annotations

import copy
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from neurobench.config.compose import as_yaml
from neurobench.config.errors import UserError
from neurobench.config.schema import Training
from neurobench.experiment.build import build_trackers
from neurobench.experiment.callbacks import Pruned, WatchedMeter, Watcher
from neurobench.experiment.identity import config_hash
from neurobench.experiment.machine import pick_device, pin_threads
from neurobench.experiment.plan import require
from neurobench.runs.folder import RunFolder
from neurobench.runs.log import log_file
from neurobench.runs.memory import forget_peak, peak_mb
from neurobench.runs.store import same_setting

if TYPE_CHECKING:
    import torch

    from neurobench.data.dataset import Splits
    from neurobench.experiment.evaluate import Evaluation
    from neurobench.experiment.loop import Position
    from neurobench.models.learner import Learner


class RunFailed(UserError):
    """The run began and did not finish. Its folder says why."""

    exit_code = 1


class RunInterrupted(UserError):
    """The run was stopped and can go on from its checkpoint."""

    exit_code = 130  # as shells report Ctrl-C
    stops_sweep = True


def execute(config: DictConfig, console: Console, watchers: Sequence[Watcher] = ()) -> RunFolder:
    """Run a composed configuration. Returns its finished folder. Watchers are told how it goes.

    Raises ConfigError before anything is computed; RunFailed, RunInterrupted or a watcher's Pruned once the folder
    exists.
    """
    require(config)
    pin_threads(config.threads)
    pick_device(config.device)  # refuses before there is a folder
    folder, finished = _folder(config)
    if finished:
        console.print(f"already finished: {folder.path}", highlight=False, soft_wrap=True)
        return folder
    told: list[Watcher] = []
    try:
        for watcher in [*watchers, *build_trackers(config)]:
            watcher.begin(config, folder)
            told.append(watcher)
        with log_file(folder.path / "run.log", console):
            _run(config, folder, console, told)
    except RunInterrupted:
        raise
    except Pruned:
        folder.update(status="pruned")
        raise
    except KeyboardInterrupt:
        raise _interrupted(folder, "stopped") from None
    except Exception as error:
        raise _failure(folder, error) from error
    finally:
        for watcher in told:
            watcher.end(folder)
        folder.release()
    return folder


def _folder(config: DictConfig) -> tuple[RunFolder, bool]:
    """A new folder, or with `resume` the one to go on with; and whether that is finished already."""
    identity = config_hash(config)
    outputs = Path(config.outputs)
    if config.resume:
        same = same_setting(outputs, config.name, identity)
        unfinished = [folder for folder in same if not folder.has("result.json")]
        if unfinished:
            unfinished[0].acquire()
            unfinished[0].clean()
            return unfinished[0], False
        if same:
            return same[0], True
    folder = RunFolder.create(outputs, config.name, identity, as_yaml(config))
    folder.update(status="running", **_identity(config))
    return folder, False


def _identity(config: DictConfig) -> dict[str, str]:
    return {"config_hash": config_hash(config), "setting_hash": config_hash(config, with_seed=False)}


def _run(config: DictConfig, folder: RunFolder, console: Console, watchers: Sequence[Watcher]) -> None:
    from neurobench.experiment.build import build_dataset, build_learner, energies, load_splits
    from neurobench.experiment.count import count
    from neurobench.experiment.evaluate import evaluate
    from neurobench.experiment.interrupt import Interrupted
    from neurobench.experiment.loop import fit
    from neurobench.experiment.progress import meter_for
    from neurobench.experiment.seeds import spawn
    from neurobench.metrics import energy
    from neurobench.metrics.costs import Costs
    from neurobench.runs.provenance import provenance

    forget_peak()
    device = pick_device(config.device)
    costs = Costs()
    seeds = spawn(config.seed)
    folder.update(
        status="running",
        **provenance(str(device), config.threads),
        seeds={"root": config.seed, **asdict(seeds)},
        started=_now(),
    )
    label = f"{config.model.name} on {config.dataset.name}, backend {config.backend.name}, scale {config.scale.name}"
    console.print(f"{label}, seed {config.seed}, {device}, {config.threads} thread(s)", highlight=False)
    console.print(f"run folder {folder.path}", highlight=False, soft_wrap=True)
    dataset = build_dataset(config)
    splits = load_splits(config, dataset, seeds.data)
    data = _data(splits)
    folder.update(data=data)
    learner = build_learner(config, dataset, seeds, device, costs)
    plan = _plan(config, len(splits.train))
    meter = WatchedMeter(meter_for(console), watchers)
    try:
        place = fit(learner, splits.train, splits.validation, plan, seeds.data, folder, meter, costs)
    except Interrupted as stop:
        raise _interrupted(folder, f"stopped {stop}") from None
    settled, settle_seconds = _settle(learner, splits, place, folder)
    begun = time.perf_counter()
    evaluation = evaluate(learner, splits.test, dataset.n_classes)
    seconds = {"train": place.seconds, "settle": settle_seconds, "test": time.perf_counter() - begun}
    intervals = dict(evaluation.intervals)
    others = {}
    for name, split in splits.others.items():
        tested = evaluate(learner, split, dataset.n_classes)
        others[f"{name}_accuracy"] = tested.metrics["test_accuracy"]
        intervals[f"{name}_accuracy"] = tested.intervals["test_accuracy"]
    published = _published_way(learner, splits)
    device_costs = copy.deepcopy(costs.totals)  # counting is not part of the run
    begun = time.perf_counter()
    published_joules = energies(config)
    counted, undefined = count(learner, splits.test, published_joules)
    seconds["count"] = time.perf_counter() - begun
    metrics = {**settled, **evaluation.metrics, **others, **published, **counted}
    _draw(folder, learner, splits, place, evaluation, label)
    folder.write_result(
        {
            "name": config.name,
            **{key: config[key].name for key in ("model", "dataset", "backend", "scale")},
            "seed": config.seed,
            "metrics": metrics,
            "intervals": intervals,
            "undefined": {**_undefined(place, splits), **undefined},
            "device_costs": energy.of_run(published_joules, device_costs),
            "energy_source": energy.sources(published_joules),
            "epochs": place.epoch,
            "best_epoch": place.best_epoch,
            "data": data,
            **_identity(config),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "samples_per_s": _speed(place, splits, seconds),
            "peak_rss_mb": peak_mb(),
            **({} if device.type == "cpu" else {"peak_device_mb": _device_peak_mb(device)}),
        }
    )
    folder.update(status="finished", finished=_now())


def _speed(place: Position, splits: Splits, seconds: dict[str, float]) -> dict[str, float]:
    """Samples a second: learned over all sittings, and predicted."""
    learned = place.epoch * len(splits.train)
    spent = {"train": (learned, place.seconds), "test": (len(splits.test), seconds["test"])}
    return {name: round(n / taken, 1) for name, (n, taken) in spent.items() if n and taken > 0}


def _device_peak_mb(device: torch.device) -> int:
    import torch

    return round(torch.cuda.max_memory_allocated(device) / 2**20)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _data(splits: Splits) -> dict[str, Any]:
    """What a reader must know of the data to believe a figure."""
    return {
        "source": splits.source,
        "sha256": splits.sha256,
        "n_train": len(splits.train),
        "n_validation": len(splits.validation),
        "n_test": len(splits.test),
        "evaluated_on": splits.evaluated_on,
        "emulated": splits.emulated,
        **{f"n_{name}": len(split) for name, split in splits.others.items()},
    }


def _plan(config: DictConfig, n_train: int) -> Training:
    """The schedule, cut to what `scale` allows."""
    plan = Training(**OmegaConf.to_container(config.training, resolve=True))  # type: ignore[arg-type]
    epochs = min(plan.epochs, config.scale.epochs or plan.epochs)
    batch = plan.batch_size
    if batch > n_train:
        if config.scale.train is None:
            raise UserError(f"training.batch_size={batch} is more than the {n_train} training samples.")
        batch = n_train
    return Training(**{**asdict(plan), "epochs": epochs, "batch_size": batch})


def _settle(learner: Learner, splits: Splits, place: Position, folder: RunFolder) -> tuple[dict[str, float], float]:
    """What the learner does once after training, and its seconds. The checkpoint then predicts."""
    begun = time.perf_counter()
    figures = dict(learner.settle(splits.train, splits.validation))
    seconds = time.perf_counter() - begun
    folder.save_checkpoint({"position": asdict(place), "learner": learner.state_dict(), "best": None})
    return figures, seconds


def _published_way(learner: Learner, splits: Splits) -> dict[str, float]:
    from neurobench.models.learner import Reproduces

    return dict(learner.published_way(splits)) if isinstance(learner, Reproduces) else {}


def _undefined(place: Position, splits: Splits) -> dict[str, str]:
    """Figures that a reader may look for and that this run does not have."""
    if any("validation_accuracy" in row for row in place.history):
        return {}
    if not len(splits.validation):
        return {"validation_accuracy": "nothing was held out for validation"}
    return {"validation_accuracy": "this model predicts no classes until it has settled, after the last epoch"}


def _draw(
    folder: RunFolder, learner: Learner, splits: Splits, place: Position, evaluation: Evaluation, label: str
) -> None:
    from neurobench.experiment.plots import confusion, learning_curve
    from neurobench.models.learner import Draws

    accuracy = evaluation.metrics["test_accuracy"]
    folder.save_figure("learning_curve", learning_curve(place.history, place.trace))
    folder.save_figure("confusion", confusion(evaluation.confusion, f"{label}\ntest accuracy {accuracy:.2%}"))
    if isinstance(learner, Draws):
        for name, figure in learner.figures(splits.test).items():
            folder.save_figure(name, figure)
    if splits.figures is not None:
        for name, drawn in splits.figures().items():
            folder.save_figure(name, drawn)


def _interrupted(folder: RunFolder, what: str) -> RunInterrupted:
    folder.update(status="interrupted")
    return RunInterrupted(f"{what}. Nothing is lost: {folder.path} goes on with the same command and --resume.")


def _failure(folder: RunFolder, error: Exception) -> RunFailed:
    """The record of a run that broke, and a sentence for the person who started it."""
    from neurobench.data.dataset import DataError
    from neurobench.models.learner import Divergence

    kind = type(error).__name__
    folder.update(status="failed", error=f"{kind}: {error}")
    with (folder.path / "run.log").open("a") as file:
        file.write("".join(traceback.format_exception(error)))
    told = str(error) if isinstance(error, UserError | DataError | Divergence) else f"{kind}: {error}"
    return RunFailed(f"the run failed: {told}\nThe whole story is in {folder.path / 'run.log'}")
