"""All figures of a finished run: those of every run, of the model and of the data set."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from neurobench.data.dataset import Splits
from neurobench.experiment.evaluate import Evaluation
from neurobench.experiment.plan import Plan
from neurobench.experiment.plots import confusion, learning_curve, model_figures
from neurobench.figures.style import paper
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Learner, TrainingRecord


def figures_of(
    plan: Plan, learner: Learner, splits: Splits, record: TrainingRecord, evaluation: Evaluation, ledger: Ledger
) -> Iterator[tuple[str, Figure | bytes]]:
    """Yield file names without suffix, with figures or bytes of a GIF. Their device costs are billed as figures. Those
    of a model are yielded once all of them are drawn: they may share parts."""
    shares = (evaluation.metrics["test_accuracy"], *evaluation.intervals["test_accuracy"])
    value, low, high = (f"{100 * share:.1f}" for share in shares)
    accuracy = f"test accuracy {value} % (95 % interval {low} to {high} %)"
    title = f"{plan.model_name} on {plan.dataset_name}, {plan.backend_name}, scale {plan.scale.name}\n{accuracy}"
    yield "confusion", confusion(evaluation.confusion, title, splits.classes)
    curve = learning_curve(record.epochs, record.trace)
    if curve is not None:
        yield "learning_curve", curve
    with ledger.phase("figures"):
        of_model = model_figures(plan.model, learner, splits, record)
    yield from of_model.items()
    if splits.figures is not None:
        with paper():
            of_data = splits.figures()
        yield from of_data.items()
