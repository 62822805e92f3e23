"""Tests of the architecture model: every spike costs a message to each core that it reaches, and the hops to it."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neurobench.devices.core.mesh import LOIHI, Activity, Event, Mesh, mesh_cost, placed

# Each event has its own decimal place, so that no two sums coincide.
SMALL = replace(
    LOIHI, columns=3, rows=2, cores_of_tile=2, neurons_of_core=2, access=Event(1e-9, 0.0), update=Event(1e-6, 0.0),
    spike=Event(1e-3, 0.0), message_out=Event(1.0, 0.0), message_in=Event(0.0, 0.0), synapse=Event(1e3, 0.0),
    hop_along_row=Event(1e6, 0.0), hop_along_column=Event(1e9, 0.0), barrier=((1, 0.0),),
)  # fmt: skip


def test_layers_are_placed_on_separate_cores_and_a_network_that_does_not_fit_is_refused() -> None:
    assert [each.tolist() for each in placed(SMALL, (3, 2, 1))] == [[0, 0, 1], [2, 2], [3]]
    with pytest.raises(ValueError, match="layers of 20, 5 take 13 cores; the chip has 12"):
        placed(SMALL, (20, 5))


def test_the_cost_of_one_spike_matches_a_hand_computation() -> None:
    """Inputs on cores 0 and 1 (tile 0, column 0, row 0); layer 1 on cores 2 to 4: tiles 1 (column 0, row 1) and 2
    (column 1, row 0). Input 2 meets three weights that are not 0, two of them on one core."""
    weights = torch.zeros(3, 5)
    weights[2, [0, 1, 4]] = 1.0
    inputs, outputs = torch.zeros(1, 2, 3, dtype=torch.bool), torch.zeros(1, 2, 5, dtype=torch.bool)
    inputs[0, 1, 2] = True
    updates = torch.zeros_like(outputs)
    updates[0, 1, [0, 1, 4]] = True
    cost = mesh_cost(SMALL, Activity([weights], [inputs, outputs], [updates]))
    assert cost[:7] == (2, 1, 1, 3, 10, 3, 0)
    assert cost.joules == pytest.approx(2 + 1e6 + 1e9 + 3e3 + 10e-9 + 3e-6, rel=1e-15)


def test_costs_equal_those_of_a_loop_over_every_spike_and_synapse() -> None:
    draw = torch.Generator().manual_seed(3)
    widths, n, steps = (7, 6, 3), 2, 5
    weights = [
        torch.randn(a, b, generator=draw) * (torch.rand(a, b, generator=draw) < 0.6)
        for a, b in itertools.pairwise(widths)
    ]
    spikes = [torch.rand(n, steps, width, generator=draw) < 0.4 for width in widths]
    updates = [torch.rand(n, steps, width, generator=draw) < 0.5 for width in widths[1:]]
    mesh = replace(LOIHI, columns=2, rows=3, cores_of_tile=1, neurons_of_core=2, barrier=((1, 1e-6), (6, 5e-6)))
    mesh = replace(mesh, columns=4)
    cost = mesh_cost(mesh, Activity(weights, spikes, updates))
    joules, seconds, messages = plainly(mesh, weights, spikes, updates)
    assert cost.messages == messages
    assert cost.joules == pytest.approx(joules, rel=1e-12)
    assert cost.seconds == pytest.approx(seconds, rel=1e-5)


def plainly(mesh: Mesh, weights: list[Tensor], spikes: list[Tensor], updates: list[Tensor]) -> tuple[float, float, int]:
    """Joules, seconds and number of messages, by loops over samples, steps, neurons and cores."""
    cores, tile = placed(mesh, [each.shape[2] for each in spikes]), mesh.cores_of_tile
    used = {int(core) // tile for layer in cores for core in layer}
    joules, seconds, messages = 0.0, 0.0, 0
    for sample, step in itertools.product(range(spikes[0].shape[0]), range(spikes[0].shape[1])):
        sending, receiving = [0.0] * mesh.cores, [0.0] * mesh.cores
        for k, layer in enumerate(spikes):
            for i in range(layer.shape[2]):
                core, fires = int(cores[k][i]), bool(layer[sample, step, i])
                if k:
                    moved = fires or bool(updates[k - 1][sample, step, i])
                    for event, happens in ((mesh.access, True), (mesh.update, moved), (mesh.spike, fires)):
                        joules += happens * event.joules
                        sending[core] += happens * event.seconds
                if not fires or k == len(weights):
                    continue
                reached = [int(cores[k + 1][j]) for j in range(layer_width(spikes, k + 1)) if weights[k][i, j] != 0]
                for target in set(reached):
                    there, here = divmod(target // tile, mesh.rows), divmod(core // tile, mesh.rows)
                    joules += abs(there[0] - here[0]) * mesh.hop_along_row.joules
                    joules += abs(there[1] - here[1]) * mesh.hop_along_column.joules
                    joules += mesh.message_out.joules + mesh.message_in.joules
                    joules += reached.count(target) * mesh.synapse.joules
                    sending[core] += mesh.message_out.seconds
                    receiving[target] += mesh.message_in.seconds + reached.count(target) * mesh.synapse.seconds
                    messages += 1
        seconds += max(*sending, *receiving) + mesh.waiting(len(used))
    return joules, seconds, messages


def layer_width(spikes: list[Tensor], k: int) -> int:
    return spikes[k].shape[2]
