"""The emulated annealer: reads follow the Boltzmann distribution without errors; each error has its configured size."""

import re
from dataclasses import replace
from itertools import product
from typing import Any

import dimod
import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import composer
from neurobench.config.errors import ConfigError, UserError
from neurobench.devices.sampler import mock_qpu_errors as errors
from neurobench.devices.sampler.chips import CHIPS
from neurobench.devices.sampler.mock_qpu import conditioned, tiles
from neurobench.devices.sampler.specs import AnnealingQPU
from neurobench.devices.spec import Demand
from neurobench.experiment.plan import parse
from neurobench.problems.bqm import Ising, Units, energies, ising_of_units, units_of_rbm
from neurobench.problems.rbm import RBM, energy
from tests.specs import spec

CPU = torch.device("cpu")


def qpu(**changes: Any) -> AnnealingQPU:
    made = spec("backend/mock_qpu", "sampler", **changes)
    assert isinstance(made, AnnealingQPU)
    return made


CLEAN = qpu(
    h_dac=(0.0, 0.0),
    j_dac=(0.0, 0.0),
    sigma_h=0.0,
    sigma_j=0.0,
    offset_h=0.0,
    offset_j=0.0,
    flux=0.0,
    h_scale_spread=0.0,
    susceptibility=0.0,
    chain_break=0.0,
    readout=0.0,
)


def machine(visible: int, hidden: int, seed: int = 1, scale: float = 1.0) -> RBM:
    draw = torch.Generator().manual_seed(seed)
    return RBM(*(scale * torch.randn(*size, generator=draw) for size in [(visible, hidden), (visible,), (hidden,)]))


def zero(n: int, coupling: float = 0.1) -> Ising:
    """Ising model without fields and with the same coupling everywhere."""
    return Ising(coupling * (1 - torch.eye(n, dtype=torch.float64)), torch.zeros(n, dtype=torch.float64))


def programmed(device: AnnealingQPU, ideal: Ising, call: int = 1, seed: int = 1, length: int = 1) -> errors.Programmed:
    return errors.program(device, errors.fixed_errors(device, len(ideal.h)), ideal, length, call, seed)


def pairs(J: torch.Tensor) -> torch.Tensor:
    """Couplings, each pair once."""
    return J[torch.ones_like(J, dtype=torch.bool).triu(1)]


def surprise(rbm: RBM, x: torch.Tensor, beta: float) -> float:
    """Chi-square of the states in x against exp(-beta E) / Z over every state: standard deviations above its mean."""
    problem = units_of_rbm(rbm)
    states = torch.tensor(list(product((0.0, 1.0), repeat=x.shape[1])))
    expected = len(x) * torch.softmax(-beta * energies(problem, states).double(), 0)
    found = torch.bincount((x @ 2 ** torch.arange(x.shape[1] - 1, -1, -1).float()).long(), minlength=len(states))
    freedom = len(states) - 1
    return float(((found - expected) ** 2 / expected).sum() - freedom) / (2 * freedom) ** 0.5


@pytest.mark.parametrize(("scale", "prefactor"), [(0.5, 0.2), (3.0, 0.5)], ids=["in range", "scaled down"])
def test_without_errors_reads_follow_the_boltzmann_distribution_at_the_reported_beta(
    scale: float, prefactor: float
) -> None:
    rbm = machine(4, 3, scale=scale)
    device = replace(CLEAN, prefactor=prefactor).open(0, CPU)
    reads = [device.sample_rbm(rbm, 10_000, seed) for seed in (2, 3)]
    problem = ising_of_units(units_of_rbm(rbm))
    c = max(1.0, float(problem.J.abs().max()) * prefactor, float(problem.h.abs().max()) * prefactor / 4)
    beta = 6.35 * prefactor / c
    assert reads[0].info["beta"] == pytest.approx(beta, rel=1e-6)
    assert surprise(rbm, torch.cat([torch.cat([r.v, r.h], 1) for r in reads]), beta) < 5


