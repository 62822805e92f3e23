"""What minorminer's busclique embeds in a working graph (extra `embedding`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from neurobench.config.targets import import_extra
from neurobench.devices.sampler.chips import Chip
from neurobench.devices.sampler.working_graph import OWNER, perfect_graph, without_missing_crossings, working_graph

TRIES = 3  # sets of qubits left out; pairs of layers are sought around the one that leaves the largest clique
Chains = Sequence[Sequence[int]]  # qubits of each unit, short chains first
Sides = tuple[Chains, ...]  # of a clique, or of two layers
Embedding = dict[int, tuple[int, ...]]  # unit -> qubits


class Search:
    """All that busclique finds in a working graph; cliques and layers are each sought once, when first asked for.

    `busgraph_cache.find_biclique_embedding` would miss most layers of different sizes: it looks for the smaller one
    among pairs whose smaller layer is as large as the larger one.
    """

    def __init__(self, graph: Any, perfect: Any):
        busclique = import_extra("minorminer.busclique", "embedding", OWNER)
        intact = (without_missing_crossings(graph, perfect, seed) for seed in range(TRIES))
        self._tries = [busclique.busgraph_cache(graph)._graph for graph in intact]

    @cached_property
    def _cliques(self) -> list[list[Sides]]:
        return [[(_sorted(chains),) for chains in one.cliques()["raw"] if chains] for one in self._tries]

    @cached_property
    def cliques(self) -> list[Sides]:
        """Units that all touch each other."""
        return [sides for embedded in self._cliques for sides in embedded]

    @cached_property
    def layers(self) -> list[Sides]:
        """Units that all touch those of the other layer; the larger layer first."""
        best = max(range(TRIES), key=lambda k: max(len(chains) for (chains,) in self._cliques[k]))
        bicliques = self._tries[best].bicliques()["raw"].items()
        sides = ((_sorted(chains[:first]), _sorted(chains[first:])) for (first, _), chains in bicliques)
        return [(one, other) if len(one) >= len(other) else (other, one) for one, other in sides]

    def clique(self, n: int) -> Embedding:
        """Of n units that may all touch each other, the longest chain as short as can be; {} where none is found."""
        return _shortest([chains[:n] for (chains,) in self.cliques if len(chains) >= n])

    def two_layers(self, n_visible: int, n_hidden: int) -> Embedding:
        """The same of two layers, visible units first."""
        turned = (sides for pair in self.layers for sides in (pair, pair[::-1]))
        return _shortest(
            [
                [*visible[:n_visible], *hidden[:n_hidden]]
                for visible, hidden in turned
                if len(visible) >= n_visible and len(hidden) >= n_hidden
            ]
        )


def _sorted(chains: Iterable[Any]) -> Chains:
    return sorted(chains, key=len)


def _shortest(candidates: list[Chains]) -> Embedding:
    best = min(candidates, key=lambda chains: (max(map(len, chains), default=0), sum(map(len, chains))), default=())
    return {unit: tuple(chain) for unit, chain in enumerate(best)}


def capacity(chip: Chip, draw: int) -> dict[str, list[Any]]:
    """{"cliques": [...], "layers": [[larger, smaller], ...]}, chains as `run_lengths` writes them: the embeddings that
    no other beats in every number of units with chains as short; those with short chains first."""
    search = Search(working_graph(chip, draw), perfect_graph(chip))
    return {
        "cliques": [run_lengths(chains) for (chains,) in _unbeaten(search.cliques)],
        "layers": [[run_lengths(chains) for chains in sides] for sides in _unbeaten(search.layers)],
    }


def run_lengths(chains: Chains) -> list[int]:
    """[shortest length, how many chains have it, how many have one qubit more, ...]"""
    lengths = [len(chain) for chain in chains]
    return [lengths[0], *(lengths.count(length) for length in range(lengths[0], lengths[-1] + 1))]


def _unbeaten(embeddings: Iterable[Sides]) -> list[Sides]:
    best: dict[tuple[int, ...], tuple[int, Sides]] = {}  # longest chain, units of each side -> fewest qubits
    for sides in embeddings:
        key = (max(len(chains[-1]) for chains in sides), *map(len, sides))
        qubits = sum(len(chain) for chains in sides for chain in chains)
        if key not in best or qubits < best[key][0]:
            best[key] = qubits, sides
    largest: list[tuple[int, ...]] = []
    for key in sorted(best, key=lambda k: (k[0], *(-n for n in k[1:]))):  # short chains and large layers first
        if not any(all(a >= b for a, b in zip(other[1:], key[1:], strict=True)) for other in largest):
            largest.append(key)
    return [best[key][1] for key in largest]
