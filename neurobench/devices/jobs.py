"""Devices that answer later: each job is sent once, its id recorded, and its answer awaited, or fetched by a later
session of the run.

A job has a key, a digest of its whole request; a process that repeats the requests of an earlier one, as a resumed run
does, computes the same keys and reads the ids or answers from the run's journal. Before a job is sent, the journal
records the intention and a tag, which is also sent to the device: if a kill, or a lost reply, falls between sending
the job and recording its id, the device is queried for the job with that tag before another is sent.
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from neurobench.config.errors import QUEUED, UserError
from neurobench.config.targets import own_options
from neurobench.phases import phase
from neurobench.process import stop_signals
from neurobench.storage.journal import FILE, Attempt, Journal, gone_line

ATTEMPTS = 3  # at a job that fails
TRIES = 6  # to reach a device, with pauses that double from FIRST_PAUSE
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # s between requests to a device
ROUNDING = 1e-11  # relative, of a sum of the seconds of many jobs


class JobGone(Exception):
    """The device failed or refused to run a job; the message gives its reason."""


class JobUnknown(Exception):
    """The account has no job with that id: either the device lost it, or another account sent it."""


class Unreachable(Exception):
    """The device does not answer for now; whether it carried out the request is unknown."""


class Queue(Protocol):
    """A vendor's device that takes jobs. Each of the three methods may raise Unreachable."""

    def submit(self, content: Any, tag: str) -> str:
        """Send a job, findable by its tag. Returns the id that the device assigns to it."""

    def find(self, tag: str) -> str | None:
        """Return the id of the job that was sent with a tag; None if there is none. Called after a `submit` whose
        outcome is unknown, so it must find a job as soon as the device has accepted it."""

    def collect(self, job: str) -> np.ndarray | None:
        """Return a job's answer, or None while there is none yet. Raises JobGone or JobUnknown."""


class Request(NamedTuple):
    key: str  # a digest of the whole request
    content: Any  # the job, in the queue's form
    shots: int
    seconds: float  # modelled time on the device
    check: Callable[[Any], np.ndarray]  # checks the answer; raises UserError with the device's name
    blank: Callable[[], np.ndarray]  # makes an uninformative answer, for a rehearsal


class Limits(NamedTuple):
    """Limits for a whole run; None: no limit."""

    max_shots: int | None
    max_seconds: float | None


def exceeds(amount: float, most: float) -> bool:
    """Whether an amount is more than its limit, by more than the rounding of its sum."""
    return amount > most * (1 + ROUNDING)


class Queued(UserError):
    """The run ends while its jobs are pending; a later process fetches the answers."""

    exit_code = QUEUED

    def kept_in(self, folder: Path) -> Queued:
        """Copy of this error that also says where the job ids are stored and which command fetches the answers."""
        command = shlex.join(["neurobench", "poll", *own_options(), str(folder)])
        return Queued(f"{self}. Their ids are stored in {folder}. To fetch the answers: {command}")


