"""Progress display during training: a live bar on a terminal or in a notebook, elsewhere one plain line per epoch; and
the run's log."""

from __future__ import annotations

import html
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from neurobench.config.secrets import scrubbed
from neurobench.metrics.statistics import means
from neurobench.phases import innermost, phase
from neurobench.storage.provenance import command

log = logging.getLogger(__name__)


class Meter(Protocol):
    """Display of what the loop reports of training."""

    def begin(self, epochs: int, per_epoch: int, done_epochs: int, done_batches: int) -> None: ...

    # samples seen in this epoch, figures summed over them, seconds spent on them
    def batch(self, samples: int, sums: Mapping[str, float], seconds: float) -> None: ...

    def epoch(self, row: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


TIMES = ("epoch", "seconds", "elapsed", "samples_per_s")


def figures_line(row: Mapping[str, Any]) -> str:
    """An epoch's row as text."""
    shown = {key: value for key, value in row.items() if key not in TIMES}
    words = [f"{key.replace('_', ' ')} {value:.4g}" for key, value in shown.items()]
    elapsed = [f"{row['elapsed']:.1f} s"] if "elapsed" in row else []  # since training began
    return "  ".join([f"epoch {row['epoch']}", *words, f"{row['samples_per_s']:,.0f} samples/s", *elapsed])


def _numbered(row: Mapping[str, Any], epochs: int) -> str:
    return figures_line(row).replace(f"epoch {row['epoch']}", f"epoch {row['epoch']}/{epochs}", 1)


TRAINING = "training"  # name of the phase


class PlainMeter:
    """Meter of one line per epoch, for logs, pipes and machines; the phase shows progress within a long epoch."""

    def __init__(self, console: Console):
        self.console, self.epochs, self.open = console, 0, ExitStack()

    def begin(self, epochs: int, per_epoch: int, done_epochs: int, done_batches: int) -> None:
        self.epochs = epochs
        left = (epochs - done_epochs) * per_epoch - done_batches
        self.phase = self.open.enter_context(phase(TRAINING, left))
        if done_epochs or done_batches:
            self.console.print(f"resumed after {done_epochs} epochs and {done_batches} batches", highlight=False)

    def batch(self, samples: int, sums: Mapping[str, float], seconds: float) -> None:
        self.phase.advance()

    def epoch(self, row: Mapping[str, Any]) -> None:
        line = _numbered(row, self.epochs)
        self.console.print(line, highlight=False, soft_wrap=True)
        log.info(line)

    def close(self) -> None:
        self.open.close()


class _Figures(ProgressColumn):
    """Column of the figures of the epoch so far, or the current phase if another one runs (compiling, validation)."""

    def render(self, task: Task) -> Text:
        current = innermost()
        busy = current is not None and current.name != TRAINING
        return Text(f"{current.name} {current.times()}" if current and busy else task.fields["figures"])


class LiveMeter:
    """A bar with epoch, the learner's figures (loss, accuracy), samples/s and time left."""

    def __init__(self, console: Console):
        self.plain = PlainMeter(console)
        bar = (TextColumn("{task.description}"), BarColumn(bar_width=12), _Figures())
        times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
        self.progress = Progress(*bar, *times, console=console, transient=True, refresh_per_second=5)

    def begin(self, epochs: int, per_epoch: int, done_epochs: int, done_batches: int) -> None:
        self.plain.begin(epochs, per_epoch, done_epochs, done_batches)
        self.epochs, self.done = epochs, done_epochs
        done = done_epochs * per_epoch + done_batches
        self.task = self.progress.add_task(self._title(), total=epochs * per_epoch, completed=done, figures="")
        self.progress.start()

    def _title(self) -> str:
        return f"epoch {min(self.done + 1, self.epochs)}/{self.epochs}"

    def batch(self, samples: int, sums: Mapping[str, float], seconds: float) -> None:
        words = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in means(sums, samples).items()]
        words.append(f"{samples / seconds:,.0f} samples/s")
        self.plain.batch(samples, sums, seconds)
        self.progress.update(self.task, advance=1, description=self._title(), figures="  ".join(words))

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.done = row["epoch"]
        self.plain.epoch(row)

    def close(self) -> None:
        self.progress.stop()
        self.plain.close()


class CellOutput:
    """Output below a notebook's cell whose single line is replaced by the next."""

    def __init__(self) -> None:
        from IPython.display import HTML, display  # installed wherever a notebook runs

        self.html, self.handle = HTML, display(HTML(""), display_id=True)

    def show(self, line: str, done: float | None = None) -> None:
        """Show a line. `done`: the completed part, in [0, 1], shown as a bar."""
        bar = "" if done is None else f'<progress value="{done:.4f}" max="1"></progress> '
        self.handle.update(self.html(f"<pre>{bar}{html.escape(line)}</pre>"))


class NotebookMeter:
    """The bar and figures of LiveMeter in one line below the cell; the last epoch's figures stay."""

    def __init__(self) -> None:
        self.output = CellOutput()

    def begin(self, epochs: int, per_epoch: int, done_epochs: int, done_batches: int) -> None:
        self.epochs, self.batches = epochs, epochs * per_epoch
        self.done_epochs, self.done = done_epochs, done_epochs * per_epoch + done_batches
        self.shown = 0.0

    def batch(self, samples: int, sums: Mapping[str, float], seconds: float) -> None:
        self.done += 1
        if time.monotonic() - self.shown > 0.2:
            self.shown = time.monotonic()
            row = {"epoch": self.done_epochs + 1, **means(sums, samples), "samples_per_s": samples / seconds}
            self.output.show(self._line(row), self.done / self.batches)

    def epoch(self, row: Mapping[str, Any]) -> None:
        self.done_epochs = row["epoch"]
        self.output.show(self._line(row), self.done / self.batches)
        log.info(self._line(row))

    def _line(self, row: Mapping[str, Any]) -> str:
        return _numbered(row, self.epochs)

    def close(self) -> None:
        pass


def meter_for(console: Console) -> Meter:
    """Meter for a console: a live bar on a terminal or in a notebook, plain lines elsewhere."""
    if console.is_jupyter and not console.quiet:
        return NotebookMeter()
    return LiveMeter(console) if console.is_terminal else PlainMeter(console)


def line_printer(console: Console) -> Callable[[str], None]:
    """Return a function that prints line after line; in a notebook each replaces the one before."""
    if console.is_jupyter and not console.quiet:
        return CellOutput().show
    return lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True)


class _LogFile(logging.FileHandler):
    """A log that lacks the lines for which a disk had no room: the files that matter report it, and end the run."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def log_file(path: Path, console: Console) -> Iterator[None]:
    """Context manager: log to run.log; a warning goes to the log and, as one line, to the console."""
    handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("neurobench")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    before = warnings.showwarning

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        said = scrubbed(str(message))
        log.warning("%s: %s (%s:%s)", category.__name__, said, filename, lineno)
        console.print(f"warning: {said}", highlight=False, soft_wrap=True)

    warnings.showwarning = show
    try:
        log.info("command: %s", command())
        yield
    finally:
        warnings.showwarning = before
        root.removeHandler(handler)
        handler.close()
