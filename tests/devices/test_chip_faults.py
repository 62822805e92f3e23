"""Sizes of problems that fit on chips with faults: the table against capacities found by others, against numbers of
qubits and couplers, and against a new search if minorminer is installed."""

from itertools import product
from typing import Any, get_args

import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.sampler import specs
from neurobench.devices.sampler.chips import CHIPS, ChipName
from neurobench.devices.sampler.embed_chips import capacities
from neurobench.devices.sampler.embeddings import all_tabulated, tabulated
from neurobench.devices.sampler.specs import AnnealingQPU
from neurobench.docs import page
from neurobench.problems.rbm import RBM
from tests.specs import spec

CPU = torch.device("cpu")
P16, C16 = "Advantage_system4", "DW_2000Q_6"


def qpu(**changes: Any) -> AnnealingQPU:
    made = spec("backend/mock_qpu", "sampler", **changes)
    assert isinstance(made, AnnealingQPU)
    return made


def test_tabulated_capacities_agree_with_those_found_by_others() -> None:
    """Others found cliques of 97 to 107, K_64,64 and no K_100,100 on a Z12 (four draws), and a clique of 173 and
    K_100,100, but not 169 x 128, on a P16 (two draws). Fewer sets of qubits are tried here; it costs a unit or two."""
    for chip in all_tabulated("Advantage2_system1") + all_tabulated("Advantage2_system2"):
        assert chip.fits(64, 48), "experiment=dynex_qrbm_qpu_device"
    for chip in all_tabulated("Advantage2_system1"):
        assert 90 <= chip.clique <= 112
        assert chip.fits(64, 64)
        assert not chip.fits(100, 100)
    for chip in all_tabulated(P16):
        assert 165 <= chip.clique <= 180
        assert chip.fits(100, 100)
        assert not chip.fits(169, 128)
        assert chip.fits(144, 128), "experiment=dynex_qrbm_qpu"


def test_the_allowed_chip_names_are_exactly_the_known_chips() -> None:
    assert get_args(ChipName) == tuple(CHIPS)


@pytest.mark.parametrize("name", CHIPS)
def test_faults_reduce_the_largest_layers_and_add_at_most_one_unit_to_the_largest_clique(name: str) -> None:
    perfect = CHIPS[name]
    for chip in all_tabulated(name):
        assert chip.clique <= perfect.clique + 1
        assert chip.layer < perfect.layer


