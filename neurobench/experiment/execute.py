"""Execution of one run: load, build, train, evaluate, draw, record."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.config.secrets import scrubbed
from neurobench.config.targets import load
from neurobench.data.dataset import stamp
from neurobench.devices.jobs import Jobs, Queued
from neurobench.experiment.build import (
    build_learner,
    energies,
    kernels_in_use,
    load_splits,
    pick_device,
    require_memory,
)
from neurobench.experiment.callbacks import Callback, ObservedMeter, Pruned, end_all, started
from neurobench.experiment.endings import RunInterrupted, failure, interrupted
from neurobench.experiment.exports import write_exports, write_printout
from neurobench.experiment.folder_choice import folder_for
from neurobench.experiment.host_energy import RESUMED, HostEnergy
from neurobench.experiment.metric_values import numbers_of
from neurobench.experiment.plan import Plan
from neurobench.experiment.progress import log_file, meter_for
from neurobench.experiment.threads import Threads, pin_threads, threads_of
from neurobench.experiment.views import live_views
from neurobench.figures.second_process import Renderer, rendered_files, second_process
from neurobench.metrics.costs import Ledger
from neurobench.phases import phase
from neurobench.process import importing, is_stop, runs_alone
from neurobench.storage.folder import RunFolder
from neurobench.storage.journal import Journal
from neurobench.storage.predictions import Predictions, write_predictions
from neurobench.storage.provenance import cores, forget_peak, provenance

if TYPE_CHECKING:
    import torch

    from neurobench.experiment.evaluate import Evaluation
    from neurobench.experiment.loop import Loop
    from neurobench.kernels.compilation import Compilation
    from neurobench.models.learner import Initial


Answer = Callable[[RunFolder, Mapping[str, Any]], None]  # receives a run's result, as it will be in result.json


def execute(
    plan: Plan,
    console: Console,
    callbacks: Sequence[Callback] = (),
    answer: Answer = lambda folder, result: None,
    into: RunFolder | None = None,
) -> RunFolder:
    """Run a plan and return its finished folder. `answer` is called once everything is measured, before figures are
    drawn; not for a run that was already finished. `into`: the unfinished run to resume.

    Raises UserError before there is a folder; RunFailed, RunInterrupted, Queued or a callback's Pruned once there is.
    """
    with importing("torch"):
        threads = threads_of(plan)
        pin_threads(threads)
        device = pick_device(plan.run.device, plan.model, plan.training.batch_size)
        from neurobench.experiment.reload import find_initial
        from neurobench.kernels.compilation import named_compilation

    initial = find_initial(plan)
    folder, finished = folder_for(plan, console, into)
    if finished:
        console.print(f"already finished: {folder.path}", highlight=False, soft_wrap=True)
        return folder
    begun: list[Callback] = []
    try:
        for callback in [*callbacks, *started(plan, console)]:
            callback.begin(plan, folder)
            begun.append(callback)
        with (
            log_file(folder.path / "run.log", console),
            named_compilation() as compilation,
            second_process(runs_alone() and cores() > 1) as renderer,  # ready by the time that the data are read
        ):
            _Run(plan, folder, console, device, threads, answer, compilation, renderer).go(initial, begun)
    except RunInterrupted:
        raise
    except (Pruned, Queued) as end:
        folder.update(status="pruned" if isinstance(end, Pruned) else "queued")
        raise end if isinstance(end, Pruned) else end.kept_in(folder.path) from None
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if is_stop(error):
            raise interrupted(folder, "stopped") from None
        raise failure(folder, error) from error  # also of user code that exits the process
    finally:
        try:
            end_all(begun, folder, console)
        finally:  # even if the user stops a tracker that waits for its server
            folder.release()
    return folder


@dataclass
class _Run:
    """One run in its folder, phase by phase."""

    plan: Plan
    folder: RunFolder
    console: Console
    device: torch.device
    threads: Threads
    answer: Answer
    compilation: Compilation
    renderer: Renderer | None

    def go(self, initial: Initial | None, callbacks: Sequence[Callback]) -> None:
        from neurobench.experiment.result import Outcome, describe, result

        forget_peak()
        self.host = HostEnergy(self.plan.run.host_energy)
        self._announce()
        with phase("reading data"):
            self.splits = load_splits(self.plan)
        require_memory(self.plan, self.splits)
        self._require_the_same_data()
        shape = list(self.plan.dataset.shape)
        self.folder.update(data={**describe(self.splits), "shape": shape, "stamp": stamp(self.plan.root)})
        self.ledger = Ledger()
        jobs = Jobs(Journal(self.folder.path), self.plan.run.wait)
        with phase("building the model"):
            self.learner = build_learner(self.plan, self.device, self.ledger, jobs)
        self.folder.update(kernels=kernels_in_use())
        self.seconds: dict[str, float] = {}  # by phase, without the time spent compiling kernels
        loop = self._train(initial, callbacks)
        finalized, undefined = self._finalize(loop)
        evaluation = self._test()
        tutorial, failed = self._tutorial_metrics(loop)
        counted, uncounted = self._count()
        metrics = {**finalized, **evaluation.metrics, **tutorial, **counted, **self.host.joules}
        undefined |= {**failed, **uncounted, **self.host.undefined}
        with self.ledger.phase("tutorial"):
            write_printout(self.folder, self.plan, self.learner, self.splits, loop.record, metrics)
        if self.compilation.seconds:
            self.seconds["compile"] = self.compilation.seconds
        outcome = Outcome(metrics, evaluation.intervals, undefined, self.seconds, self._baselines())
        self.answer(self.folder, result(self.plan, self.splits, loop, outcome, self.device))
        self._draw(loop, evaluation)
        self.folder.write_result(result(self.plan, self.splits, loop, outcome, self.device))
        self.folder.update(status="finished", finished=_now())

    def _require_the_same_data(self) -> None:
        """Check that a resumed run reads the same data as before."""
        before, now = self.folder.record().get("data", {}).get("sha256"), self.splits.sha256
        if before not in (None, now):
            raise UserError(
                f"this run began with data of sha256 {before:.12} and would continue with {now:.12} (from "
                f"{self.splits.source}). Restore them, or start again without --resume."
            )

    def _announce(self) -> None:
        run, plan, n_threads = self.plan.run, self.plan, max(self.threads)
        seeds = {"root": run.seed, **asdict(plan.seeds)}
        where = provenance(str(self.device), n_threads)
        code = {"own_code": plan.own_code} if plan.own_code else {}
        self.folder.update(status="running", **where, **code, seeds=seeds, started=_now())
        threads = f"{n_threads} thread{'s' if n_threads > 1 else ''}"
        self.console.print(f"{plan.label}, seed {run.seed}, {self.device}, {threads}", highlight=False)
        self.console.print(f"run folder {self.folder.path}", highlight=False, soft_wrap=True)

    def _train(self, initial: Initial | None, callbacks: Sequence[Callback]) -> Loop:
        from neurobench.experiment.loop import Interrupted
        from neurobench.experiment.training import training_loop

        meter = ObservedMeter(meter_for(self.console), callbacks)
        loop = training_loop(self.plan, self.learner, self.splits, meter, self.ledger, self.folder, initial)
        try:
            with self.host.measured("train"), live_views(self.console):
                loop.run()
        except Interrupted as stop:
            raise interrupted(self.folder, f"stopped {stop}") from None
        if loop.resumed:
            self.host.forget("train", RESUMED)
        self.seconds["train"] = loop.position.seconds
        return loop

    def _finalize(self, loop: Loop) -> tuple[dict[str, float], dict[str, str]]:
        """Finalize the learner, once after training. From then on the checkpoint can predict."""
        begun = self.compilation.working_time()
        with phase("finalizing"), self.ledger.phase("finalize"), self.host.measured("finalize"):
            handed = self.learner.finalize(self.splits.train, self.splits.validation, loop.record)
        self.seconds["finalize"] = self.compilation.working_time() - begun
        best, loop.best = loop.best, None
        self.folder.set_trained_aside()
        loop.save()
        write_exports(self.folder, self.plan, self.learner, best)
        return numbers_of(handed, "the model's finalize")

    def _test(self) -> Evaluation:
        """Evaluate on the test set; add the accuracy with its interval on each other test set of the data."""
        from neurobench.experiment.evaluate import evaluate

        n_classes = self.plan.task.n_classes
        test, begun = self.splits.test, self.compilation.working_time()
        evaluation = evaluate(self.learner, test, n_classes, self.ledger, self.host.measured("test"))
        self.seconds["test"] = evaluation.seconds
        self.seconds["loss"] = self.compilation.working_time() - begun - evaluation.seconds
        arrays = (test.ids.numpy(), test.y.numpy(), evaluation.predicted.numpy())
        write_predictions(self.folder, Predictions(*arrays))
        for name, split in self.splits.others.items():
            tested = evaluate(self.learner, split, n_classes, self.ledger)
            evaluation.metrics[f"{name}_accuracy"] = tested.metrics["test_accuracy"]
            evaluation.intervals[f"{name}_accuracy"] = tested.intervals["test_accuracy"]
        return evaluation

    def _tutorial_metrics(self, loop: Loop) -> tuple[dict[str, float], dict[str, str]]:
        if self.plan.model.tutorial_metrics is None:
            return {}, {}
        with phase("computing the tutorial's figures"), self.ledger.phase("tutorial"):
            handed = load(self.plan.model.tutorial_metrics)(self.learner, self.splits, loop.record)
        return numbers_of(handed, self.plan.model.tutorial_metrics)

    def _count(self) -> tuple[dict[str, float], dict[str, str]]:
        from neurobench.experiment.architecture import architecture_figures
        from neurobench.experiment.evaluate import count

        begun = self.compilation.working_time()
        with self.ledger.phase("count"):
            counted, undefined = count(self.plan.model, self.learner, self.splits.test, energies(self.plan))
            modelled, no_model = architecture_figures(self.plan, self.learner, self.splits.test)
        self.seconds["count"] = self.compilation.working_time() - begun
        numbers, failed = numbers_of({**counted, **modelled}, "the count of operations")
        return numbers, {**undefined, **no_model, **failed}

    def _baselines(self) -> dict[str, float]:
        from neurobench.experiment.baselines import baselines

        with phase("fitting a baseline"):
            return baselines(self.splits)

    def _draw(self, loop: Loop, evaluation: Evaluation) -> None:
        """Draw the figures. The measured result remains valid even if they cannot be drawn."""
        from neurobench.experiment.drawing import figures_of

        try:
            with phase("drawing figures"):
                drawn = figures_of(self.plan, self.learner, self.splits, loop.record, evaluation, self.ledger)
                for name, files in rendered_files(drawn, self.plan.run.figures, self.renderer):
                    self.folder.save_figure(name, files)
        except OSError:  # a full disk would prevent writing the result as well: the run must be resumed
            raise
        except (Exception, SystemExit) as error:
            if is_stop(error):
                raise
            self.folder.log(error)
            story = self.folder.path / "run.log"
            sentence = (
                f"figures could not be drawn ({type(error).__name__}: {error}); the result is not affected. See {story}"
            )
            warnings.warn(scrubbed(sentence), stacklevel=1)


def _now() -> str:
    return datetime.now().astimezone().isoformat()