def test_a_general_model_is_sampled_at_the_configured_beta_with_the_exact_mean_energy() -> None:
    bqm = dimod.BinaryQuadraticModel({"a": 0.2}, {("a", "b"): 0.1, ("b", "c"): -0.2, ("a", "c"): 0.15}, 0.0, "SPIN")
    found = CLEAN.open(0, CPU).sample(bqm, num_reads=10_000, seed=4)
    exact = dimod.ExactSolver().sample(bqm)
    levels = torch.tensor(exact.record.energy.tolist())
    mean = float((torch.softmax(-6.35 * levels, 0) * levels).sum())
    assert found.info["beta"] == pytest.approx(6.35)
    assert found.record.energy.mean() == pytest.approx(mean, abs=0.01)


def test_a_problem_out_of_range_is_divided_by_its_largest_excess() -> None:
    ideal = Ising(torch.tensor([[0.0, 3.0], [3.0, 0.0]]).double(), torch.tensor([-20.0, 1.0]).double())
    held = programmed(CLEAN, ideal)
    assert held.scale == 5.0
    torch.testing.assert_close(held.problem.h, torch.tensor([-4.0, 0.2]).double())
    torch.testing.assert_close(held.problem.J[0, 1], torch.tensor(0.6).double())
    assert programmed(CLEAN, zero(3)).scale == 1.0, "a problem that fits is not scaled up"


def test_each_end_of_a_range_limits_values_of_its_own_sign() -> None:
    extended = replace(CLEAN, j_range=(-2.0, 1.0))
    assert programmed(extended, zero(2, coupling=-2.0)).scale == 1.0
    assert programmed(extended, zero(2, coupling=2.0)).scale == 2.0
    assert programmed(replace(CLEAN, coupling_range=(-18.0, 15.0)), zero(31, coupling=1.0)).scale == 2.0
    assert programmed(CLEAN, zero(31, coupling=1.0), length=3).scale == 1.0, "a chain has a qubit for every ten"


def test_a_problem_out_of_range_is_refused_without_auto_scale() -> None:
    manual = replace(CLEAN, auto_scale=False)
    assert programmed(manual, zero(3, coupling=1.0)).scale == 1.0
    with pytest.raises(UserError, match=r"exceeds j_range=\[-1.0, 1.0\] 2.5 times .* a prefactor of at most 0.4\."):
        programmed(manual, zero(3, coupling=-2.5))


@pytest.mark.parametrize("name", ["sigma_h", "offset_h", "flux"])
def test_errors_of_fields_have_their_configured_spread(name: str) -> None:
    n = 300
    drawn = [programmed(replace(CLEAN, **{name: 0.05}), zero(n), call, call).problem.h for call in range(10)]
    assert float(torch.cat(drawn).std()) == pytest.approx(0.05, rel=0.1)
    again = float((drawn[0] - drawn[1]).abs().max())
    assert (again == 0) == (name == "offset_h"), "an offset is the same in every call, noise is not"


@pytest.mark.parametrize("name", ["sigma_j", "offset_j"])
def test_errors_of_couplings_have_their_configured_spread(name: str) -> None:
    ideal = zero(150)
    drawn = [programmed(replace(CLEAN, **{name: 0.05}), ideal, seed=seed).problem.J for seed in range(2)]
    spread = pairs(drawn[0] - ideal.J)
    assert float(spread.std()) == pytest.approx(0.05, rel=0.03)
    assert abs(float(spread.mean())) < 5 * 0.05 / len(spread) ** 0.5
    assert torch.equal(drawn[0], drawn[0].t())
    assert torch.equal(drawn[0], drawn[1]) == (name == "offset_j")


def test_absent_couplings_have_no_errors() -> None:
    chip = replace(CLEAN, sigma_j=0.1, offset_j=0.1)
    held = programmed(chip, ising_of_units(units_of_rbm(machine(6, 4, scale=0.1))))
    assert not held.problem.J[:6, :6].any()
    assert not held.problem.J[6:, 6:].any()
    assert held.problem.J[:6, 6:].all()


def test_noise_is_drawn_once_per_programming_and_flux_once_per_call() -> None:
    noisy, drifting = replace(CLEAN, sigma_h=0.05), replace(CLEAN, flux=0.05)
    for chip, kept in ((noisy, False), (drifting, True)):
        one, two = (programmed(chip, zero(50), call=7, seed=seed).problem.h for seed in (1, 2))
        assert torch.equal(one, two) == kept


