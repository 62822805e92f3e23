"""A single run, executed by `run` or opened by `load`, and all of its results."""

from __future__ import annotations

import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurobench.api.html import figure, shown
from neurobench.api.overrides import Word, console_for, folder_of, override_words, recorded_as
from neurobench.api.torch_state import usual_torch
from neurobench.config.errors import UserError
from neurobench.config.home import home_path
from neurobench.report.summary import headline, pictures
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import default_outputs, find_run, summary

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from neurobench.data.dataset import Splits
    from neurobench.experiment.plan import Plan
    from neurobench.experiment.reload import Loaded
    from neurobench.models.learner import Learner


def run(*overrides: Word, config_dir: str | Path | None = None, progress: bool = True, **keys: Any) -> Run:
    """Load, train, evaluate, record and draw, as `neurobench run` does.

    `overrides` and `keys` are those of the command line: `run("model=qrbm", {"model.lr": 0.1}, seed=1)`. `config_dir`:
    a folder of YAML files of your own. Without `progress` nothing is shown; run.log in the run's folder has it all. The
    threads of torch, numba and BLAS stay as the run sets them (`threads`). Runs in several Python threads are computed
    one after the other.

    Raises ConfigError with every fault before anything is computed, and UserError if the run began and failed.
    """
    from neurobench.experiment.execute import execute
    from neurobench.experiment.folder_choice import nothing_to_resume
    from neurobench.experiment.request import plan_of

    words, folder = override_words(overrides, keys), folder_of(config_dir)
    plan, note = plan_of(words, folder)
    console = console_for(progress)
    for sentence in (note, nothing_to_resume([plan]) if plan.run.resume else None):
        if sentence:
            console.print(f"note: {sentence}", soft_wrap=True)
    with recorded_as("run", words, folder), usual_torch():
        return Run(execute(plan, console))


def load(reference: str | Path = "latest", outputs: str | Path | None = None, data: str | Path | None = None) -> Run:
    """Find a past run by its path, id or the beginning of it, name, or "latest": the newest one that finished.

    `outputs`: the folder of all runs; `data`: where the run's data are now, if they have moved. Raises UserError if
    there is no such run.
    """
    where = default_outputs() if outputs is None else Path(home_path(str(outputs)))
    root = None if data is None else home_path(str(data))
    return Run(find_run(where, home_path(str(reference)), finished=True), root)


class Run:
    """A run's configuration and results. Files are read on access."""

    def __init__(self, folder: RunFolder, data: str | None = None):
        # Absolute, since a notebook may change the current folder before it reads the files
        self.folder, self._data = RunFolder(folder.path.absolute()), data

    @property
    def path(self) -> Path:
        return self.folder.path

    @property
    def name(self) -> str:
        """Label name/id, as `load` accepts it."""
        return self.folder.label

    @property
    def status(self) -> str:
        """One of "finished", "failed", "interrupted", "running", "queued", "pruned", "killed", or "damaged: " with the
        reason."""
        return self.folder.status

    @property
    def summary(self) -> dict[str, Any]:
        """Name, status, model, dataset, backend, encoder, scale, seed, overrides and metrics."""
        result = self.folder.result() if self.folder.is_finished else None
        return summary(self.name, self.status, self.folder.record(), result)

    @property
    def result(self) -> dict[str, Any]:
        """Contents of result.json. Raises UserError if the run did not finish."""
        result = self.folder.result()
        if result is None:
            raise UserError(
                f"{self.path} is '{self.status}' and has no result. Resume it: the same run with resume=True."
            )
        return result

    @property
    def metrics(self) -> dict[str, float]:
        """Figures of merit by name. Raises UserError if the run did not finish."""
        return dict(self.result["metrics"])

    @property
    def config(self) -> dict[str, Any]:
        """Whole configuration, as plain values."""
        return self.folder.config()

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row per epoch: epoch, train_... and validation_... figures, seconds, elapsed (for all epochs so far and the
        measurements between them), samples_per_s; with training.test_by_epoch also test_... figures."""
        return self.folder.metrics()

    @property
    def figures(self) -> dict[str, Picture]:
        """Figures by name; each displays itself in a notebook."""
        return {path.stem: Picture(path) for path in pictures(self.path)}

    @cached_property
    def _loaded(self) -> Loaded:
        from neurobench.experiment.reload import changed_code, load_learner

        with usual_torch():
            loaded = load_learner(self.folder, root=self._data)
        if changed := changed_code(self.folder, loaded.plan):
            warnings.warn(changed, stacklevel=4)
        return loaded

    @property
    def learner(self) -> Learner:
        """The trained model, from the checkpoint. Raises UserError if the run did not finish."""
        return self._loaded.learner

    @property
    def plan(self) -> Plan:
        """The checked configuration: the specs of model, data set, encoders and devices."""
        return self._loaded.plan

    def data(self) -> Splits:
        """Train, validation and test splits as the model saw them, encoded. Raises UserError if they have changed
        since."""
        loaded = self._loaded
        with usual_torch():
            return loaded.splits()

    def scores(self, x: Any) -> np.ndarray:
        """Scores (N, n_classes) float32, highest for the predicted class. `x`: N samples in the layout of the model or
        of its data set: vectors (N, D), images (N, C, H, W), numbers in [0, 1], or recordings (`Events`).

        Raises UserError if the samples have neither layout.
        """
        return self._scores(x).float().numpy()

    def predict(self, x: Any) -> np.ndarray:
        """Predicted class of each sample, (N,) int64; `x` as in `scores`."""
        return self._scores(x).argmax(1).numpy()

    def _scores(self, x: Any) -> Tensor:
        """Scores as the model computes them, by which its test accuracy is counted: some in float64 or bfloat16."""
        from neurobench.experiment.evaluate import scores_of
        from neurobench.experiment.samples import as_read

        loaded = self._loaded
        with usual_torch():
            return scores_of(loaded.learner, as_read(x, loaded.plan), loaded.plan.task.n_classes)

    def __getstate__(self) -> dict[str, Any]:
        """State to pickle and copy: the folder, from which the trained model is loaded again."""
        return {name: value for name, value in vars(self).items() if name != "_loaded"}

    def __repr__(self) -> str:
        return f"<Run {self.name}: {headline(self.result) if self.folder.is_finished else self.status}>"

    def _repr_html_(self) -> str:
        return shown(self.folder, pictures(self.path))


class Picture:
    """A figure of a run: a PNG or GIF file that a notebook shows."""

    def __init__(self, path: Path):
        self.path = path

    def __repr__(self) -> str:
        return f"<Picture {self.path}>"

    def _repr_html_(self) -> str:
        return figure(self.path)
