"""The log of a run."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

log = logging.getLogger(__name__)


@contextmanager
def log_file(path: Path, console: Console) -> Iterator[None]:
    """Log to run.log; a warning goes there and, as one line, to the person."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("neurobench")
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    before = warnings.showwarning

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        log.warning("%s: %s (%s:%s)", category.__name__, message, filename, lineno)
        console.print(f"warning: {message}", highlight=False, soft_wrap=True)

    warnings.showwarning = show
    try:
        log.info("command: %s", " ".join(sys.argv))
        yield
    finally:
        warnings.showwarning = before
        root.removeHandler(handler)
        handler.close()
