"""Which engine a recipe names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch

from neurobench.kernels.eprop.records import Constants
from neurobench.models.eprop.exact import Answer, ExactEngine, Spikes
from neurobench.models.eprop.initial import Weights
from neurobench.models.eprop.spec import BSSHSLM, EpropRSNN


class Engine(Protocol):
    """Learns and answers groups of samples."""

    ascending: bool  # spikes of a step must come sorted by source

    def group(self, spikes: Spikes, labels: np.ndarray, rate: float, k: int) -> Answer:
        """Learn update k; the answers are those given while learning. Raises Divergence."""
        ...

    def answer(self, spikes: Spikes, n: int) -> Answer:
        """Of n samples, without learning; the engine stays as it is."""
        ...

    def weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W_in (N, I), W_rec (N, N), W_out (K, N): [target, source]."""
        ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def make_engine(recipe: EpropRSNN, c: Constants, weights: Weights, seed: int, device: torch.device) -> Engine:
    """On `device`, but for what computes on the CPU alone, see `EpropRSNN.on_cpu_alone`."""
    numbers = recipe.learning_core.fixed_point
    if numbers is not None:
        from neurobench.models.eprop.chip import ChipEngine

        return ChipEngine(c, numbers, weights, seed)
    if recipe.engine == "exact":
        return ExactEngine(c, weights)
    if recipe.engine == "online":
        from neurobench.models.eprop.online import OnlineEngine

        return OnlineEngine(c, weights)
    lr_out, softmax = recipe.lr_out, recipe.error == "softmax"
    if recipe.neuron == BSSHSLM:
        from neurobench.models.eprop.bsshslm import Arrival, BsshslmEngine

        how = Arrival(recipe.regular_spike_arrival, recipe.regular_spike_arrival_out, recipe.average_gradient)
        return BsshslmEngine(c, weights, how, lr_out=lr_out, softmax=softmax)
    if device.type != "cpu":
        from neurobench.models.eprop.minibatch_device import DeviceMinibatchEngine

        return DeviceMinibatchEngine(c, weights, device, lr_out=lr_out, softmax=softmax)
    from neurobench.models.eprop.minibatch import MinibatchEngine

    return MinibatchEngine(c, weights, lr_out=lr_out, softmax=softmax)
