"""All figures of a finished run, most of them yet to be drawn: those of every run, of the model and of the data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from neurobench.config.targets import load
from neurobench.data.dataset import Splits
from neurobench.experiment.evaluate import Evaluation
from neurobench.experiment.plan import Plan
from neurobench.figures.drawing import Drawing
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Learner, ModelSpec, TrainingRecord
from neurobench.process import importing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PREFIXES = ("train_", "validation_", "test_")  # of figures that are drawn by epoch


def figures_of(
    plan: Plan, learner: Learner, splits: Splits, record: TrainingRecord, evaluation: Evaluation, ledger: Ledger
) -> Iterator[tuple[str, Figure | bytes | Drawing]]:
    """Yield file names without suffix, with figures or bytes of a GIF. Their device costs are billed as figures. Those
    of a model are yielded once all of them are known: they may share parts."""
    shares = (evaluation.metrics["test_accuracy"], *evaluation.intervals["test_accuracy"])
    value, low, high = (f"{100 * share:.1f}" for share in shares)
    accuracy = f"test accuracy {value} % (95 % interval {low} to {high} %)"
    title = f"{plan.model_name} on {plan.dataset_name}, {plan.backend_name}, scale {plan.scale.name}\n{accuracy}"
    matrix = evaluation.confusion.numpy()
    yield "confusion", Drawing("neurobench.experiment.plots.confusion", (matrix, title, splits.classes))
    curve = curve_of(record)
    if curve is not None:
        yield "learning_curve", curve
    with ledger.phase("figures"):
        of_model = model_figures(plan.model, learner, splits, record)
    yield from of_model.items()
    if splits.drawings is not None:
        yield from splits.drawings().items()


def curve_of(record: TrainingRecord) -> Drawing | None:
    """Learning curve, or None if epochs have no figures."""
    if not any(key.startswith(PREFIXES) for row in record.epochs for key in row):
        return None
    return Drawing("neurobench.experiment.plots.learning_curve", (record.epochs, record.trace))


def model_figures(
    model: ModelSpec, learner: Learner, splits: Splits, record: TrainingRecord, n: int | None = None
) -> dict[str, Figure | bytes | Drawing]:
    """Figures that the model's spec names, of the first n test samples; empty if it names none."""
    known: dict[str, Figure | bytes | Drawing] = {}
    test = replace(splits.test.head(n), classes=splits.classes)
    if model.drawings is not None:
        known |= load(model.drawings)(learner, test, record)
    if model.figures is not None:
        with importing("matplotlib"):
            from neurobench.figures.style import paper
        with paper():
            known |= load(model.figures)(learner, test, record)
    return known
