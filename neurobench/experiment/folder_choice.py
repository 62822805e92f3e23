"""Choice of the folder in which a plan is computed: a new one, or that of an unfinished run to resume."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console

from neurobench.config.errors import UserError
from neurobench.config.secrets import scrubbed_values
from neurobench.data.dataset import stamp
from neurobench.experiment.build import load_splits
from neurobench.experiment.plan import Plan
from neurobench.storage.atomic import write_bytes
from neurobench.storage.folder import RunFolder, choosing
from neurobench.storage.store import find_run, same_setting


def nothing_to_resume(plans: Sequence[Plan]) -> str | None:
    """Message for a request to resume plans if no run of any of their configurations exists; or None.

    A sweep resumes whether or not that is requested, so the verbs print it.
    """
    if not plans or any(same_setting(Path(plan.run.outputs), plan.run.name, plan.config_hash) for plan in plans):
        return None
    outputs = ", ".join(dict.fromkeys(plan.run.outputs for plan in plans))
    if len(plans) == 1:
        return (
            f"nothing to resume: {outputs}/{plans[0].run.name} contains no run of this configuration; a new one begins"
        )
    return f"nothing to resume: {outputs} contains no run of any of these {len(plans)} configurations; new ones begin"


def folder_for(plan: Plan, console: Console, into: RunFolder | None) -> tuple[RunFolder, bool]:
    """Return a new folder, or with `resume` or `into` the one to resume; and whether that is already finished.

    Raises InUse if another process is computing the same run.
    """
    if into is not None:
        return _taken(into), False
    if not plan.run.resume:
        return _new_folder(plan), False
    outputs = Path(plan.run.outputs)
    with choosing(outputs, plan.run.name, plan.config_hash):
        runs = same_setting(outputs, plan.run.name, plan.config_hash)
        same = [
            folder
            for folder in runs
            if _started_from_the_same(plan, folder, console) and _read_the_same(plan, folder, console)
        ]
        unfinished = [folder for folder in same if not folder.is_finished]
        if unfinished:
            folder = _taken(unfinished[0])
            write_bytes(folder.path / "config.yaml", _stored(plan).encode())  # `poll` applies the newest limits
            folder.update(**plan.choices)
            return folder, False
        return (same[0], True) if same else (_new_folder(plan), False)


def _taken(folder: RunFolder) -> RunFolder:
    folder.acquire()
    folder.clean()
    return folder


def _new_folder(plan: Plan) -> RunFolder:
    initial = _initial(plan)  # before the run itself can be the latest
    folder = RunFolder.create(Path(plan.run.outputs), plan.run.name, plan.config_hash, _stored(plan))
    hashes = {"config_hash": plan.config_hash, "setting_hash": plan.setting_hash}
    folder.update(status="running", **hashes, **initial, **plan.choices)
    return folder


def _stored(plan: Plan) -> str:
    """Content of config.yaml."""
    trackers = scrubbed_values(plan.config.get("logger") or {})  # the address of a server may contain a password
    return yaml.safe_dump({**plan.config, "logger": trackers}, sort_keys=False, allow_unicode=True)


def initial_sha256(plan: Plan) -> str | None:
    """sha256 of the network that training would start from now, to be compared with that of an earlier run of the plan.

    None if it starts from scratch, if that network is missing, or if its name means a run of the plan by now.
    """
    return None if plan.would_start_from_itself else _initial(plan).get("initial_sha256")


def _initial(plan: Plan) -> dict[str, str]:
    """sha256 of the file or checkpoint that training starts from, and which run that is of, for run.json."""
    reference = plan.start_from
    if reference is None:
        return {}
    if reference.endswith(plan.model.initial_files):
        file, of = Path(reference), {}
    else:
        outputs = Path(plan.run.outputs)
        try:
            run = find_run(outputs, reference, finished=True)
        except UserError:
            return {}
        below = run.path.parent.parent.resolve() == outputs.resolve()
        file, of = run.path / "checkpoint.pt", {"initial_run": run.label if below else str(run.path.resolve())}
    if not file.is_file():
        return {}
    with file.open("rb") as opened:
        return {"initial_sha256": hashlib.file_digest(opened, "sha256").hexdigest(), **of}


def _started_from_the_same(plan: Plan, folder: RunFolder, console: Console) -> bool:
    """Whether a run started from what the file or run of `model.init_from` now contains."""
    before, now = folder.record().get("initial_sha256"), initial_sha256(plan)
    if None in (before, now) or before == now:
        return True
    line = f"{folder.path} started from another network than {plan.start_from} now contains: it is left as it is"
    console.print(f"{line}, and a new run begins", highlight=False, soft_wrap=True)
    return False


def _read_the_same(plan: Plan, folder: RunFolder, console: Console) -> bool:
    """Whether a run read the data now at the plan's data root. If it did not, nothing of the two is mixed."""
    read = folder.record().get("data", {})
    if plan.root is None or read.get("stamp") in (None, stamp(plan.root)):
        return True
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # on data: a run that reads them gives them
        now = load_splits(plan)
    if now.sha256 == read["sha256"]:
        return True
    line = f"{folder.path} read different data than {plan.root} now contains: it is left as it is, and a new run begins"
    console.print(line, highlight=False, soft_wrap=True)
    return False
