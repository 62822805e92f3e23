"""Ends of runs that did not finish: what their folder records, and the message to the user."""

from __future__ import annotations

from contextlib import suppress

from neurobench.config.errors import FAILED, UserError
from neurobench.config.secrets import scrubbed
from neurobench.storage.folder import RunFolder


class RunFailed(UserError):
    """Error: the run began and did not finish. Its folder says why."""

    exit_code = FAILED


class RunInterrupted(UserError):
    """Error: the run was stopped and can be resumed from its checkpoint."""

    exit_code = 130  # as shells report Ctrl-C
    stops_sweep = True


def interrupted(folder: RunFolder, what: str) -> RunInterrupted:
    folder.update(status="interrupted")
    how = "with the same command and --resume, in Python with resume=True"
    return RunInterrupted(f"{what}. Nothing is lost: resume {folder.path} {how}.")


def failure(folder: RunFolder, error: BaseException) -> RunFailed:
    """Record the failure of a run, and return the error with a message for the user."""
    from neurobench.data.dataset import DataError
    from neurobench.models.learner import Divergence

    kind = type(error).__name__
    if "LinAlgError" in kind or isinstance(error, FloatingPointError):
        error = Divergence(f"diverged: {error}. Try a smaller learning rate.")
    folder.update(status="failed", error=scrubbed(f"{kind}: {error}"))
    sentence = str(error) if isinstance(error, UserError | DataError | Divergence) else f"{kind}: {error}"
    with suppress(OSError):  # a full disk
        folder.log(error)
        sentence += f"\nThe traceback is in {folder.path / 'run.log'}"
    return RunFailed(scrubbed(f"the run failed: {sentence}"))
