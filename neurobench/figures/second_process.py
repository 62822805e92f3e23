"""A second process that draws figures on an otherwise idle core while this process draws the others.

Without one, if it fails or if it would give a warning, the figure is drawn in this process: files, errors and
warnings are those of one process. Nothing of matplotlib is imported here before the second process has figures to draw.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from neurobench.figures.drawing import Drawing
from neurobench.process import importing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROGRAM = "from neurobench.figures.second_process import serve; serve()"
PATIENCE = 0.5  # s to wait for a figure of the second process when nothing else is left to do; then it is drawn here
Files = dict[str, bytes]  # files of one figure, by kind
Surroundings = tuple[Mapping[Any, Any], list[str]]  # the user's settings, and fonts in matplotlib's order


class Refused(Exception):
    """Error of a figure that the second process would draw differently from this one."""


class Answer(NamedTuple):
    files: Files
    surroundings: bytes  # Surroundings in which they were drawn, pickled
    # The thread that receives an answer must not import modules of matplotlib, as unpickling settings does: the main
    # thread may be importing them, and Python resolves a deadlock of the two by an ImportError.


class Renderer:
    """Interface to the second process: a queue of figures, sent to it one at a time."""

    def __init__(self) -> None:
        """Start the process. Raises OSError if that fails."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},  # the same modules as here
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C reaches only this process, which ends the other
        )
        self._queue = ThreadPoolExecutor(1)
        self._queue.submit(self._answer)  # wait until it is ready; until then every figure can be cancelled

    def submit(self, figure: Figure | Drawing, vector: str) -> Future[Answer]:
        """Queue a figure. Settings go with it if this process has matplotlib, and so may have changed them."""
        surroundings = _surroundings() if "matplotlib" in sys.modules else None
        return self._queue.submit(self._ask, surroundings, figure, vector)

    def close(self) -> None:
        self._process.kill()
        self._queue.shutdown(cancel_futures=True)
        with suppress(BrokenPipeError), self._process:  # closes the pipes and waits
            pass

    def _ask(self, surroundings: Surroundings | None, figure: Figure | Drawing, vector: str) -> Answer:
        if not isinstance(figure, Drawing) and figure.canvas.manager is not None:
            raise Refused  # a figure of pyplot, which would open a window in the second process
        request = pickle.dumps((surroundings, figure, vector), pickle.HIGHEST_PROTOCOL)
        assert self._process.stdin is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()
        answer: Answer | None = self._answer()
        if answer is None:
            raise Refused
        return answer

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)


@contextmanager
def second_process(wanted: bool) -> Iterator[Renderer | None]:
    """Context manager: the second process, ready after half a second, alive until the end of the block; or None if it
    is not wanted or cannot be started."""
    renderer = None
    if wanted:
        with suppress(OSError):
            renderer = Renderer()
    try:
        yield renderer
    finally:
        if renderer is not None:
            renderer.close()


def rendered_files(
    figures: Iterable[tuple[str, Figure | bytes | Drawing]], vector: str, renderer: Renderer | None
) -> Iterator[tuple[str, Files]]:
    """Yield names and files once all figures are known; see `files_of`. The second process draws from the first figure
    forwards, this one from the last figure backwards."""
    queued: dict[str, tuple[Figure | bytes | Drawing, Future[Answer] | None]] = {}
    for name, figure in figures:
        is_sent = renderer is not None and not isinstance(figure, bytes)
        queued[name] = figure, renderer.submit(figure, vector) if is_sent else None  # type: ignore[union-attr,arg-type]
    with importing("matplotlib"):  # only now, while the second process draws the first figure
        from neurobench.figures.style import files_of
    begun_there = {}
    for name, (figure, future) in reversed(queued.items()) if renderer else queued.items():
        if future is None or future.cancel():
            yield name, files_of(figure, vector)
        else:
            begun_there[name] = figure, future
    for name, (figure, future) in begun_there.items():
        answer = None
        with suppress(Exception):  # an error of the second process occurs again here, or does not matter
            answer = future.result(PATIENCE)
        valid = answer is not None and pickle.loads(answer.surroundings) == _surroundings()
        yield name, answer.files if answer is not None and valid else files_of(figure, vector)


def _surroundings() -> Surroundings:
    """The user's settings and fonts, on which the look of a figure depends besides the figure itself."""
    from matplotlib import rcParams
    from matplotlib.font_manager import fontManager

    settings = {key: value for key, value in rcParams.copy().items() if not key.startswith("backend")}
    return settings, [font.fname for font in fontManager.ttflist]


def serve() -> None:
    """Main loop of the second process: draw figures until its input ends, at a priority below all other processes."""
    if hasattr(os, "nice"):
        os.nice(19)
    warnings.showwarning = _refuse
    handler = logging.Handler(logging.WARNING)
    handler.emit = _refuse  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # for anything that prints
    import neurobench.figures.style  # noqa: F401

    answer = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            pickle.dump(answer, answers)
            answers.flush()
            answer = _drawn(pickle.load(requests))


def _drawn(request: bytes) -> Answer | None:
    """Files of the requested figure; None if drawing fails or gives a warning."""
    from matplotlib import rcParams
    from matplotlib.font_manager import fontManager

    from neurobench.figures.style import files_of

    with suppress(Exception):
        wanted, figure, vector = pickle.loads(request)
        if wanted is not None:
            settings, fonts = wanted
            dict.update(rcParams, settings)  # validated when they were set
            here = _surroundings()[1]
            if here != fonts and sorted(here) == sorted(fonts):
                # Of equally suitable fonts the first is taken. Processes that make matplotlib's list of fonts at the
                # same time, the first time on a computer, order it differently.
                fontManager.ttflist.sort(key=lambda font: fonts.index(font.fname))
        return Answer(files_of(figure, vector), pickle.dumps(_surroundings()))
    return None


def _refuse(*said: Any, **more: Any) -> NoReturn:
    """Raise Refused in place of a warning, which belongs on the screen and in the log of the run's process."""
    raise Refused(said)