def test_fixed_errors_of_a_chip_depend_only_on_its_seed() -> None:
    chip = replace(CLEAN, offset_h=0.01, offset_j=0.01, h_scale_spread=0.01)
    same, other = programmed(chip, zero(20)), programmed(replace(chip, chip_seed=1), zero(20))
    assert torch.equal(same.problem.J, programmed(chip, zero(20)).problem.J)
    assert not torch.equal(same.problem.J, other.problem.J)
    assert not torch.equal(same.problem.h, other.problem.h)


def test_gain_spread_and_susceptibility_of_fields_are_as_configured() -> None:
    n = 300
    ideal = Ising(zero(n, coupling=0.0).J, torch.full((n,), 2.0).double())
    gained = programmed(replace(CLEAN, h_scale_spread=0.02), ideal).problem.h
    assert float((gained / 2).std()) == pytest.approx(0.02, rel=0.15)
    ideal = Ising(torch.tensor([[0.0, 0.5], [0.5, 0.0]]).double(), torch.tensor([1.0, 0.0]).double())
    leaked = programmed(replace(CLEAN, susceptibility=-0.04), ideal, length=2).problem.h
    torch.testing.assert_close(leaked, torch.tensor([1.0, -0.04 * 0.5 / 2]).double())


def test_rounding_stays_within_the_dac_error_and_is_coarsest_at_the_negative_end() -> None:
    span, error = (-4.0, 4.0), (0.008, 0.0005)
    x = torch.linspace(-4, 4, 100_001, dtype=torch.float64)
    moved = (errors.dac(x, span, error) - x).abs()
    local = error[0] * (error[1] / error[0]) ** ((x - span[0]) / 8)
    assert (moved <= 1.01 * local).all()
    assert float(moved[:200].max()) == pytest.approx(0.008, rel=0.02)
    assert float(moved[-200:].max()) == pytest.approx(0.0005, rel=0.02)
    assert float(errors.dac(torch.zeros(1).double(), span, error)) == 0
    assert len(errors.dac(x, span, error).unique()) < 5000


@pytest.mark.parametrize("error", [(1.0, 1e-9), (1e-9, 1.0), (0.3, 0.001), (0.001, 0.3), (1.0, 0.5)])
def test_no_coefficient_moves_by_more_than_the_largest_rounding_error_however_coarse_the_dac(
    error: tuple[float, float],
) -> None:
    x = torch.linspace(-1, 1, 10_001, dtype=torch.float64)
    moved = (errors.dac(x, (-1.0, 1.0), error) - x).abs()
    assert torch.isfinite(moved).all()
    assert float(moved.max()) <= max(error) + 1e-12


def test_dac_levels_can_be_evenly_spaced_and_rounding_can_be_switched_off() -> None:
    x = torch.tensor([0.26, -0.9, 0.0]).double()
    torch.testing.assert_close(errors.dac(x, (-1.0, 1.0), (0.25, 0.25)), torch.tensor([0.5, -1.0, 0.0]).double())
    assert torch.equal(errors.dac(x, (-1.0, 1.0), (0.0, 0.0)), x)


def test_broken_chains_have_shares_that_fit_their_own_lengths() -> None:
    lengths = torch.tensor([1.0, 2.0, 5.0]).repeat(100)
    breaks = errors.broken_chains((2000, 300), lengths, 0.1, seed=1)
    assert not breaks.broken[:, ::3].any()
    for first, length in ((1, 2), (2, 5)):
        share = breaks.share[:, first::3][breaks.broken[:, first::3]] * length
        assert set(share.round().int().tolist()) == set(range(1, length))
        assert float(breaks.broken[:, first::3].float().mean()) == pytest.approx(0.1, abs=5 * (0.09 / 200_000) ** 0.5)
    whole = errors.broken_chains((2000, 300), 5, 0.1, seed=1)
    assert torch.equal(breaks.broken[:, 2::3], whole.broken[:, 2::3])
    torch.testing.assert_close(breaks.share[:, 2::3], whole.share[:, 2::3])


