"""One run: load, build, fit, evaluate, record, draw."""

from __future__ import annotations

import resource
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from neurobench.config.check import require
from neurobench.config.errors import UserError
from neurobench.config.identity import config_hash
from neurobench.config.schema import Training
from neurobench.runs.folder import RunFolder
from neurobench.runs.log import log_file
from neurobench.runs.machine import pick_device, pin_threads
from neurobench.runs.store import same_setting


class RunFailed(UserError):
    """The run began and did not finish. Its folder says why."""

    exit_code = 1


class RunInterrupted(UserError):
    """The run was stopped and can go on from its checkpoint."""

    exit_code = 130  # as shells report Ctrl-C
    stops_sweep = True


def execute(config: DictConfig, console: Console) -> RunFolder:
    """Run a composed configuration. Returns its finished folder.

    Raises ConfigError before anything is computed; RunFailed or RunInterrupted once the folder exists.
    """
    require(config)
    pin_threads(config.threads)
    pick_device(config.device)  # refuses before there is a folder
    folder, finished = _folder(config)
    if finished:
        console.print(f"already finished: {folder.path}", highlight=False, soft_wrap=True)
        return folder
    try:
        with log_file(folder.path / "run.log", console):
            _run(config, folder, console)
    except RunInterrupted:
        raise
    except KeyboardInterrupt:
        folder.update(status="interrupted")
        raise RunInterrupted(_go_on(folder, "stopped")) from None
    except Exception as error:
        raise _failure(folder, error) from error
    finally:
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
            return unfinished[0], False
        if same:
            return same[0], True
    resolved = OmegaConf.to_yaml(config, resolve=False)
    folder = RunFolder.create(outputs, config.name, identity, resolved)
    folder.update(status="running", config_hash=identity, setting_hash=config_hash(config, with_seed=False))
    return folder, False


def _run(config: DictConfig, folder: RunFolder, console: Console) -> None:
    from neurobench.runs.build import build_dataset, build_learner
    from neurobench.runs.provenance import provenance
    from neurobench.training.evaluate import evaluate
    from neurobench.training.fit import fit
    from neurobench.training.interrupt import Interrupted
    from neurobench.training.progress import meter_for
    from neurobench.training.seeds import spawn

    device = pick_device(config.device)
    seeds = spawn(config.seed)
    folder.update(
        status="running",
        **provenance(str(device), config.threads),
        seeds={"root": config.seed, **asdict(seeds)},
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    )
    dataset = build_dataset(config)
    splits = dataset.load(seeds.data).limited(config.scale.train, config.scale.test)
    data = {
        "source": splits.source,
        "sha256": splits.sha256,
        "n_train": len(splits.train),
        "n_validation": len(splits.validation),
        "n_test": len(splits.test),
        "evaluated_on": splits.evaluated_on,
        "emulated": splits.emulated,
    }
    folder.update(data=data)
    learner = build_learner(config, dataset, seeds, device)
    plan = _plan(config, len(splits.train))
    label = f"{config.model.name} on {config.dataset.name}, backend {config.backend.name}, scale {config.scale.name}"
    console.print(f"{label}, seed {config.seed}, {device}, {config.threads} thread(s)", highlight=False)
    console.print(f"run folder {folder.path}", highlight=False, soft_wrap=True)
    try:
        place = fit(learner, splits.train, splits.validation, plan, seeds.data, folder, meter_for(console))
    except Interrupted as stop:
        folder.update(status="interrupted")
        raise RunInterrupted(_go_on(folder, f"stopped {stop}")) from None
    begun = time.perf_counter()
    settled = learner.settle(splits.train, splits.validation)
    settle_seconds = time.perf_counter() - begun
    folder.save_checkpoint({"position": asdict(place), "learner": learner.state_dict(), "best": None})
    begun = time.perf_counter()
    evaluation = evaluate(learner, splits.test, dataset.n_classes)
    test_seconds = time.perf_counter() - begun
    metrics = {**settled, **evaluation.metrics, **_published_way(learner, splits)}
    _draw(folder, learner, splits.test, place, evaluation, label)
    folder.write_result(
        {
            "name": config.name,
            **{key: config[key].name for key in ("model", "dataset", "backend", "scale")},
            "seed": config.seed,
            "metrics": metrics,
            "intervals": evaluation.intervals,
            "undefined": _undefined(place.history, evaluation.metrics),
            "epochs": place.epoch,
            "best_epoch": place.best_epoch,
            "data": data,
            "config_hash": config_hash(config),
            "setting_hash": config_hash(config, with_seed=False),
            "seconds": {
                "train": round(place.seconds, 3),
                "settle": round(settle_seconds, 3),
                "test": round(test_seconds, 3),
            },
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    )
    folder.update(status="finished", finished=time.strftime("%Y-%m-%dT%H:%M:%S%z"))


def _plan(config: DictConfig, n_train: int) -> Training:
    plan = Training(**OmegaConf.to_container(config.training, resolve=True))  # type: ignore[arg-type]
    epochs = min(plan.epochs, config.scale.epochs or plan.epochs)
    batch = plan.batch_size
    if batch > n_train:
        if config.scale.train is None:
            raise UserError(f"training.batch_size={batch} is more than the {n_train} training samples.")
        batch = n_train
    return Training(**{**asdict(plan), "epochs": epochs, "batch_size": batch})


def _published_way(learner: Any, splits: Any) -> dict[str, float]:
    from neurobench.models.learner import Reproduces

    return dict(learner.published_way(splits)) if isinstance(learner, Reproduces) else {}


def _undefined(history: list[dict[str, Any]], metrics: dict[str, float]) -> dict[str, str]:
    """Figures that a reader may look for and that this run does not have."""
    if any("validation_accuracy" in row for row in history):
        return {}
    return {"validation_accuracy": "this model predicts no classes until it has settled, after the last epoch"}


def _draw(folder: RunFolder, learner: Any, test: Any, place: Any, evaluation: Any, label: str) -> None:
    from neurobench.models.learner import Draws
    from neurobench.report.figures import confusion, learning_curve

    accuracy = evaluation.metrics["test_accuracy"]
    folder.save_figure("learning_curve", learning_curve(place.history, place.trace))
    folder.save_figure("confusion", confusion(evaluation.confusion, f"{label}\ntest accuracy {accuracy:.2%}"))
    if isinstance(learner, Draws):
        for name, figure in learner.figures(test).items():
            folder.save_figure(name, figure)


def _go_on(folder: RunFolder, what: str) -> str:
    return f"{what}. Nothing is lost: {folder.path} goes on with the same command and --resume."


def _failure(folder: RunFolder, error: Exception) -> RunFailed:
    """The record of a run that broke, and a sentence for the person who started it."""
    from neurobench.data.dataset import DataError
    from neurobench.models.learner import Divergence

    kind = type(error).__name__
    folder.update(status="failed", error=f"{kind}: {error}")
    trace = "".join(traceback.format_exception(error))
    with (folder.path / "run.log").open("a") as file:
        file.write(trace)
    expected = isinstance(error, UserError | DataError | Divergence)
    told = str(error) if expected else f"{kind}: {error}"
    return RunFailed(f"the run failed: {told}\nThe whole story is in {folder.path / 'run.log'}")
