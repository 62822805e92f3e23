"""What a prediction costs: products of the classical layers. What a circuit does is no product."""

from __future__ import annotations

import torch
from torch import Tensor

from neurobench.metrics.operations import Operations, convolution, linear, population
from neurobench.models.qcnn import network
from neurobench.models.qcnn.gradients import Way
from neurobench.models.qcnn.heads import features_of
from neurobench.models.qcnn.member import Member
from neurobench.models.qcnn.spec import QUANTUM

CIRCUIT = (
    "a gate is no product of an input and a weight: effective_macs and dense_operations are those of the classical "
    "layers; circuits, shots and modelled seconds stand in device_costs"
)


def of_member(member: Member, x: Tensor, way: Way | None, seed: int) -> Operations:
    """Images (B, C, H, W) in [0, 1] -> classes. Pixels are graded, and 0 becomes -1: they are MACs, and none is saved.

    Activations are counted where they are computed: ReLU after pooling. Rescaling by `gain` is no layer of synapses.
    """
    head, p = member.head, member.named()
    act = network.activity(p, x)
    features = features_of(head, p, act.z, way, seed)
    connections = [
        convolution("conv1", p["conv1.weight"], act.x, spikes=False),
        convolution("conv2", p["conv2.weight"], act.first, spikes=False),
        linear("hidden", p["hidden.weight"], act.second.flatten(1), spikes=False),
        linear("z", p["z.weight"], act.hidden, spikes=False),
    ]
    populations = [
        population("conv1", act.first),
        population("conv2", act.second),
        population("hidden", act.hidden),
    ]
    if head == "sigmoid":
        populations.append(population("probability", (1 - features) / 2))
    if head in ("linear", "tanh", "mlp"):
        populations.append(population("tanh", torch.tanh(act.z)))
    if head == "mlp":
        connections.append(linear("mix", p["mix"], torch.tanh(act.z), spikes=False))
        populations.append(population("mix", features))
    if "out.weight" in p:
        connections.append(linear("out", p["out.weight"], p["gain"] * features, spikes=False))
    undefined = {"circuit_operations": CIRCUIT} if head in QUANTUM else {}
    return Operations(len(x), len(x), connections, populations, parameters=p, undefined=undefined)
