"""Problem sizes that fit on each annealing chip."""

import pytest

from neurobench.devices.sampler.specs import CHIPS, Chip

P16, Z12, Z6 = CHIPS["Advantage_system4"], CHIPS["Advantage2_system1"], CHIPS["Advantage2_system4"]


def test_topologies_qubits_and_couplers_are_those_of_the_data_sheets() -> None:
    assert {name: (chip.topology, chip.qubits, chip.couplers) for name, chip in CHIPS.items()} == {
        "Advantage_system4": ("Pegasus P16", 5627, 40279),
        "Advantage_system6": ("Pegasus P16", 5612, 40088),
        "Advantage2_system1": ("Zephyr Z12", 4577, 41515),
        "Advantage2_system2": ("Zephyr Z12", 4514, 40409),
        "Advantage2_system4": ("Zephyr Z6", 1202, 10537),
        "DW_2000Q_6": ("Chimera C16", 2041, 5974),
    }


@pytest.mark.parametrize(("chip", "layer", "clique"), [(P16, 172, 180), (Z12, 184, 184), (Z6, 88, 88)])
def test_the_largest_problem_fits_and_one_unit_more_does_not(chip: Chip, layer: int, clique: int) -> None:
    assert chip.misfit(layer, layer) is None
    assert chip.misfit(layer + 1, 1) is not None
    assert chip.misfit(1, layer + 1) is not None
    assert chip.clique_misfit(clique, 10**6) is None
    assert f"at most {clique} fully connected units" in chip.clique_misfit(clique + 1, 10**6)


def test_the_refusal_of_the_tutorials_rbm_gives_needed_and_available_couplers() -> None:
    assert P16.misfit(784, 300) == (
        "784x300 units do not fit on Advantage_system4 (Pegasus P16): 235,200 couplers are needed, 40,279 are present, "
        "and the largest two layers that fit are 172x172"
    )


@pytest.mark.parametrize(
    ("chip", "visible", "hidden", "qubits"),
    [(P16, 172, 172, 5160), (P16, 169, 128, 4455), (P16, 100, 64, 1476), (P16, 49, 64, 678), (Z12, 184, 184, 4416)],
)
def test_two_layers_need_as_many_qubits_as_in_the_embeddings_that_were_found(
    chip: Chip, visible: int, hidden: int, qubits: int
) -> None:
    assert chip.chain_length(visible, hidden) * (visible + hidden) == qubits


@pytest.mark.parametrize(("chip", "n", "length"), [(P16, 180, 16), (Z12, 184, 13), (Z6, 88, 7), (P16, 1, 1)])
def test_chains_of_a_clique_are_as_long_as_in_the_embeddings_that_were_found(chip: Chip, n: int, length: int) -> None:
    assert chip.clique_chain_length(n) == length
