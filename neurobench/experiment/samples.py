"""Samples passed by callers, as arrays or recordings: their layout, their encoding and their splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.data.dataset import Layout, Split, Splits, hold_out
from neurobench.data.encoders import TEST, Auto, EncoderSpec, Shape
from neurobench.data.events import Events, StoredEvents
from neurobench.data.form import event_faults
from neurobench.experiment.plan import Plan

Samples = Tensor | Events | StoredEvents


def samples(x: Any) -> Samples:
    """Convert to vectors (N, D) or images (N, C, H, W), float32; images (N, H, W) get one channel; keep recordings.

    Raises UserError for other arrays, for numbers that are not in [0, 1] and for events outside their sensor.
    """
    if isinstance(x, Events | StoredEvents):
        if faults := [*event_faults(x, x.sensor)]:
            raise UserError("recordings: " + "; ".join(faults))
        return x
    try:
        array = x if isinstance(x, Tensor) else torch.from_numpy(np.require(x, np.float32, ["C", "W"]))
    except (TypeError, ValueError) as error:
        raise UserError(f"samples are an array of numbers or recordings, not a {type(x).__name__}: {error}") from None
    if array.dim() not in (2, 3, 4):
        raise UserError(f"samples are (N, D), (N, H, W) or (N, C, H, W), not {tuple(array.shape)}")
    array = array.to("cpu", torch.float32)
    if not bool(((array >= 0) & (array <= 1)).all()):
        raise UserError(
            "samples are numbers in [0, 1]; these contain others. Scale them as the training data were scaled."
        )
    return array[:, None] if array.dim() == 3 else array


def kind(x: Samples) -> tuple[Layout, Shape]:
    """Layout, and shape of one sample."""
    if not isinstance(x, Tensor):
        return "events", x.sensor
    return ("vector" if x.dim() == 2 else "image"), tuple(x.shape[1:])


def encoded(x: Samples, steps: Sequence[EncoderSpec], first: int = 0) -> Samples:
    """Apply encoders in order; their randomness depends only on a sample's position, counted from `first`.

    Raises UserError for samples that an encoder does not read.
    """
    for step in steps:
        if isinstance(step, Auto):
            raise UserError("encoder auto depends on the model that reads the samples; name another one")
        layout, shape = kind(x)
        fault = step.misfit(shape) if layout in step.reads else f"reads {' or '.join(step.reads)}, not {layout}"
        if fault:
            raise UserError(f"{type(step).__name__} {fault}")
        x = step.encode(x, first + torch.arange(len(x)))
    return x


def as_read(x: Any, plan: Plan) -> Samples:
    """Samples as the plan's model reads them: encoded by the plan's encoders, as test samples are, if in its data set's
    layout, or unchanged.

    Raises UserError if they have neither layout.
    """
    made = samples(x)
    task, dataset = (plan.task.layout, plan.task.shape), (plan.dataset.layout, plan.dataset.shape)
    if kind(made) == task:
        return made
    if kind(made) != dataset:
        described = [f"{layout} {shape}" for layout, shape in dict.fromkeys((dataset, task))]
        layout, shape = kind(made)
        raise UserError(f"this run takes samples of {' or '.join(described)}; these are {layout} {shape}")
    return encoded(made, plan.encoders, TEST)


def held_out_splits(x: Samples, y: Tensor, validation: int, seed: int) -> Splits:
    """Training samples and `validation` held-out ones; the test split is empty. y: (N,) int64 classes."""
    ids = torch.arange(len(y))
    positions = [torch.from_numpy(part) for part in hold_out(len(y), validation, seed)]
    train, held_out = (Split(x[part], y[part], ids[part]) for part in positions)
    return Splits(train, held_out, held_out.head(0), "memory", "", "samples in memory")
