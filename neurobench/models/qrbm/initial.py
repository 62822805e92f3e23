"""Where a machine starts from: chance, a file, or the machine of another run."""

from __future__ import annotations

from pathlib import Path

import torch

from neurobench.config.errors import UserError
from neurobench.problems.bqm import read_file
from neurobench.problems.rbm import RBM
from neurobench.runs.finished import learned

FILES = (".bqm", ".json")


def drawn(visible: int, hidden: int, sd: float, seed: int, device: torch.device) -> RBM:
    """W ~ N(0, sd), a = b = 0."""
    W = torch.randn(visible, hidden, generator=torch.Generator().manual_seed(seed)) * sd
    return RBM(W.to(device), torch.zeros(visible, device=device), torch.zeros(hidden, device=device))


def loaded(reference: str, visible: int, hidden: int) -> RBM:
    """The machine of a file or a run. Raises UserError where there is none, or one of other sizes."""
    rbm = _of_file(Path(reference), visible) if reference.endswith(FILES) else _of_run(reference)
    found = (len(rbm.a), len(rbm.b))
    if found != (visible, hidden) or rbm.W.shape != found:
        raise UserError(
            f"model.init_from={reference} holds {found[0]} visible and {found[1]} hidden units; this run needs "
            f"{visible} and {hidden}. Set model.n_hidden and model.downsample as they were there."
        )
    if not all(bool(torch.isfinite(part).all()) for part in rbm):
        raise UserError(f"model.init_from={reference} holds numbers that are not finite; choose another one.")
    return rbm


def _of_file(path: Path, visible: int) -> RBM:
    if not path.is_file():
        raise UserError(f"model.init_from={path}: there is no such file.")
    try:
        return read_file(path.read_bytes(), visible)
    except (ValueError, KeyError, TypeError) as fault:
        raise UserError(
            f"model.init_from={path} is no machine of {visible} visible units: {fault}. "
            "`neurobench export RUN --format bqm` writes one."
        ) from fault


def _of_run(reference: str) -> RBM:
    run, kept = learned(reference)
    if "rbm" not in kept:
        raise UserError(f"model.init_from={reference}: {run.path} holds no machine of a QRBM.")
    return RBM(**kept["rbm"])
