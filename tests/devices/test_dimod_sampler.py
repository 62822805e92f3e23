"""Samplers of other packages: allowed classes, their arguments and their answers."""

from itertools import product
from typing import Any, ClassVar

import dimod
import pytest
import torch

from neurobench.config import targets
from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.devices.sampler import specs
from neurobench.devices.sampler.specs import DimodSampler
from neurobench.problems.bqm import energies, units_of_rbm
from neurobench.problems.rbm import RBM, energy

CPU = torch.device("cpu")
NEAL = "dwave.samplers.SimulatedAnnealingSampler"


def wrapped(sampler: str = NEAL, composites: tuple[str, ...] = (), **parameters: Any) -> DimodSampler:
    return DimodSampler(sampler=sampler, options={}, parameters=parameters, composites=composites)


@pytest.fixture
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(4, 3), (4,), (3,)]))


@pytest.fixture
def allow(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Allow this module's samplers and dimod's, as a user would."""
    monkeypatch.setattr(targets, "ALLOWED", (__name__, "dimod"))
    return monkeypatch


class Odd(dimod.Sampler):
    """Sampler without num_reads, seed and initial states; it reverses its variables, and returns one state twice."""

    properties: ClassVar[dict] = {}
    parameters: ClassVar[dict] = {"depth": []}

    def __init__(self, word: str = ""):
        self.word = word

    def sample(self, bqm: dimod.BinaryQuadraticModel, depth: int = 0) -> dimod.SampleSet:
        order = list(bqm.variables)[::-1]
        rows = [[int(v == 0) for v in order], [int(v == 1) for v in order]]
        return dimod.SampleSet.from_samples_bqm((rows, order), bqm, num_occurrences=[2, 1])


class NoSampler:
    pass


def test_simulated_annealing_at_one_temperature_draws_from_boltzmann(rbm: RBM) -> None:
    device = wrapped(
        beta_range=[1.0, 1.0], num_sweeps=60, proposal_acceptance_criteria="Gibbs", randomize_order=True
    ).open(0, CPU)
    n = 10_000
    reads = device.sample_rbm(rbm, n, seed=3)
    x, states = torch.cat([reads.v, reads.h], 1), torch.tensor(list(product((0.0, 1.0), repeat=7)))
    expected = n * torch.softmax(-energies(units_of_rbm(rbm), states).double(), 0)
    found = torch.bincount((x @ 2 ** torch.arange(6, -1, -1).float()).long(), minlength=128)
    assert float(((found - expected) ** 2 / expected).sum()) < 127 + 5 * (2 * 127) ** 0.5


@pytest.mark.parametrize("name", ["SimulatedAnnealingSampler", "TabuSampler", "SteepestDescentSampler"])
def test_annealing_tabu_search_and_steepest_descent_find_the_ground_state(name: str, rbm: RBM) -> None:
    reads = wrapped(f"dwave.samplers.{name}").open(0, CPU).sample_rbm(rbm, 30, seed=1)
    states = torch.tensor(list(product((0.0, 1.0), repeat=7)))
    lowest = energies(units_of_rbm(rbm), states).min()
    assert float(energy(rbm, reads.v, reads.h).min()) == pytest.approx(float(lowest), rel=1e-5)


def test_chains_start_at_the_given_hidden_states_and_conditional_visible_states(rbm: RBM) -> None:
    """Without any step, the initial states are v ~ p(v|h) and the given h."""
    device = wrapped(num_sweeps=1, beta_range=[1e-9, 1e-9], proposal_acceptance_criteria="Gibbs")
    h = torch.tensor([1.0, 0.0, 1.0]).repeat(500, 1)
    start = device.open(0, CPU)._start(rbm, h, seed=1)
    x = torch.from_numpy(start["initial_states"][0]).float()
    assert torch.equal(x[:, 4:], h)
    assert (x[:, :4].mean(0) - torch.sigmoid(rbm.a + h[0] @ rbm.W.t())).abs().max() < 0.12
    descended = wrapped("dwave.samplers.SteepestDescentSampler").open(0, CPU)
    ground = descended.sample_rbm(rbm, 20, seed=1)
    again = descended.sample_rbm(rbm, 20, seed=2, initial_hidden=ground.h)
    assert float(energy(rbm, again.v, again.h).max()) < 0


def test_seeds_of_63_bits_are_reduced_to_distinct_seeds_of_31_bits(rbm: RBM, monkeypatch: pytest.MonkeyPatch) -> None:
    device, seen = wrapped(num_sweeps=1).open(0, CPU), []
    original = device.inner.sample

    def spy(bqm: Any, **call: Any) -> Any:
        seen.append(call["seed"])
        return original(bqm, **call)

    monkeypatch.setattr(device.inner, "sample", spy)
    for seed in (0, 1, 2**62, 2**63 - 1):
        device.sample_rbm(rbm, 2, seed)
    assert len(set(seen)) == 4
    assert all(0 <= seed < 2**31 for seed in seen)


def test_an_allowed_class_that_takes_no_reads_seed_or_initial_states_can_be_used(
    rbm: RBM, allow: pytest.MonkeyPatch
) -> None:
    device = DimodSampler(
        sampler=f"{__name__}.Odd", options={"word": "told"}, parameters={"depth": 3}, composites=()
    ).open(0, CPU)
    assert device.inner.word == "told"
    reads = device.sample_rbm(rbm, 5, seed=1)
    assert reads.v[:, 0].tolist() == [1, 1, 0, 1, 1], "one state twice, the other once, and round again"
    assert reads.v[:, 1].tolist() == [0, 0, 1, 0, 0]
    assert not reads.h.any()
    assert (reads.cost, reads.info) == ({"reads": 5.0}, {"answered": 3.0})
    with pytest.raises(UserError, match=r"Odd takes no initial_states, .* Set model.negative=device\."):
        device.sample_rbm(rbm, 5, seed=1, initial_hidden=torch.zeros(5, 3))


def test_composites_wrap_the_sampler(rbm: RBM, allow: pytest.MonkeyPatch) -> None:
    device = wrapped("dimod.ExactSolver", ("dimod.TrackingComposite",)).open(0, CPU)
    assert isinstance(device.inner, dimod.TrackingComposite)
    assert isinstance(device.inner.child, dimod.ExactSolver)
    reads = device.sample_rbm(rbm, 4, seed=1)
    assert reads.v.shape == (4, 4)


def test_a_class_that_is_not_allowed_is_refused_with_the_allowed_classes() -> None:
    with pytest.raises(BoundsError) as refusal:
        wrapped("dwave.samplers.SimulatedAnealingSampler")
    told = str(refusal.value)
    assert "sampler=dwave.samplers.SimulatedAnealingSampler is not allowed: there is dwave.samplers.Sim" in told
    assert "dwave.samplers.TabuSampler" in told
    assert "neurobench.plugins" in told
    assert "NEUROBENCH_ALLOW" in told
    assert "Did you mean dwave.samplers.SimulatedAnnealingSampler?" in told
    for name in ("builtins.open", "os.system", f"{__name__}.Odd", "dimod.ExactSolver"):
        with pytest.raises(BoundsError, match="is not allowed"):
            wrapped(name)
    with pytest.raises(BoundsError, match="composites=os.system is not allowed"):
        wrapped(composites=("os.system",))


def test_allowing_a_package_allows_its_classes_but_no_package_with_the_same_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(targets, "ALLOWED", ("dim", "dimod.reference"))
    assert wrapped("dimod.reference.samplers.ExactSolver")
    with pytest.raises(BoundsError, match="dimod.ExactSolver is not allowed"):
        wrapped("dimod.ExactSolver")


def test_a_plugin_allows_its_own_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "plugin_targets", lambda: {f"{__name__}.Odd": "a-package"})
    assert wrapped(f"{__name__}.Odd")
    with pytest.raises(BoundsError, match="NoSampler is not allowed"):
        wrapped(f"{__name__}.NoSampler")


def test_the_error_for_a_missing_package_says_what_to_install(allow: pytest.MonkeyPatch) -> None:
    allow.setattr(specs, "is_installed", lambda module: False)
    ((key, sentence),) = wrapped().absent_extras()
    assert key == "sampler"
    assert sentence.endswith("which is not installed: in a checkout, pip install -e '.[annealing]'")
    allow.undo()
    allow.setattr(targets, "ALLOWED", ("no_such_package",))
    ((_, sentence),) = wrapped("no_such_package.deep.Sampler").absent_extras()
    assert "needs no_such_package.deep, which is not installed" in sentence


def test_a_class_that_does_not_exist_or_is_not_a_sampler_is_refused(allow: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"there is no ExactSolve in dimod\. Did you mean ExactSolver\?"):
        wrapped("dimod.ExactSolve").open(0, CPU)
    with pytest.raises(UserError, match=r"NoSampler is not a dimod\.Sampler"):
        wrapped(f"{__name__}.NoSampler").open(0, CPU)


def test_an_unknown_parameter_of_the_sampler_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"has no parameter num_sweep; it has .* Did you mean num_sweeps\?"):
        wrapped(num_sweep=10).open(0, CPU)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"num_sweeps": 0}, "parameters.num_sweeps=0 is not at least 1"),
        ({"num_sweeps": 1.5}, "parameters.num_sweeps=1.5 is not an integer"),
        ({"timeout": 0}, "parameters.timeout=0 is not above 0 (in milliseconds)"),
        ({"beta_range": [0.0, 1.0]}, "parameters.beta_range=[0.0, 1.0] is not a list, each a number above 0"),
        ({"beta_range": [2.0, 1.0]}, "parameters.beta_range=[2.0, 1.0] is not [hottest, coldest], an ascending pair"),
        ({"beta_range": [1.0]}, "parameters.beta_range=[1.0] is not [hottest, coldest], an ascending pair"),
        ({"seed": 3}, "parameters.seed=3 cannot be set: it follows from the seed of the run"),
        ({"num_reads": 3}, "parameters.num_reads=3 cannot be set: the model sets the number of reads"),
    ],
)
def test_an_invalid_value_is_refused_with_a_specific_message(bad: dict, sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        wrapped(**bad)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("field", ["options", "parameters"])
@pytest.mark.parametrize("value", [None, 5, "text"])
def test_arguments_that_are_no_section_of_keys_are_refused(field: str, value: Any) -> None:
    with pytest.raises(BoundsError) as refusal:
        DimodSampler(sampler=NEAL, **{"options": {}, "parameters": {}, "composites": (), field: value})
    assert f"{field}={value!r} is not a section of keys" in str(refusal.value)
