"""Training a machine's weights and a softmax readout of its hidden probabilities with labels, by backpropagation.

The features are then no longer those of a machine trained without labels: a hybrid of generative and discriminative
training. Source: Hinton and Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks", who
fine-tune stacked machines; here there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neurobench.kernels.random import derive
from neurobench.models.common.readout import Readout, scores
from neurobench.models.common.training import cosine
from neurobench.models.learner import Divergence
from neurobench.phases import tracked
from neurobench.problems.rbm import RBM, p_hidden

BATCH = 100
_ORDER, _IMAGES, _DROPOUT = range(3)  # purposes of random draws


class Tuning(NamedTuple):
    """Settings of fine-tuning, from those of the model, and its seed."""

    epochs: int
    lr: float  # of Adam at first; decays to 0 along half a cosine
    dropout: float  # share of hidden units dropped in an update
    seed: int


class Tuned(NamedTuple):
    rbm: RBM
    readout: Readout


def fine_tune(
    rbm: RBM, images: Callable[[Tensor, int], Tensor], labels: Tensor, n_classes: int, tuning: Tuning
) -> Tuned:
    """Fine-tune a copy of `rbm` and a readout, which starts at 0. images(index (B,), seed) -> visible units (B, V);
    labels (N,) int64. Raises Divergence."""
    W, b = (part.clone().requires_grad_() for part in (rbm.W, rbm.b))
    U, c = (W.new_zeros(shape).requires_grad_() for shape in ((W.shape[1], n_classes), (n_classes,)))
    machine = rbm._replace(W=W, b=b)
    readout = Readout(torch.zeros_like(b), torch.ones_like(b), U, c)
    adam = torch.optim.Adam([W, b, U, c], lr=tuning.lr, foreach=True)
    loss, starts = W.new_zeros(()), range(0, len(labels), BATCH)
    for epoch in tracked("fine-tuning the RBM with labels", range(tuning.epochs)):
        draw = torch.Generator().manual_seed(derive(tuning.seed, _ORDER, epoch))
        order = torch.randperm(len(labels), generator=draw)
        for k, start in enumerate(starts, epoch * len(starts)):
            index = order[start : start + BATCH]
            adam.param_groups[0]["lr"] = tuning.lr * cosine(k, tuning.epochs * len(starts))
            p = p_hidden(machine, images(index, derive(tuning.seed, _IMAGES, k)))
            p = dropped(p, tuning.dropout, derive(tuning.seed, _DROPOUT, k))
            loss = cross_entropy(scores(readout, p), labels[index.to(labels.device)])
            adam.zero_grad()
            loss.backward()
            adam.step()
    if not bool(torch.isfinite(loss)):
        raise Divergence(f"fine-tuning diverged: its loss is {float(loss)}. Try a smaller model.fine_tune_lr.")
    trained = machine._replace(W=W.detach(), b=b.detach())
    return Tuned(trained, readout._replace(weight=U.detach(), bias=c.detach()))


def dropped(p: Tensor, share: float, seed: int) -> Tensor:
    """Dropout: p (B, H) with this share of entries 0 and the others scaled up, determined by `seed` alone."""
    if share == 0:
        return p
    keep = torch.rand(p.shape, generator=torch.Generator(p.device).manual_seed(seed), device=p.device) >= share
    return p * keep / (1 - share)
