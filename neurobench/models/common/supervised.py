"""Code shared by networks that learn classes by backpropagation: loss and metrics, and checks of samples and
checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.config.errors import UserError
from neurobench.models.learner import Divergence, Sums, Task


def training_loss(logits: Tensor, y: Tensor, smoothing: float, k: int) -> tuple[Tensor, Sums]:
    """Mean cross-entropy of a batch, logits (B, C) and y (B,), and its `Sums`. Raises Divergence if the loss is not
    finite, with the update k."""
    loss = cross_entropy(logits, y, label_smoothing=smoothing)
    value = float(loss.detach())
    if not torch.isfinite(loss):
        raise Divergence(f"diverged at update {k}: loss is {value}; try a smaller model.lr")
    return loss, Sums(value * len(y), float((logits.detach().argmax(1) == y).sum()))


def measured(logits: Tensor, y: Tensor, smoothing: float) -> Sums:
    """`Sums` as in `training_loss`, for samples that are not learned from."""
    loss = cross_entropy(logits, y, label_smoothing=smoothing, reduction="sum")
    return Sums(float(loss), float((logits.argmax(1) == y).sum()))


def of_task(x: Any, task: Task, device: torch.device) -> Tensor:
    """Samples (B, *shape), moved to the device. Raises UserError for any other shape."""
    if not isinstance(x, Tensor) or tuple(x.shape[1:]) != task.shape:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise UserError(f"samples must be (B, {', '.join(map(str, task.shape))}), not {shape}")
    return x.to(device)


def require_shapes(ours: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Check names and shapes of a checkpoint's parameters, and names of what else is stored with them. Raises UserError
    if they belong to another network."""
    shapes, stored_shapes = (
        {name: tuple(part.shape) if isinstance(part, Tensor) else None for name, part in each.items()}
        for each in (ours, stored)
    )
    if shapes != stored_shapes:
        raise UserError(
            f"the checkpoint does not fit: {stored_shapes}, not {shapes}. Use its settings, or train again."
        )