class Jobs:
    """The jobs that a run has under way at its devices."""

    def __init__(self, journal: Journal, wait: bool = True, rehearsed: bool = False):
        """`wait`: wait for answers; otherwise raise Queued if one is missing. `rehearsed`: send nothing and return
        blank answers."""
        self.journal, self.wait, self.rehearsed = journal, wait, rehearsed

    def answers(self, device: str, queue: Queue, requests: Sequence[Request], limits: Limits) -> list[np.ndarray]:
        """Return the answer to each request; all are sent before the first answer is awaited.

        Raises UserError if limits would be exceeded, before anything is sent, and if a device cannot be reached or
        gives up a job too often; Queued if an answer is missing and `wait` is False.
        """
        if self.rehearsed:
            return [request.check(request.blank()) for request in requests]
        if missing := [request for request in requests if self.journal.answer(request.key) is None]:
            self._fetch(device, queue, missing, limits)
        return [self._answer(request) for request in requests]

    def _fetch(self, device: str, queue: Queue, missing: Sequence[Request], limits: Limits) -> None:
        self._require(device, missing, limits)
        with phase(f"waiting for {_jobs(len(missing))} of {device}"), stopped_at_once():
            for request in missing:
                self._send(device, queue, request)
            pause = FIRST_PAUSE
            while missing := [request for request in missing if not self._collected(device, queue, request, limits)]:
                if not self.wait:
                    raise self._queued(device, missing)
                time.sleep(pause)
                pause = min(1.5 * pause, LONGEST_PAUSE)

    def _answer(self, request: Request) -> np.ndarray:
        answer = self.journal.answer(request.key)
        assert answer is not None
        return answer

    def _require(self, device: str, requests: Sequence[Request], limits: Limits) -> None:
        """Check the limits. Raises UserError if jobs to be sent, with those sent before, exceed one."""
        lasts = [(request, self.journal.last(request.key)) for request in requests]
        fresh = [request for request, last in lasts if last is None or not last.is_open]
        more = sum(request.shots for request in fresh), sum(request.seconds for request in fresh)
        for (name, most), spent, amount in zip(limits._asdict().items(), self.journal.spent(), more, strict=True):
            if fresh and most is not None and exceeds(spent + amount, most):
                what, one = name.removeprefix("max_"), len(fresh) == 1
                raise UserError(
                    f"{device}: {name}={most:g} is not enough: {spent:g} {what} are spent, and "
                    f"{len(fresh)} more {'job takes' if one else 'jobs take'} {amount:g}. "
                    f"{'It was' if one else 'They were'} not sent. Set a higher {name}"
                    f"{' and continue with --resume' if self.journal.folder else ''}."
                )

    def _send(self, device: str, queue: Queue, request: Request) -> Attempt:
        """Ensure that the device has the job exactly once."""
        last, job = self.journal.last(request.key), None
        if last is None or not last.is_open:
            last = self.journal.intend(request.key, request.shots, request.seconds)
        elif last.id is not None:
            return last
        else:
            job = self._reach(device, partial(queue.find, last.tag))
        if job is None:
            job = self._submit(device, queue, request, last.tag)
        self.journal.note(request.key, job)
        return last

    def _submit(self, device: str, queue: Queue, request: Request, tag: str) -> str:
        """Send a job. A device that did not answer may still have accepted it, so it is queried before each retry."""
        tried = False

        def submit() -> str:
            nonlocal tried
            if tried and (job := queue.find(tag)) is not None:
                return job
            tried = True
            return queue.submit(request.content, tag)

        return self._reach(device, submit)

    def _collected(self, device: str, queue: Queue, request: Request, limits: Limits) -> bool:
        """Whether the answer has arrived, and is then stored. A job that failed is sent again."""
        attempt = self._send(device, queue, request)
        assert attempt.id is not None
        try:
            answer = self._reach(device, partial(queue.collect, attempt.id))
        except JobGone as gone:
            self.journal.drop(request.key, str(gone))
            if (count := len(self.journal.attempts[request.key])) >= ATTEMPTS:
                raise UserError(f"{device} dropped a job {count} times, most recently {attempt.id}: {gone}") from None
            self._require(device, [request], limits)
            self._send(device, queue, request)  # now, since a run that does not wait ends before the next query
            return False
        except JobUnknown:
            self._find_again(device, queue, request.key, attempt)
            return False
        if answer is None:
            return False
        try:
            checked = request.check(answer)
        except UserError as fault:  # not resent automatically: it is paid for, and its decoding may be at fault
            if self.journal.folder is None:
                raise
            raise UserError(
                f"{fault} --resume fetches the answer to job {attempt.id} again. To send the job again instead, add "
                f"this line to {FILE} in the run's folder first: {gone_line(request.key, 'invalid answer')}"
            ) from fault
        self.journal.store(request.key, checked)
        return True

    def _find_again(self, device: str, queue: Queue, key: str, attempt: Attempt) -> None:
        """Look up a job by its tag. Raises UserError if the account has none. It is not resent automatically: if
        another account had sent it, it would be paid for twice."""
        job = self._reach(device, partial(queue.find, attempt.tag))
        if job is None:
            unknown = f"this account knows no job {attempt.id} of {device}"
            if self.journal.folder is None:
                raise UserError(f"{unknown}.")
            raise UserError(
                f"{unknown}: is it the account that sent it? With that one go on with --resume. Where the job is lost, "
                f"delete the line of {FILE} in the run's folder that says "
                '"event": "job" and this id: --resume then sends it again.'
            )
        if job != attempt.id:
            self.journal.note(key, job)

    def _reach(self, device: str, ask: Callable[[], Any]) -> Any:
        pause, reason = FIRST_PAUSE, ""
        for _ in range(TRIES):
            try:
                return ask()
            except Unreachable as error:
                reason = str(error)
            time.sleep(pause)
            pause *= 2
        remedy = "No job is lost: continue later with --resume" if self.journal.folder else "Try again later"
        raise UserError(f"{device} cannot be reached ({reason}). {remedy}.")

    def _queued(self, device: str, missing: Sequence[Request]) -> Queued:
        ids = [last.id for request in missing if (last := self.journal.last(request.key)) and last.id]
        named = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        return Queued(f"{_jobs(len(missing))} queued at {device}: {named}")


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """Context manager: Ctrl-C, `kill` and a closed terminal end the run at once; no update is half done. Elsewhere they
    may wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number, handler in before.items():
                signal.signal(number, handler)
