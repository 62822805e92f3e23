"""Live views on the screen: a sampler's job table, a network's decision map. They are shown below one another on a
terminal, and below the cell in a notebook; the last of each stays. Elsewhere nothing is shown."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from rich import box
from rich.color import Color
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.style import Style
from rich.table import Table
from rich.text import Text

from neurobench.experiment.progress import CellOutput
from neurobench.figures.classmap import blend
from neurobench.live import ClassMap, Job, View, watching

SIDE = 32  # columns of a decision map on a terminal
WIDTH = 100  # columns of a view in a notebook


@contextmanager
def live_views(console: Console) -> Iterator[None]:
    """Context manager: show published views, on a terminal or in a notebook."""
    if console.quiet or not (console.is_jupyter or console.is_terminal):
        yield
    elif console.is_jupyter:
        with watching(_Notebook()):
            yield
    else:
        screen = _Terminal(console)
        try:
            with watching(screen):
                yield
        finally:
            screen.close()


class _Latest:
    """The newest view of each kind."""

    def __init__(self) -> None:
        self.views: dict[type, View] = {}

    def renderable(self, view: View) -> RenderableType:
        self.views[type(view)] = view
        return Group(*map(rendered, self.views.values()))


class _Terminal:
    """One live display that begins with the first view."""

    def __init__(self, console: Console):
        self.console, self.latest = console, _Latest()
        self.live: Live | None = None

    def __call__(self, view: View) -> None:
        if self.live is None:
            self.live = Live(console=self.console, auto_refresh=False)
            self.live.start()
        self.live.update(self.latest.renderable(view), refresh=True)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()


class _Notebook:
    def __init__(self) -> None:
        self.latest, self.output = _Latest(), CellOutput()

    def __call__(self, view: View) -> None:
        paper = Console(record=True, file=io.StringIO(), width=WIDTH, color_system="truecolor", force_terminal=True)
        paper.print(self.latest.renderable(view))
        style = "line-height:1;font-family:monospace"
        page = paper.export_html(inline_styles=True, code_format=f'<pre style="{style}">{{code}}</pre>')
        self.output.handle.update(self.output.html(page))


def rendered(view: View) -> RenderableType:
    return job_table(view) if isinstance(view, Job) else class_map(view)


def job_table(job: Job) -> Table:
    """Table of a job, with the columns of the Dynex tutorial's first table that an emulated device has figures for."""
    table = Table(box=box.ROUNDED)
    cells = {
        "JOB": str(job.number),
        "ELAPSED": f"{job.seconds:.2f} s",
        "CHIPS": f"{job.chips:,}",
        "✔": f"{job.done:,}",
        "STEPS": f"{job.step}/{job.steps}",
        "ENERGY": f"{job.energy:.4f}",
        "BEST SO FAR": f"{job.best:.4f}",
    }
    for name in cells:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*cells.values())
    return table


def class_map(view: ClassMap) -> Text:
    """Decision map as text, with two points of a column per character, so that points are square."""
    colours = (255 * blend(np.asarray(view.probabilities))).round().astype(int)
    scale = max(1, SIDE // len(colours))
    pixels = colours[::-1].repeat(scale, 0).repeat(scale, 1)
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, pixels[-1:]])
    text = Text(f"{view.title}\n")
    for above, below in zip(pixels[::2], pixels[1::2], strict=True):
        for top, bottom in zip(above.tolist(), below.tolist(), strict=True):
            text.append("▀", Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*bottom)))
        text.append("\n")
    return text
