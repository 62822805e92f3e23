"""The images with what became of them, and the loss over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.models.qcnn.learner import HybridQCNNLearner

HYBRID, CLASSICAL = "#1f4e79", ("#d1752c", "#7aa6a1", "#8c6bb1")
_SHOWN = 6
_SEARCHED = 1000  # test images among which mistakes are looked for


def samples(learner: HybridQCNNLearner, test: Split) -> Figure:
    """The first test images, and below them the first mistakes."""
    some = test.head(_SEARCHED)
    images = learner.images(some.x).cpu()
    found = learner.predict(images).cpu()
    p = found if learner.recipe.head in ("binary", "sigmoid") else found.softmax(1)
    confidence, guess = p.max(1)
    wrong = (guess != some.y).nonzero()[:_SHOWN, 0].tolist()
    rows = [list(range(min(_SHOWN, len(some)))), *([wrong] if wrong else [])]
    figure = Figure(figsize=(1.5 * _SHOWN, 1.95 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), _SHOWN, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for row, chosen in zip(grid, rows, strict=True):
        for axes, index in zip(row, chosen, strict=False):
            axes.imshow(images[index].mean(0), cmap="gray", vmin=0, vmax=1)
            right = bool(guess[index] == some.y[index])
            told = f"class {int(guess[index])}, p {float(confidence[index]):.2f}"
            axes.set_title(
                told if right else f"{told}\nis {int(some.y[index])}", fontsize=9, color="k" if right else "C3"
            )
    return figure


def convergence(learner: HybridQCNNLearner) -> Figure:
    """Training loss and error an epoch, running means while the networks change."""
    sums = learner.history.sums
    epochs = range(1, len(sums) + 1)
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [row["loss"] / row["samples"] for row in sums], marker="o", markersize=3, color=HYBRID)
    left.set_ylabel("-P(class)" if learner.recipe.nll_on_probabilities else "-log P(class)")
    names = {"correct": learner.recipe.head, **{f"{head}_accuracy": head for head in learner.recipe.classical}}
    for (key, label), colour in zip(names.items(), (HYBRID, *CLASSICAL), strict=False):
        errors = [100 * (1 - row[key] / row["samples"]) for row in sums]
        right.plot(epochs, errors, marker="o", markersize=3, color=colour, label=label)
    right.set_ylabel("training error (%)")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    left.set_title(f"{learner.recipe.head} head", fontsize=10)
    return figure
