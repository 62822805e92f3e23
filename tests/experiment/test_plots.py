"""Labels and layout of the figures that every run has."""

import numpy as np
from matplotlib.figure import Figure

from neurobench.experiment.drawing import curve_of
from neurobench.experiment.plots import NUMBERED, confusion, learning_curve
from neurobench.figures.style import COLUMN, LONGEST
from neurobench.models.learner import TrainingRecord

FIGURES = ("loss", "accuracy", "hidden_spikes", "lava_loss", "silent_outputs")


def test_a_confusion_matrix_is_labelled_with_the_names_of_classes_if_there_are_any() -> None:
    names = ("eight", "$x$ & _y", "a" * 50)
    figure = confusion(np.eye(3), "title", names)
    figure.canvas.draw()
    axis, _ = figure.axes
    for axes in (axis.get_xticklabels(), axis.get_yticklabels()):
        labels = [label.get_text() for label in axes]
        assert labels[:2] == list(names[:2])
        assert labels[2] == "a" * (LONGEST - 1) + "…"
    axis, _ = confusion(np.eye(3), "title").axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "1", "2"]


def test_a_confusion_matrix_has_a_colour_scale_and_contains_numbers_only_for_few_classes() -> None:
    figure = confusion(np.eye(10), "title")
    assert figure.axes[1].get_ylabel() == "share of the true class"
    assert len(figure.axes[0].texts) == 10
    assert not confusion(np.ones((NUMBERED + 1, NUMBERED + 1)), "title").axes[0].texts


def curve(epochs: int, parts: int) -> Figure:
    row = {f"{split}_{name}": 0.5 for split in ("train", "validation") for name in FIGURES}
    history = [{"epoch": epoch, **row} for epoch in range(1, epochs + 1)]
    trace = [{"epoch": epochs * (part + 1) / parts, **dict.fromkeys(FIGURES, 0.4)} for part in range(parts)]
    return learning_curve(history, trace)


def test_five_panels_share_one_column_and_legend_with_loss_and_accuracy_first() -> None:
    figure = curve(3, 0)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == COLUMN
    assert [axes.get_ylabel() for axes in figure.axes][:2] == ["loss", "accuracy"]
    assert len(figure.legends) == 1
    assert not any(axes.get_legend() for axes in figure.axes)
    assert {round(axes.get_position().x0, 3) for axes in figure.axes} == {round(figure.axes[0].get_position().x0, 3)}
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2, 3], "epochs are counted from 1"


def test_the_learning_curve_of_a_single_epoch_shows_the_trace_within_it() -> None:
    loss = curve(1, 10).axes[0]
    assert [len(line.get_xdata()) for line in loss.lines] == [10, 1, 1]
    assert loss.get_xlim() == (0, 1)
    alone = curve(1, 0).axes[0]
    assert [len(line.get_xdata()) for line in alone.lines] == [1, 1]
    assert alone.get_xlim() == (0.5, 1.5), "no axis of thousandths around one point"


def test_without_metrics_of_epochs_there_is_no_learning_curve() -> None:
    assert curve_of(TrainingRecord(epochs=[{"epoch": 1, "seconds": 2.0}])) is None
