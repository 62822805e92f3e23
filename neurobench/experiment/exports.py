"""Files of a trained model in a run folder besides its checkpoint: the network in a format of its field, and the output
of its tutorial."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurobench.config.errors import UserError
from neurobench.config.targets import load
from neurobench.data.dataset import Splits
from neurobench.experiment.plan import Plan
from neurobench.models.learner import Finished, Learner, TrainingRecord
from neurobench.phases import phase
from neurobench.storage.atomic import write_bytes
from neurobench.storage.folder import PRINTOUT, RunFolder

log = logging.getLogger(__name__)


def write_exports(folder: RunFolder, plan: Plan, learner: Learner, best: Mapping[str, Any] | None) -> None:
    """Write NAME.SUFFIX of the network at the end of training and, if it was stored, NAME_best.SUFFIX of the best state
    by `training.monitor`. A file that cannot be written (an extra is missing, the format cannot express the network) is
    named in run.log."""
    if not plan.model.leaves:
        return
    last = learner.state_dict()
    if best is None or not plan.training.keep_best:
        _export(folder, plan, learner, "")
    elif _equal(best, last):  # the last epoch was the best
        _export(folder, plan, learner, "", "_best")
    else:
        _export(folder, plan, learner, "")
        last = copy.deepcopy(last)
        learner.load_state_dict(best)
        _export(folder, plan, learner, "_best")
        learner.load_state_dict(last)


def _equal(one: Any, other: Any) -> bool:
    """Whether two states of a learner are the same."""
    import torch

    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(each, other[key]) for key, each in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _export(folder: RunFolder, plan: Plan, learner: Learner, *suffixes: str) -> None:
    """Write each file, once under the name with each suffix."""
    assert plan.model.exports is not None
    formats = load(plan.model.exports)(learner)
    for kind, name in plan.model.leaves.items():
        files = [Path(name).with_stem(Path(name).stem + suffix) for suffix in suffixes]
        try:
            content = formats[kind]()
        except UserError as reason:
            for file in files:
                log.info("%s was not written: %s", file, reason)
        else:  # a full disk ends the run, which must then be resumed
            for file in files:
                write_bytes(folder.path / file, content)


def write_printout(
    folder: RunFolder,
    plan: Plan,
    learner: Learner,
    splits: Splits,
    record: TrainingRecord,
    metrics: Mapping[str, float],
) -> None:
    """Write the tutorial's output with this run's figures, if the model has any."""
    checkpoint = folder.load_checkpoint() if plan.model.printout else None
    if plan.model.printout is None or checkpoint is None:
        return
    with phase("writing the tutorial's output"):
        lines = load(plan.model.printout)(learner, Finished(splits, record, metrics, checkpoint["learner"]))
        write_bytes(folder.path / PRINTOUT, "".join(f"{line}\n" for line in lines).encode())
