"""Gibbs sampling of any binary quadratic model, one colour at a time.

Units of one colour do not touch, so they can be renewed together. A two-layered model takes two colours: then this
is block Gibbs.
"""

from __future__ import annotations

from collections import deque

import dimod
import numpy as np
import torch

from neurobench.kernels.random import derive, uniforms
from neurobench.kernels.rbm.layers import conditional


def sweep_bqm(bqm: dimod.BinaryQuadraticModel, num_reads: int, seed: int, sweeps: int, beta: float) -> np.ndarray:
    """States (num_reads, N) int8 in {0, 1} after `sweeps` renewals of every unit, from a random start.

    Of unit i with the others as they are:  p(x_i = 1) = s(-beta (c_i + sum_j Q_ij x_j)).
    """
    variables = list(bqm.variables)
    linear, (row, column, bias), _ = bqm.to_numpy_vectors(variables)
    coupling = torch.zeros(len(variables), len(variables))
    coupling[row, column] = coupling[column, row] = torch.from_numpy(np.asarray(bias, np.float32))
    field = torch.from_numpy(np.asarray(linear, np.float32))

    x = (uniforms(derive(seed, 0), (num_reads, len(variables))) < 0.5).float()
    classes = colours(bqm)
    blocks = [(units, (-coupling[:, units]).contiguous(), -field[units]) for units in classes]
    for sweep in range(sweeps):
        for colour, (units, weights, bias) in enumerate(blocks):
            x[:, units] = conditional(x, weights, bias, derive(seed, 1, sweep, colour), beta).state
    return x.numpy().astype(np.int8)


def colours(bqm: dimod.BinaryQuadraticModel) -> list[torch.Tensor]:
    """Classes of units that share no coupling: the smallest free colour, breadth first.

    Breadth first, every neighbour that has a colour lies one layer nearer, so two layers take two colours.
    """
    place = {variable: n for n, variable in enumerate(bqm.variables)}
    colour: dict[int, int] = {}
    for start in bqm.variables:
        queue = deque([start])
        while queue:
            unit = queue.popleft()
            if place[unit] in colour:
                continue
            neighbours = list(bqm.adj[unit])
            taken = {colour.get(place[other]) for other in neighbours}
            colour[place[unit]] = next(c for c in range(len(taken) + 1) if c not in taken)
            queue.extend(other for other in neighbours if place[other] not in colour)
    members: list[list[int]] = [[] for _ in range(max(colour.values(), default=-1) + 1)]
    for unit, c in sorted(colour.items()):
        members[c].append(unit)
    return [torch.tensor(units) for units in members]