@pytest.mark.parametrize("name", CHIPS)
def test_no_embedding_needs_more_qubits_or_couplers_than_the_chip_has(name: str) -> None:
    """A chain needs one coupler fewer than qubits, and each pair of coupled units one more."""
    drawn = all_tabulated(name)
    assert len(drawn) >= 20
    for chip in drawn:
        problems = [(chains, len(chains) * (len(chains) - 1) // 2) for chains in chip.cliques]
        problems += [(one + other, len(one) * len(other)) for one, other in chip.layers]
        for chains, pairs in problems:
            assert sum(chains) <= chip.chip.qubits, chip.draw
            assert sum(chains) - len(chains) + pairs <= chip.chip.couplers, chip.draw


def test_the_documentation_contains_the_capacities_of_the_table() -> None:
    assert capacities() in page("chips")


def test_chain_lengths_and_fit_are_symmetric_in_the_two_layers() -> None:
    chip = tabulated(P16, 0)
    wide, high = chip.chain_length(150, 40), chip.chain_length(40, 150)
    assert len(wide) == len(high) == 190
    assert wide == high[40:] + high[:40]
    assert chip.chain_length(1, 1) == (1, 1)
    assert len(chip.clique_chain_length(100)) == 100
    sizes = range(10, 150, 20)
    for n, m in product(sizes, sizes):
        assert chip.fits(n, m) == chip.fits(m, n)
        if chip.fits(n, m):
            assert max(chip.chain_length(n, m)) <= max(chip.chain_length(max(n, m), max(n, m)))


def test_a_chip_seed_beyond_the_table_reuses_its_faults_but_not_its_field_offsets() -> None:
    draws = len(all_tabulated(C16))
    one, other = qpu(chip=C16, chip_seed=2), qpu(chip=C16, chip_seed=2 + draws)
    assert one.graph is other.graph
    assert not torch.equal(one.open(0, CPU).fixed.offset_h, other.open(0, CPU).fixed.offset_h)


def test_layers_of_different_sizes_that_fit_are_sampled_without_tiles() -> None:
    """A layer is larger than two equal ones could be, yet no tiles are used: one programming, a state for each unit."""
    chip = tabulated("Advantage2_system1", 0)
    visible = chip.layer + 4
    assert chip.fits(visible, 40)
    draw = torch.Generator().manual_seed(1)
    rbm = RBM(*(0.1 * torch.randn(*size, generator=draw) for size in [(visible, 40), (visible,), (40,)]))
    reads = qpu(chip=chip.chip.name).open(0, CPU).sample_rbm(rbm, 20, seed=1)
    assert (reads.v.shape, reads.h.shape) == ((20, visible), (20, 40))
    assert reads.cost["programmings"] == 1
    assert reads.info["chain_breaks"] > 0


def test_a_spec_without_faults_has_a_perfect_graph_as_in_older_configurations() -> None:
    assert AnnealingQPU.__dataclass_fields__["faults"].default == "none"
    assert qpu(faults="none").graph is CHIPS[P16]


def test_live_embedding_needs_faults_and_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BoundsError, match="embedding=live finds a way around faults"):
        qpu(faults="none", embedding="live")
    monkeypatch.setattr(specs, "is_installed", lambda module: False)
    with pytest.raises(BoundsError, match=r"minorminer, .* pip install -e '\.\[embedding\]'"):
        qpu(embedding="live")


@pytest.fixture(scope="module")
def graph() -> Any:
    pytest.importorskip("minorminer", reason="needs the extra `embedding`")
    from neurobench.devices.sampler.working_graph import working_graph

    return working_graph(CHIPS[C16], 3)


def test_a_working_graph_has_the_published_numbers_of_qubits_and_couplers(graph: Any) -> None:
    from neurobench.devices.sampler.working_graph import perfect_graph, working_graph

    assert (len(graph), graph.number_of_edges()) == (2041, 5974)
    perfect = perfect_graph(CHIPS[C16])
    assert all(perfect.has_edge(*edge) for edge in graph.edges)
    again, other = working_graph(CHIPS[C16], 3), working_graph(CHIPS[C16], 4)
    assert set(again.edges) == set(graph.edges) != set(other.edges)


def test_the_table_equals_a_new_busclique_search_whose_embeddings_are_minors(graph: Any) -> None:
    """Checked on the graph itself: chains are connected, disjoint, and touch if their units are coupled."""
    import networkx

    from neurobench.devices.sampler.busclique import Search, capacity
    from neurobench.devices.sampler.embeddings import _faulty
    from neurobench.devices.sampler.working_graph import perfect_graph

    assert _faulty(C16, 3, capacity(CHIPS[C16], 3)) == tabulated(C16, 3)
    search, chip = Search(graph, perfect_graph(CHIPS[C16])), tabulated(C16, 3)
    n, m = 30, chip.partner_size(30)
    layers, clique = search.two_layers(n, m), search.clique(40)
    assert max(map(len, layers.values())) == max(chip.chain_length(n, m))
    assert max(map(len, clique.values())) == max(chip.clique_chain_length(40))
    touching = [(layers, [(i, n + j) for i in range(n) for j in range(m)])]
    touching += [(clique, [(i, j) for i in range(40) for j in range(i)])]
    for chains, pairs in touching:
        used = [qubit for chain in chains.values() for qubit in chain]
        assert len(used) == len(set(used))
        assert all(networkx.is_connected(graph.subgraph(chain)) for chain in chains.values())
        assert all(any(graph.has_edge(a, b) for a in chains[i] for b in chains[j]) for i, j in pairs)
    assert search.two_layers(64, 64) == {}
