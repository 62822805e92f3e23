"""What a prediction costs: products of the classical layers. What a circuit does is no product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from neurobench.metrics.operations import Operations, convolution, linear, population
from neurobench.models.qcnn import network
from neurobench.models.qcnn.heads import Readout, Sigmoid

if TYPE_CHECKING:
    from neurobench.models.qcnn.learner import HybridQCNNLearner

CIRCUIT = (
    "a gate is no product of an input and a weight: effective_macs and dense_operations are those of the classical "
    "layers; circuits, shots and modelled seconds stand in device_costs"
)


@torch.no_grad()
def operations(learner: HybridQCNNLearner, x: Any) -> Operations:
    """Of the network that predicts. Images (B, C, H, W) in [0, 1]: pixels are graded, and 0 becomes -1: they are MACs,
    and none is saved.

    Activations are counted where they are computed: ReLU after pooling. Rescaling by `gain` is no layer of synapses.
    """
    x = learner.images(x)
    head, p = learner.main.head, learner.main.named()
    act = network.trunk(p, x)
    features = learner.main.features(p, act.z, learner.runner, learner.predict_seed(x))
    activations = {"conv1": act.first, "conv2": act.second, "hidden": act.hidden}
    if isinstance(head, Sigmoid):
        activations["probability"] = (1 - features) / 2
    if isinstance(head, Readout):
        activations["tanh"] = torch.tanh(act.z)
    connections = [
        convolution("conv1", p["conv1.weight"], act.x, spikes=False),
        convolution("conv2", p["conv2.weight"], act.first, spikes=False),
        linear("hidden", p["hidden.weight"], act.second.flatten(1), spikes=False),
        linear("z", p["z.weight"], act.hidden, spikes=False),
    ]
    if "mix" in p:
        connections.append(linear("mix", p["mix"], activations["tanh"], spikes=False))
        activations["mix"] = features
    if "out.weight" in p:
        connections.append(linear("out", p["out.weight"], p["gain"] * features, spikes=False))
    populations = [population(name, outputs) for name, outputs in activations.items()]
    undefined = {"circuit_operations": CIRCUIT} if head.program else {}
    return Operations(len(x), len(x), connections, populations, parameters=p, undefined=undefined)
