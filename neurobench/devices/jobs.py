"""Devices that answer later: a job is sent once, its id written down, and its answer waited for or fetched by a later
session of the run.

A job has a key, a digest of all that is asked; a session that repeats what an earlier one asked, as a resumed run
does, meets the same keys and finds the ids or answers in the run's journal. Before a job is sent the journal says so,
with a tag that the device is given too: where a kill, or a lost reply, falls between sending and writing the id down,
the device is asked for the job with that tag before another is sent.
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
from neurobench.phases import phase
from neurobench.storage.journal import FILE, Attempt, Journal

ATTEMPTS = 3  # at a job that comes to nothing
TRIES = 6  # to reach a device, pauses doubling from the first
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # s between questions


class JobGone(Exception):
    """The device failed to run a job, or will not; it says why."""


class JobUnknown(Exception):
    """The account knows no job of that id: either the device lost it, or another account sent it."""


class Unreachable(Exception):
    """No answer, now: whether the device did what was asked is not known."""


class Queue(Protocol):
    """A device as its vendor offers it. Each of the three may raise Unreachable."""

    def submit(self, content: Any, tag: str) -> str:
        """Send a job that can be found by its tag. Returns the id that the device gives it."""

    def find(self, tag: str) -> str | None:
        """Id of the job that was sent with a tag; None where there is none. It is asked after a `submit` of whose end
        nothing is known, so it must know a job as soon as the device has taken it."""

    def collect(self, job: str) -> np.ndarray | None:
        """The answer, or None while there is none yet. Raises JobGone, or JobUnknown."""


class Request(NamedTuple):
    key: str  # a digest of all that is asked
    content: Any  # what the queue takes
    shots: int
    seconds: float  # modelled, on the device
    check: Callable[[Any], np.ndarray]  # of the answer; raises UserError with the device's name
    blank: Callable[[], np.ndarray]  # an answer that says nothing, for a rehearsal


class Limits(NamedTuple):
    """Of a whole run; None: no limit."""

    max_shots: int | None
    max_seconds: float | None


class Queued(UserError):
    """The run ends here, its jobs are under way; a later session fetches the answers."""

    exit_code = QUEUED

    def kept_in(self, folder: Path) -> Queued:
        """The same, saying where the ids of the jobs are and what fetches their answers."""
        command = f"neurobench poll {shlex.quote(str(folder))}"
        return Queued(f"{self}. Their ids are kept in {folder}. To fetch the answers: {command}")


class Jobs:
    """What the devices of a run have under way."""

    def __init__(self, journal: Journal, wait: bool = True, rehearsed: bool = False):
        """`wait`: for answers; else Queued is raised while one is missing. `rehearsed`: nothing is sent, and answers
        are blank."""
        self.journal, self.wait, self.rehearsed = journal, wait, rehearsed

    def answers(self, device: str, queue: Queue, requests: Sequence[Request], limits: Limits) -> list[np.ndarray]:
        """The answer to each request, all sent before the first is waited for.

        Raises UserError where limits would be exceeded, before anything is sent, and where a device cannot be reached
        or gives a job up too often; Queued.
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
        """Raises UserError where what is still to be sent exceeds a limit, together with what was sent before."""
        lasts = [(request, self.journal.last(request.key)) for request in requests]
        fresh = [request for request, last in lasts if last is None or not last.is_open]
        more = sum(request.shots for request in fresh), sum(request.seconds for request in fresh)
        for (name, most), spent, amount in zip(limits._asdict().items(), self.journal.spent(), more, strict=True):
            if fresh and most is not None and spent + amount > most:
                what, one = name.removeprefix("max_"), len(fresh) == 1
                raise UserError(
                    f"{device}: {name}={most:g} does not suffice: {spent:g} {what} are spent, and "
                    f"{len(fresh)} more {'job takes' if one else 'jobs take'} {amount:g}. "
                    f"{'It was' if one else 'They were'} not sent. Set a higher {name} and go on with --resume."
                )

    def _send(self, device: str, queue: Queue, request: Request) -> Attempt:
        """See to it that the device has the job, once."""
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
        """Where the device does not answer it may have taken the job all the same: it is asked before the next try."""
        tried = False

        def submit() -> str:
            nonlocal tried
            if tried and (job := queue.find(tag)) is not None:
                return job
            tried = True
            return queue.submit(request.content, tag)

        return self._reach(device, submit)

    def _collected(self, device: str, queue: Queue, request: Request, limits: Limits) -> bool:
        """Whether its answer is there by now, and then stored. A job that came to nothing is sent once more."""
        attempt = self._send(device, queue, request)
        assert attempt.id is not None
        try:
            answer = self._reach(device, partial(queue.collect, attempt.id))
        except JobGone as gone:
            self.journal.drop(request.key, str(gone))
            if len(self.journal.attempts[request.key]) >= ATTEMPTS:
                raise UserError(f"{device} gave up a job {ATTEMPTS} times, at last {attempt.id}: {gone}") from None
            self._require(device, [request], limits)
            return False
        except JobUnknown:
            self._find_again(device, queue, request.key, attempt)
            return False
        if answer is None:
            return False
        self.journal.store(request.key, request.check(answer))
        return True

    def _find_again(self, device: str, queue: Queue, key: str, attempt: Attempt) -> None:
        """Raises UserError where the account knows no job of its tag either. It is not sent again unasked: with
        another account it would be paid for twice."""
        job = self._reach(device, partial(queue.find, attempt.tag))
        if job is None:
            raise UserError(
                f"this account knows no job {attempt.id} of {device}: is it the account that sent it? With that one go "
                f"on with --resume. Where the job is lost, delete the line of {FILE} in the run's folder that says "
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
        raise UserError(f"{device} cannot be reached ({reason}). No job is lost: go on later with --resume.")

    def _queued(self, device: str, missing: Sequence[Request]) -> Queued:
        ids = [last.id for request in missing if (last := self.journal.last(request.key)) and last.id]
        named = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        return Queued(f"{_jobs(len(missing))} queued at {device}: {named}")


def _jobs(count: int) -> str:
    return f"{count} job{'' if count == 1 else 's'}"


@contextmanager
def stopped_at_once() -> Iterator[None]:
    """Within it Ctrl-C and `kill` end the run where it waits: no update is half done. Elsewhere they may be put off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            for number, handler in before.items():
                signal.signal(number, handler)
