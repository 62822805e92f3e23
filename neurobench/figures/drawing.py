"""A figure that has yet to be drawn: plain data, so that any process can draw it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Drawing(NamedTuple):
    """A call that returns a figure, or a GIF as bytes. A model may return it in place of a figure: the run's process
    then need not import matplotlib for it, and a second process draws it while the first draws another."""

    function: str  # dotted name of a function, in a module that does not import torch, which takes a second
    arguments: tuple[Any, ...]  # can be pickled; NumPy arrays rather than tensors, for the same reason

    def draw(self) -> Figure | bytes:
        module, _, name = self.function.rpartition(".")
        figure: Figure | bytes = getattr(import_module(module), name)(*self.arguments)
        return figure
