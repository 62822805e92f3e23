"""Readability of figures in print: checks for the tests of code that draws them."""

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from neurobench.figures.drawing import Drawing
from neurobench.figures.style import PAGE, paper

SMALLEST = 5  # points


def in_style(
    figures: Callable[..., Mapping[str, Figure | bytes | Drawing]], *arguments: Any
) -> Mapping[str, Figure | bytes]:
    """Draw figures in the style that a run uses."""
    with paper():
        known = figures(*arguments)
        return {name: each.draw() if isinstance(each, Drawing) else each for name, each in known.items()}


def assert_readable(figures: Mapping[str, Figure | bytes]) -> None:
    """Assert that no figure is wider than a page, no text too small, no label cut off, and no legend or title on
    something else. Animations are checked elsewhere."""
    for name, figure in figures.items():
        if isinstance(figure, Figure):
            _check(name, figure)


def _check(name: str, figure: Figure) -> None:
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= PAGE, name
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert min((text.get_fontsize() for text in texts), default=SMALLEST) >= SMALLEST, name
    labels = {f"{name}: {text.get_text()}": text for axes in figure.axes for text in _named(axes)}
    for label, text in labels.items():
        box = text.get_window_extent()
        assert box.x0 >= -1, label
        assert box.y0 >= -1, label
        assert box.x1 <= figure.bbox.x1 + 1, label
        assert box.y1 <= figure.bbox.y1 + 1, label
    boxes = {label: text.get_window_extent() for label, text in labels.items()}
    boxes |= {f"{name}: panel {number}": axes.get_window_extent() for number, axes in enumerate(figure.axes)}
    titles = [figure._suptitle] if getattr(figure, "_suptitle", None) else []
    outside = [*(legend.get_window_extent() for legend in figure.legends), *(t.get_window_extent() for t in titles)]
    for number, one in enumerate(outside):
        for label, box in [*boxes.items(), *((f"{name}: outside", other) for other in outside[:number])]:
            assert not _overlap(one, box), f"a legend or title lies on {label}"
    for axes in figure.axes:
        if axes.axison and axes.get_visible():
            assert axes.get_legend() is None, f"{name}: a legend on the data"


def _named(axes: object) -> list[Text]:
    texts = [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title, axes._right_title]  # type: ignore[attr-defined]
    return [text for text in texts if text.get_text() and axes.axison]  # type: ignore[attr-defined]


def _overlap(one: Bbox, other: Bbox) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1 and height > 1
