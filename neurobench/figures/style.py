"""One style for every figure: the width of a journal's column, type legible in print, and one colour per meaning.

The colours are distinct for every common kind of colour blindness. Lines follow Okabe and Ito, "Color Universal
Design" (2008); items of equal rank follow the muted scheme of Paul Tol's note SRON/EPS/TN/09-002.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from cycler import cycler
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from matplotlib.transforms import ScaledTranslation

from neurobench.figures.drawing import Drawing

COLUMN, PAGE = 3.5, 7.16  # inches: one and both columns of a page

TRAIN, VALIDATION, TEST = "#0072B2", "#E69F00", "#000000"
DEVICE, IDEAL = "#AA3377", "#009E73"  # as measured by a device; as computed by its host, without faults
WRONG = "#D55E00"  # a mistake
LIMIT = "#333333"  # a bound, a threshold, the start of a phase
NEGATIVE, POSITIVE = "#2166AC", "#B2182B"  # signs: of a weight, of the change that an event reports
SIGNED = LinearSegmentedColormap.from_list("signed", (NEGATIVE, "white", POSITIVE))
SHARE = "Blues"  # map of a share or a count, from zero
ORDERED = "viridis"  # map of a quantity
# Items of equal rank: classes, layers, neurons, settings.
SERIES = (
    "#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#999933", "#44AA99", "#DDCC77", "#AA4499", "#777777",
)  # fmt: skip

STYLE: Any = {
    "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "figure.titlesize": 8, "legend.title_fontsize": 7,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7, "legend.frameon": False,
    "legend.handlelength": 1.4, "legend.columnspacing": 1.2, "axes.linewidth": 0.6, "lines.linewidth": 1.1,
    "lines.markersize": 3, "grid.alpha": 0.3, "grid.linewidth": 0.5, "axes.prop_cycle": cycler(color=SERIES),
    "errorbar.capsize": 1.5, "axes.axisbelow": True, "savefig.dpi": 220,
    "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "neurobench",
}  # fmt: skip
COMPRESSION = 2  # PNG level, 0 to 9: Pillow's default of 6 takes 1.4 to 1.8 times as long for files 5 to 14 % smaller
LONGEST = 20  # most letters of a class name


@contextmanager
def paper() -> Iterator[None]:
    """Context manager: draw in this style; a notebook's settings are restored afterwards."""
    with rc_context(STYLE):
        yield


def rendered(figure: Figure, kind: str) -> bytes:
    """Content of a figure's file: "png", "pdf" or "svg". The same figure always gives the same bytes.

    A figure with a layout engine keeps its size, a journal's column; any other is saved with nothing cut off.
    """
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
    file, lays_itself_out = io.BytesIO(), bool(figure.get_layout_engine())
    for spine in (spine for axes in figure.axes if lays_itself_out for spine in axes.spines.values()):
        spine.set_in_layout(False)  # it leaves the axes by a tick mark at most, for which the margin has room
    with paper():
        if kind == "png" and lays_itself_out:  # drawn once; savefig would do it twice, first to lay it out
            figure.set_dpi(STYLE["savefig.dpi"])
            FigureCanvasAgg(figure).print_png(file, pil_kwargs={"compress_level": COMPRESSION})
        else:
            figure.savefig(file, format=kind, bbox_inches=None if lays_itself_out else "tight", metadata=metadata)
    return file.getvalue()


def files_of(figure: Figure | bytes | Drawing, vector: str) -> dict[str, bytes]:
    """Files of a figure by kind: a PNG for pages and, as `vector` says, a PDF or SVG for papers. Bytes are returned as
    the GIF that they are."""
    if isinstance(figure, Drawing):
        with paper():
            figure = figure.draw()
    if isinstance(figure, bytes):
        return {"gif": figure}
    return {kind: rendered(figure, kind) for kind in dict.fromkeys(("png", vector))}


def stack(rows: int, height: float = 1.35, width: float = COLUMN, **options: Any) -> tuple[Figure, list[Axes]]:
    """Stack `rows` panels with a shared x axis: a column's width is legible both on paper and on a phone."""
    figure = Figure(figsize=(width, 0.45 + height * rows), layout="constrained")
    panels = figure.subplots(rows, 1, sharex=True, squeeze=False, **options)[:, 0]
    for axes in panels:
        axes.grid()
    for axes in panels[:-1]:
        axes.xaxis.set_in_layout(False)  # it has no labels that need room
    return figure, list(panels)


def align_ylabels(panels: Sequence[Axes]) -> None:
    """Align the y labels of stacked panels on one line, next to the widest tick labels.

    `Figure.align_ylabels` measures every panel for every panel whenever something is laid out, which takes half of a
    figure's time; here the widths are measured once, when everything has been plotted.
    """
    figure = panels[0].get_figure(root=True)
    assert figure is not None
    renderer, widths = FigureCanvasAgg(figure).get_renderer(), []
    for axes in panels:
        axes.yaxis.label.set_visible(False)
        box = axes.yaxis.get_tightbbox(renderer)
        axes.yaxis.label.set_visible(True)
        widths.append(0.0 if box is None else axes.bbox.x0 - box.x0)
    away = max(widths) / figure.dpi + panels[0].yaxis.labelpad / 72  # inches
    for axes in panels:
        left = axes.transAxes + ScaledTranslation(-away, 0, figure.dpi_scale_trans)
        axes.yaxis.set_label_coords(0, 0.5, transform=left)


def legend(figure: Figure | SubFigure, *panels: Axes, columns: int = 3, title: str | None = None) -> None:
    """Add a legend above the data, never on them, with each label of the panels once."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        figure.legend(handles.values(), handles, loc="outside upper center", ncols=columns, title=title)


def by_epoch(axes: Axes, epochs: int) -> None:
    """Format the x axis of a figure by epoch. A single epoch is a point in the middle."""
    axes.set(xlabel="epoch", xlim=(0.5, 1.5) if epochs == 1 else (1 - 0.02 * epochs, epochs + 0.02 * epochs))
    if epochs == 1:
        axes.set_xticks([1])
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def few_ticks(axes: Axes, label: str) -> None:
    """Format an x axis of long numbers, such as updates."""
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def in_per_cent(axes: Axes) -> None:
    """Format the y axis of a proportion in per cent."""
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))


def series(number: int) -> str:
    """The colour of class, layer or neuron `number`, from 0."""
    return SERIES[number % len(SERIES)]


def short(name: str, longest: int = LONGEST) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def literal(text: str) -> str:
    """Text of a user in which matplotlib finds no formula."""
    return text.replace("$", r"\$")


def class_label(classes: Sequence[str], number: int) -> str:
    """Name of a class as a part of a title or label: shortened, and no formula, as in "$0 & $5"."""
    return literal(short(class_name(classes, number)))


def class_name(classes: Sequence[str], number: int) -> str:
    """Name of a class, or its number if the data have no names."""
    return classes[number] if classes else str(number)
