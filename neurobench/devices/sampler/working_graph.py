"""The working graph of an annealing chip (extra `embedding`)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from neurobench.config.targets import import_extra
from neurobench.devices.sampler.chips import Chip

OWNER = "embedding on an annealing chip"


def perfect_graph(chip: Chip) -> Any:
    """A networkx graph of the chip's topology in which every qubit and coupler works."""
    family, size = chip.shape
    return getattr(import_extra("dwave.graphs", "embedding", OWNER), f"{family}_graph")(size)


def working_graph(chip: Chip, draw: int) -> Any:
    """A networkx graph with the published numbers of qubits and couplers; `draw` decides which are missing.

    Faults are drawn uniformly: their places on a real chip are not published. Couplers of broken qubits are missing
    too; if that already leaves fewer than published, no more are removed.
    """
    graph, rng = perfect_graph(chip), random.Random(draw)
    graph.remove_nodes_from(rng.sample(sorted(graph.nodes), len(graph) - chip.qubits))
    couplers = sorted(tuple(sorted(edge)) for edge in graph.edges)
    graph.remove_edges_from(rng.sample(couplers, max(0, len(couplers) - chip.couplers)))
    return graph


def without_missing_crossings(graph: Any, perfect: Any, seed: int) -> Any:
    """Copy of the graph without a smallest set of qubits that covers all missing couplers between crossing qubits.

    busclique cannot use both qubits of such a pair; on its own it tries sets at random, each at the cost of a
    search, which takes minutes on a P16. If either qubit would do, `seed` chooses.
    """
    networkx, upright = import_extra("networkx", "embedding", OWNER), _uprights(perfect)
    missing = networkx.Graph()
    missing.add_edges_from(
        edge
        for edge in perfect.subgraph(graph.nodes).edges
        if not graph.has_edge(*edge) and upright(edge[0]) != upright(edge[1])
    )
    rng, working = random.Random(seed), graph.copy()
    for part in sorted(map(sorted, networkx.connected_components(missing))):
        if len(part) == 2:
            working.remove_node(rng.choice(part))
            continue
        pairs, side = missing.subgraph(part), [qubit for qubit in part if upright(qubit)]
        matching = networkx.bipartite.hopcroft_karp_matching(pairs, side)
        working.remove_nodes_from(networkx.bipartite.to_vertex_cover(pairs, matching, side))
    return working


def _uprights(graph: Any) -> Callable[[int], bool]:
    """Predicate: whether a qubit of the graph is vertical; the others are horizontal."""
    family = graph.graph["family"]
    place = 2 if family == "chimera" else 0
    return lambda qubit: graph.nodes[qubit][f"{family}_index"][place] == 0
