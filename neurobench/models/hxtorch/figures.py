"""All figures of a run of the hxtorch perceptron."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure
from torch import Tensor

from neurobench.models.hxtorch import checkpoint, draw_device, draw_regions, draw_training
from neurobench.models.hxtorch.draw_regions import Regions

if TYPE_CHECKING:
    from neurobench.data.dataset import Split
    from neurobench.models.hxtorch.learner import HXTorchMLPLearner

COARSE, FINE = 16, 64  # points along a side: the tutorial's grid, and one that shows the border


def all_figures(learner: HXTorchMLPLearner, test: Split) -> dict[str, Figure | bytes]:
    """The tutorial's, where the data are points of a plane; of the training; of the device."""
    found: dict[str, Figure | bytes] = {}
    if learner.task.shape == (4,) and isinstance(test.x, Tensor):
        frames = list(_regions(learner))
        found["dataset"] = draw_regions.dataset(test.x, test.y)
        if frames:
            found["decision_regions"] = draw_regions.still(frames[-1])
            found["decision_regions_over_training"] = draw_regions.animation(frames)
    if learner.history.loss:
        found["training"] = draw_training.training(learner.history, learner.cap)
    if not learner.recipe.exact:
        found |= draw_device.device_figures(learner.mac, learner.device)
    return found


@torch.no_grad()
def _regions(learner: HXTorchMLPLearner) -> Iterator[Regions]:
    """Class probabilities on both grids, as they were at each frame."""
    for done, frame in learner.history.frames.items():
        phase = learner.recipe.plan()[frame["phase"]]
        net = checkpoint.restored(frame["weights"], learner.sends(), learner.net)
        mac = learner.device_of(phase)
        maps = []
        for side in (COARSE, FINE):
            logits = learner.forward(learner.inputs(_grid(side)), mac, done, net).logits
            maps.append(torch.softmax(phase.logit_scale * logits, 1).reshape(side, side, -1).transpose(0, 1).cpu())
        where = "on the host's model" if phase.where == "host" else "on the device"
        yield Regions(f"update {done}, {where}", *maps)


def _grid(side: int) -> Tensor:
    """(side^2, 4) x, y, 1 - x, 1 - y over the unit square, x slowest."""
    axis = torch.linspace(0, 1, side)
    x, y = (part.flatten() for part in torch.meshgrid(axis, axis, indexing="ij"))
    return torch.stack([x, y, 1 - x, 1 - y], 1)
