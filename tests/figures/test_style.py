"""Figure style: a column's width, colours that nobody confuses, legends beside the data, reproducible files."""

import io
import itertools
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from neurobench.figures import style
from neurobench.figures.gallery import gallery
from neurobench.figures.style import COLUMN, align_ylabels, by_epoch, class_label, legend, paper, rendered, stack

# Machado, Oliveira, Fernandes (2009), severity 1: what a colour looks like to eyes without one kind of cone.
SEEN_BY = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}


def lab(colour: str, matrix: Any = ((1, 0, 0), (0, 1, 0), (0, 0, 1))) -> np.ndarray:
    """CIELAB of an sRGB colour as seen by the eyes that `matrix` describes."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(matrix) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ linear / (0.9505, 1.0, 1.089)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


MEANINGS = ("TRAIN", "VALIDATION", "DEVICE", "IDEAL", "WRONG", "LIMIT")


@pytest.mark.parametrize("eyes", ["all cones", *SEEN_BY])
def test_colours_of_two_meanings_differ_also_for_readers_without_red_or_green_cones(eyes: str) -> None:
    seen = {name: lab(getattr(style, name), SEEN_BY.get(eyes, np.eye(3))) for name in MEANINGS}
    for one, other in itertools.combinations(MEANINGS, 2):
        if {one, other} != {"VALIDATION", "WRONG"}:  # never in one figure
            assert np.linalg.norm(seen[one] - seen[other]) > 15, (one, other)


def test_a_figure_is_as_wide_as_a_column_in_every_format() -> None:
    with paper():
        figure, (axes,) = stack(1)
        axes.plot([1, 2], [0, 1], label="a line")
        axes.set_ylabel("what is measured\nin two lines")
        legend(figure, axes)
    png = Image.open(io.BytesIO(rendered(figure, "png")))
    assert png.width == int(COLUMN * style.STYLE["savefig.dpi"])
    pdf = rendered(figure, "pdf")
    assert f"/MediaBox [ 0 0 {COLUMN * 72:g} ".encode() in pdf
    assert b"/Type3" not in pdf, "journals refuse such fonts"
    assert f'width="{COLUMN * 72:g}pt"'.encode() in rendered(figure, "svg")


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_same_figure_gives_the_same_bytes(kind: str) -> None:
    def drawn() -> bytes:
        with paper():
            figure, (axes,) = stack(1)
            axes.plot([1, 2], [0, 1])
        return rendered(figure, kind)

    assert drawn() == drawn()


def two_panels() -> Figure:
    """Figure of two panels with one line each, of the same label, and a legend; drawn."""
    figure, panels = stack(2)
    for axes in panels:
        axes.plot([1, 2], [0, 1], label="same")
    legend(figure, *panels)
    figure.draw_without_rendering()
    return figure


def test_no_text_is_smaller_than_7_points_and_the_users_settings_are_restored() -> None:
    before = mpl.rcParams["font.size"]
    with paper():
        figure = two_panels()
        sizes = [text.get_fontsize() for text in figure.findobj(mpl.text.Text) if text.get_text()]
    assert min(sizes) >= 7
    assert mpl.rcParams["font.size"] == before


def test_a_legend_lies_beside_the_data_and_names_each_line_once() -> None:
    with paper():
        figure = two_panels()
    (box,) = figure.legends
    assert [text.get_text() for text in box.get_texts()] == ["same"]
    assert not any(box.get_window_extent().overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_a_class_whose_name_has_dollar_signs_is_no_formula_in_a_title() -> None:
    """Figures of a model were once missing because of it, or showed "0-50" for "$0-$50"."""
    figure = Figure(layout="constrained")
    figure.suptitle(f"class {class_label(('$0 & $5_{', 'a very long name of a class'), 0)}")
    assert rendered(figure, "png")
    assert class_label(("$0-$50", "a very long name of a class"), 1) == "a very long name of…"


def test_epochs_are_counted_from_1_and_a_single_epoch_is_in_the_middle_of_the_axis() -> None:
    axes = Figure().subplots()
    by_epoch(axes, 1)
    assert (axes.get_xlim(), list(axes.get_xticks())) == ((0.5, 1.5), [1])
    by_epoch(axes, 20)
    ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    assert all(tick == int(tick) >= 1 for tick in ticks)


def test_captions_of_a_gallery_do_not_overlap() -> None:
    """Those with names of classes once did in rows of ten pictures."""
    figure = gallery([np.eye(4)] * 20, ["ambulanc"] * 10 + ["malignant\n(t=1)"] * 10, [True] * 20, columns=10)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_a_gallery_is_one_panel_and_marks_mistakes() -> None:
    figure = gallery([np.eye(4)] * 7, ["$a_b$"] * 6 + ["7 is\n9"], [False] * 6 + [True], columns=3)
    (axes,) = figure.axes
    assert [text.get_color() for text in axes.texts] == ["black"] * 6 + [style.WRONG]
    figure.draw_without_rendering()
    assert axes.texts[0].get_text() == "$a_b$"


def test_y_labels_of_panels_are_aligned_beside_the_widest_tick_labels() -> None:
    with paper():
        figure, panels = stack(3)
        for axes, top in zip(panels, (1, 123_456, 0.001), strict=True):
            axes.plot([0, 1], [0, top])
            axes.set_ylabel("label")
        align_ylabels(panels)
        figure.draw_without_rendering()
        labels = [axes.yaxis.label.get_window_extent() for axes in panels]
        numbers = [text.get_window_extent().x0 for axes in panels for text in axes.get_yticklabels() if text.get_text()]
    assert np.ptp([label.x1 for label in labels]) < 0.5
    assert 0 < min(numbers) - labels[0].x1 < 8
    assert min(label.x0 for label in labels) >= 0
