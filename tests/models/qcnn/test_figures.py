"""Figures of the hybrid network: readable on paper, with class names, and with long circuits folded."""

from dataclasses import replace
from itertools import combinations

from matplotlib.figure import Figure

from neurobench.figures.style import WRONG, paper
from neurobench.models.learner import TrainingRecord
from neurobench.models.qcnn.figures import all_figures, diagram
from tests.figures.readable import assert_readable, in_style
from tests.models.qcnn.conftest import bars, learner, qpu, train

ROWS = [{"train_loss": 1 / e, "train_accuracy": 1 - 0.1 / e, "train_sigmoid_accuracy": 0.9} for e in (1, 2, 3)]


def test_figures_of_a_noisy_device_are_readable_and_name_classes() -> None:
    """Also classes with dollar signs, which are no formula."""
    made, data = learner(qpu(), classical=("sigmoid",)), replace(bars(24), classes=("malignant", "$0 & $5_{"))
    drawn = in_style(all_figures, made, data, TrainingRecord(ROWS))
    assert set(drawn) == {"samples", "convergence", "circuit", "shots_and_noise", "landscape"}
    assert_readable(drawn)
    samples = drawn["samples"]
    assert isinstance(samples, Figure)
    (axes,) = samples.axes
    captions = {text.get_text().splitlines()[0] for text in axes.texts}
    assert captions <= {"malignant", "$0 & $5_{"}
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2)), "captions beside each other"
    for text in axes.texts:
        assert (text.get_color() == WRONG) == ("true: " in text.get_text())
    shots = drawn["shots_and_noise"]
    assert isinstance(shots, Figure)
    assert shots.axes[0].containers, "what is drawn by chance has its error bars"


def test_no_convergence_figure_is_drawn_for_a_single_epoch() -> None:
    made, data = learner(), bars(8)
    train(made, data, 4)
    assert "convergence" not in all_figures(made, data, TrainingRecord(ROWS[:1]))


def test_a_long_circuit_is_folded_to_the_width_of_a_column() -> None:
    made = learner(head="linear", n_qubits=4, depth=6)
    assert made.runner is not None
    with paper():
        figure = diagram(made.runner.program)
    assert_readable({"circuit": figure})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("q0") > 1
    assert texts.count("M") == 4
    learned = sum(gate.slot is not None for gate in made.runner.program.gates)
    assert sum(text.startswith(("RX", "RY", "RZ")) for text in texts) == learned