def test_chains_break_and_units_are_misread_as_often_as_configured() -> None:
    shape, p = (500, 400), 0.03
    breaks = errors.broken_chains(shape, 15, p, seed=1)
    assert float(breaks.broken.float().mean()) == pytest.approx(p, abs=5 * (p / 200_000) ** 0.5)
    assert (breaks.share[~breaks.broken] == 1).all()
    assert set((breaks.share[breaks.broken] * 15).round().int().tolist()) == set(range(1, 15))
    assert not errors.broken_chains(shape, 1, p, seed=1).broken.any(), "a single qubit has nothing to break"
    flipped = errors.misread(torch.zeros(shape), p, seed=2)
    assert float(flipped.mean()) == pytest.approx(p, abs=5 * (p / 200_000) ** 0.5)


def test_majority_vote_weighted_random_and_minimize_energy_repair_broken_chains_only() -> None:
    problem = Units(torch.zeros(2, 2), torch.tensor([1.0, -1.0]))
    x = torch.zeros(20_000, 2)
    breaks = errors.Breaks(torch.ones_like(x, dtype=torch.bool), torch.tensor([0.25, 0.75]).expand(20_000, 2))
    assert errors.majority_vote(x, breaks, problem, 1).mean(0).tolist() == [1.0, 0.0]
    tie = errors.Breaks(breaks.broken, torch.full_like(x, 0.5))
    assert errors.majority_vote(x, tie, problem, 1).mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.02)
    assert errors.weighted_random(x, breaks, problem, 1).mean(0).tolist() == pytest.approx([0.75, 0.25], abs=0.02)
    assert errors.minimize_energy(x, breaks, problem, 1).mean(0).tolist() == [1.0, 0.0]
    whole = errors.Breaks(torch.zeros_like(breaks.broken), torch.ones_like(x))
    for repair in errors.REPAIRS.values():
        assert torch.equal(repair(x, whole, problem, 1), x)


