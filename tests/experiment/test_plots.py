"""Figures that every run has say what they show."""

import torch

from neurobench.experiment.plots import LONGEST, confusion


def test_classes_go_by_their_names_where_the_data_have_any() -> None:
    names = ("eight", "$x$ & _y", "a" * 50)
    figure = confusion(torch.eye(3), "title", names)
    figure.canvas.draw()
    (axis,) = figure.axes
    for axes in (axis.get_xticklabels(), axis.get_yticklabels()):
        labels = [label.get_text() for label in axes]
        assert labels[:2] == list(names[:2])
        assert labels[2] == "a" * (LONGEST - 1) + "…"
    (axis,) = confusion(torch.eye(3), "title").axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "1", "2"]
