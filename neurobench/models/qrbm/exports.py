"""Machines as files: written for other programs, and read again as what training goes on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from neurobench.config.errors import UserError
from neurobench.models.learner import Initial
from neurobench.models.qrbm.classifier import MachineClassifier
from neurobench.problems.bqm import files, read_file
from neurobench.problems.rbm import RBM


def exports(learner: MachineClassifier) -> Mapping[str, Callable[[], bytes]]:
    """Format -> what makes the file's bytes."""
    return files(learner.rbm)


def initial_rbm(initial: Initial, visible: int, hidden: int) -> RBM:
    """The machine of a file or of another run's learner. Raises UserError where it is none, or one of other sizes."""
    source = f"model.init_from={initial.reference}"
    rbm = _of_file(initial, visible) if initial.state is None else _of_run(initial)
    shape = (len(rbm.a), len(rbm.b))
    if shape != (visible, hidden) or rbm.W.shape != shape:
        raise UserError(
            f"{source} holds {shape[0]} visible and {shape[1]} hidden units; this run needs {visible} and {hidden}. "
            "Set model.n_hidden and model.downsample as they were there."
        )
    if not all(bool(torch.isfinite(part).all()) for part in rbm):
        raise UserError(f"{source} holds numbers that are not finite; choose another one.")
    return rbm


def _of_file(initial: Initial, visible: int) -> RBM:
    try:
        return read_file(initial.path.read_bytes(), visible)
    except (ValueError, KeyError, TypeError) as fault:
        raise UserError(
            f"model.init_from={initial.reference} is no machine of {visible} visible units: {fault}. "
            "`neurobench export RUN --format bqm` writes one."
        ) from fault


def _of_run(initial: Initial) -> RBM:
    stored = (initial.state or {}).get("rbm")
    if stored is None:
        raise UserError(f"model.init_from={initial.reference}: {initial.path} holds no machine of a QRBM.")
    return RBM(**stored)