def test_minimize_energy_never_raises_the_energy_and_leaves_whole_chains_unchanged() -> None:
    rbm = machine(12, 8)
    problem, x = units_of_rbm(rbm), (torch.rand(200, 20, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    breaks = errors.broken_chains((200, 20), 4, 0.3, seed=1)
    repaired = errors.minimize_energy(x, breaks, problem, 1)
    assert (energies(problem, repaired) <= energies(problem, x) + 1e-5).all()
    assert torch.equal(repaired[~breaks.broken], x[~breaks.broken])


def test_discarded_reads_are_repeated_until_the_limit_of_reads() -> None:
    rbm = machine(30, 20, scale=0.1)
    picky = replace(CLEAN, repair="discard", chain_break=0.02)
    reads = picky.open(0, CPU).sample_rbm(rbm, 100, seed=1)
    assert len(reads.v) == 100
    assert reads.cost["reads"] == pytest.approx(100 / 0.98**50, rel=0.4)
    with pytest.raises(
        UserError, match=r"repair=discard: \d+ of 100 reads came back unbroken out of .* may take 10,000"
    ):
        replace(picky, chain_break=0.3).open(0, CPU).sample_rbm(rbm, 100, seed=1)


def test_returned_energies_are_those_of_the_given_model_despite_programming_noise() -> None:
    bqm = dimod.BinaryQuadraticModel({0: 0.2, 1: -0.3}, {(0, 1): 0.5, (1, 2): -0.4}, 3.0, "BINARY")
    found = qpu(sigma_h=0.5, sigma_j=0.5).open(0, CPU).sample(bqm, num_reads=50, seed=1)
    dimod.testing.assert_response_energies(found, bqm)


def test_device_seconds_of_a_call_follow_the_timing_model() -> None:
    """14.1 ms to program, then per read 20 us to anneal, 150 us to read out and 20.5 us to wait."""
    device = CLEAN.open(0, CPU)
    once = device.sample_rbm(machine(5, 4), 100, seed=1).cost
    assert once["device_seconds"] == pytest.approx(0.0141 + 100 * 190.5e-6)
    assert 0.030 < once["device_seconds"] < 0.040
    reverse = device.sample_rbm(machine(5, 4), 100, seed=1, initial_hidden=torch.zeros(100, 4)).cost
    assert reverse["programmings"] == 100, "every start is a programming"
    assert reverse["device_seconds"] == pytest.approx(100 * (0.0141 + 190.5e-6))
    timing = device.sample(dimod.BinaryQuadraticModel({0: 1.0}, {}, 0, "SPIN"), num_reads=10, seed=1).info["timing"]
    assert timing["qpu_access_time"] == pytest.approx(14100 + 1905)


def test_a_problem_that_does_not_fit_is_refused_with_the_numbers_and_the_remedies() -> None:
    big, small = machine(784, 300, scale=0.01), CLEAN.open(0, CPU)
    with pytest.raises(
        UserError, match="784x300 units do not fit on Advantage_system4 .Pegasus P16. with its faults: 235,200"
    ):
        small.sample_rbm(big, 1, seed=1)
    perfect = qpu(faults="none")
    sentence = perfect.refuse(Demand(layers=(784, 300)))
    assert sentence is not None
    for word in ("235,200", "40,279", "172x172", "too_big=block", "13x13"):
        assert word in sentence
    assert perfect.refuse(Demand(layers=(169, 128))) is None
    assert qpu(too_big="block").refuse(Demand(layers=(784, 300))) is None
    assert qpu(chip="Advantage2_system1", faults="none").refuse(Demand(layers=(180, 180))) is None
    dense = dimod.BinaryQuadraticModel({}, {(i, j): 1.0 for i in range(181) for j in range(i)}, 0, "SPIN")
    with pytest.raises(UserError, match="181 units .* at most 180 fully connected units"):
        replace(CLEAN, faults="none").open(0, CPU).sample(dense)
    with pytest.raises(UserError, match=f"181 units .* at most {small.chip.clique} fully connected units"):
        small.sample(dense)


def test_more_reads_than_a_call_may_take_are_refused_with_their_key_before_a_run() -> None:
    for key, chosen in (("chains", ["model=qrbm", "model.negative=device"]), ("num_reads", ["experiment=dynex_qrbm"])):
        with composer() as compose:
            chosen += ["backend=mock_qpu", "backend.sampler.too_big=block"]
            parse(compose([*chosen, f"model.{key}=10000"]))
            with pytest.raises(ConfigError, match=rf"model.{key}=10001 is more than the 10,000 reads of a call"):
                parse(compose([*chosen, f"model.{key}=10001"]))


def test_chips_with_faults_fit_smaller_problems_and_the_suggested_size_fits() -> None:
    for chip in ("Advantage_system4", "Advantage2_system1", "Advantage2_system4", "DW_2000Q_6"):
        sentence = qpu(chip=chip).refuse(Demand(layers=(784, 300)))
        assert sentence is not None
        assert "with its faults" in sentence
        side, hidden = re.search(r"model.downsample=(\d+) model.n_hidden=(\d+)", sentence).groups()  # type: ignore[union-attr]
        assert qpu(chip=chip).refuse(Demand(layers=(int(side) ** 2, int(hidden)))) is None
    assert "beside 169 units of one layer" in (qpu().refuse(Demand(layers=(169, 128))) or "")
    assert qpu().refuse(Demand(layers=(144, 128))) is None


def test_tiles_fit_on_the_chip_and_contain_every_coupling_once() -> None:
    plan = tiles((784, 300), 172)
    assert len(plan) == 10
    seen = torch.zeros(784, 300)
    for rows, columns in plan:
        assert max(rows.stop - rows.start, columns.stop - columns.start) <= 172
        seen[rows, columns] += 1
    assert (seen == 1).all()
    assert tiles((100, 64), 172) == [(slice(0, 100), slice(0, 64))]


def test_energy_differences_of_a_conditioned_tile_are_those_of_the_whole_model() -> None:
    rbm = machine(9, 7)
    draw = torch.Generator().manual_seed(5)
    v, h = ((torch.rand(20, n, generator=draw) < 0.5).float() for n in (9, 7))
    rows, columns = slice(2, 6), slice(1, 4)
    part = conditioned(rbm, v, h, rows, columns)
    other_v, other_h = v.clone(), h.clone()
    other_v[:, rows], other_h[:, columns] = 1 - v[:, rows], 1 - h[:, columns]

    def tile(v: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        x, y = v[:, rows], h[:, columns]
        return -(x * part.a).sum(1) - (y * part.b).sum(1) - ((x @ part.W) * y).sum(1)

    whole = energy(rbm, other_v, other_h) - energy(rbm, v, h)
    torch.testing.assert_close(tile(other_v, other_h) - tile(v, h), whole)


def test_sampling_tiles_in_turn_follows_the_boltzmann_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = machine(4, 3)
    chip = replace(CLEAN, too_big="block", rounds=12, prefactor=1 / 6.35, annealing_time=1)
    device = chip.open(0, CPU)
    monkeypatch.setattr(device, "chip", replace(CHIPS[chip.chip], layer=2))
    reads = device.sample_rbm(rbm, 10_000, seed=2)
    assert reads.cost["programmings"] == 10_000 * 4 * 12
    assert surprise(rbm, torch.cat([reads.v, reads.h], 1), 1.0) < 5


def test_the_tutorials_rbm_of_784x300_units_runs_in_blocks() -> None:
    device = qpu(too_big="block", rounds=1).open(0, CPU)
    reads = device.sample_rbm(machine(784, 300, scale=0.05), 5, seed=1)
    assert reads.v.shape == (5, 784)
    assert reads.h.shape == (5, 300)


def test_zero_and_more_than_10000_reads_are_refused() -> None:
    device = CLEAN.open(0, CPU)
    with pytest.raises(ValueError, match=r"num_reads=10001 is not in \[1, 10000\]"):
        device.sample_rbm(machine(3, 2), 10_001, seed=1)
    with pytest.raises(ValueError, match=r"num_reads=0 is not in \[1, 10000\]; seed=-1 is not at least 0"):
        device.sample(dimod.BinaryQuadraticModel("SPIN"), num_reads=0, seed=-1)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"chip": "Advantage_system9"}, "chip='Advantage_system9' is not one of Advantage_system4, Advantage_system6"),
        ({"chip_seed": -1}, "chip_seed=-1 is not in [0, 2147483647]"),
        ({"chip_seed": 2**31}, "chip_seed=2147483648 is not in [0, 2147483647]"),
        ({"annealing_time": 0.4}, "annealing_time=0.4 is not in [0.5, 2000]"),
        ({"annealing_time": 2001}, "annealing_time=2001 is not in [0.5, 2000]"),
        ({"beta": 0}, "beta=0 is not above 0"),
        ({"prefactor": -1.0}, "prefactor=-1.0 is not above 0"),
        ({"h_range": (4.0, -4.0)}, "h_range=[4.0, -4.0] is not [lowest, highest] with 0 between them"),
        ({"j_range": (1.0, 1.0)}, "j_range=[1.0, 1.0] is not [lowest, highest] with 0 between them"),
        ({"j_dac": (0.1,)}, "j_dac=[0.1] is not [at the lowest, at the highest value]"),
        ({"h_dac": (-0.1, 0.1)}, "h_dac=[-0.1, 0.1] is not"),
        ({"h_dac": (0.1, 0.0)}, "h_dac=[0.1, 0.0] has no rounding at one end only: set both to 0, or neither"),
        ({"sigma_h": -0.01}, "sigma_h=-0.01 is not in [0, 1]"),
        ({"sigma_j": float("nan")}, "sigma_j=nan is not in [0, 1]"),
        ({"flux": -1}, "flux=-1 is not in [0, 1]"),
        ({"susceptibility": 0.1}, "susceptibility=0.1 is not in [-1, 0]"),
        ({"chain_break": 0.6}, "chain_break=0.6 is not in [0, 0.5]"),
        ({"readout": 0.51}, "readout=0.51 is not in [0, 0.5]"),
        ({"readout": -0.1}, "readout=-0.1 is not in [0, 0.5]"),
        ({"repair": "glue"}, "repair='glue' is not one of majority_vote, weighted_random"),
        ({"too_big": "shrink"}, "too_big='shrink' is not one of error, block"),
        ({"rounds": 0}, "rounds=0 is not at least 1"),
        ({"readout_time": -1}, "readout_time=-1 is not at least 0"),
    ],
)
def test_an_invalid_value_is_refused_with_a_specific_message(bad: dict, sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        qpu(**bad)
    assert sentence in str(refusal.value)
