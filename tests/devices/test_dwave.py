"""Tests of `backend=dwave`: D-Wave's own software, its mock and a stand-in for a machine. Needs the extra `dwave`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dimod
import dimod.testing
import pytest
import torch

from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.devices.sampler import dwave_spec
from neurobench.devices.sampler.chips import CHIPS
from neurobench.devices.spec import Demand
from neurobench.experiment.plan import parse
from neurobench.problems.rbm import RBM, energy
from tests.devices.sapi_server import NAME, reachable
from tests.draws import uniform
from tests.specs import spec

CPU = torch.device("cpu")
TOKEN = "DEV-0123456789abcdef0123456789abcdef01234567"
Z6 = "Advantage2_system4"


def test_without_the_dwave_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dwave_spec, "is_installed", lambda module: False)
    ((key, sentence),) = spec("backend/dwave", "sampler").absent_extras()
    assert (key, sentence[:24]) == ("solver", "=mock needs dwave.system")
    assert sentence.endswith("pip install -e '.[dwave]'")


def test_the_mock_has_every_chip_of_the_emulated_annealer_and_refuses_the_same_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dwave_spec, "is_installed", lambda module: True)
    for name in CHIPS:
        mock, emulated = spec("backend/dwave", "sampler", chip=name), spec("backend/mock_qpu", "sampler", chip=name)
        for layers in ((30, 20), (784, 300)):
            refused = [bool(device.refuse(Demand(layers=layers))) for device in (mock, emulated)]
            assert refused == [layers == (784, 300)] * 2
    assert spec("backend/dwave", "sampler", solver="Advantage_system9").refuse(Demand(layers=(784, 300))) is None


@pytest.fixture(scope="module")
def system() -> Any:
    return pytest.importorskip("dwave.system", reason="needs the extra `dwave`")


@pytest.fixture(scope="module")
def mock(system: Any) -> Any:
    return spec("backend/dwave", "sampler", chip=Z6).open(0, CPU)


@pytest.fixture(scope="module")
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(30, 20), (30,), (20,)]))


def test_the_mock_fulfils_the_protocol_and_repeats_its_reads_for_a_seed(mock: Any, rbm: RBM) -> None:
    reads = mock.sample_rbm(rbm, 9, seed=2**62 + 3)
    assert (reads.v.shape, reads.h.shape, reads.v.dtype) == ((9, 30), (9, 20), torch.float32)
    assert set(torch.cat([reads.v, reads.h], 1).unique().tolist()) <= {0.0, 1.0}
    assert reads.cost == {"reads": 9.0, "programmings": 1.0}, "the mock's times are made up"
    assert 0 <= reads.info["chain_breaks"] < 0.5
    again, other = (mock.sample_rbm(rbm, 9, seed) for seed in (2**62 + 3, 4))
    assert torch.equal(again.v, reads.v)
    assert not torch.equal(other.v, reads.v)
    assert mock.irreproducible is None
    coins = energy(rbm, *((uniform(200, n, seed=n) < 0.5).float() for n in (30, 20)))
    assert float(energy(rbm, reads.v, reads.h).mean()) < float(coins.mean()) - 2 * float(coins.std())


def test_the_mock_is_a_dimod_sampler_that_returns_energies_of_the_given_model(mock: Any) -> None:
    dimod.testing.assert_sampler_api(mock)
    for bqm in (
        dimod.BinaryQuadraticModel({"a": 1.0, "b": -2.0, 3: 0.5}, {("a", "b"): 1.5, ("b", 3): -1.0}, 2.0, "BINARY"),
        dimod.BinaryQuadraticModel({0: 0.1}, {(0, 1): -1.0, (1, 2): 1.0, (0, 2): 0.3}, -1.0, "SPIN"),
        dimod.BinaryQuadraticModel("SPIN"),
    ):
        found = mock.sample(bqm, num_reads=5, seed=1)
        dimod.testing.assert_response_energies(found, bqm)
    lowest = dimod.ExactSolver().sample(bqm := dimod.generators.gnp_random_bqm(8, 0.6, "SPIN", random_state=3)).first
    assert mock.sample(bqm, num_reads=50, seed=1).first.energy == pytest.approx(lowest.energy)


def test_initial_states_zero_reads_and_oversized_models_are_refused(mock: Any, rbm: RBM) -> None:
    with pytest.raises(UserError, match=r"reprograms the QPU .* Set model.negative=device\."):
        mock.sample_rbm(rbm, 4, seed=1, initial_hidden=torch.ones(4, 20))
    with pytest.raises(ValueError, match="num_reads=0 is not at least 1"):
        mock.sample_rbm(rbm, 0, seed=1)
    big = RBM(torch.zeros(90, 80), torch.zeros(90), torch.zeros(80))
    with pytest.raises(UserError, match="90x80 units do not fit on D-Wave's mock"):
        mock.sample_rbm(big, 1, seed=1)


def test_out_of_range_problems_are_scaled_down_or_refused_without_auto_scale(system: Any, rbm: RBM, mock: Any) -> None:
    manual = spec("backend/dwave", "sampler", chip=Z6, auto_scale=False, prefactor=50.0).open(0, CPU)
    manual.search = mock.search  # searched once
    with pytest.raises(UserError, match=r"exceeds \w+=\[.*\] of D-Wave's mock .* times and auto_scale is off"):
        manual.sample_rbm(rbm, 1, seed=1)
    sent: list[dimod.BinaryQuadraticModel] = []
    scaled = spec("backend/dwave", "sampler", chip=Z6, prefactor=50.0).open(0, CPU)
    scaled.search = mock.search
    ask = scaled.solver.sample
    scaled.solver.sample = lambda bqm, **words: (sent.append(bqm.copy()), ask(bqm, **words))[1]
    scaled.sample_rbm(rbm, 1, seed=1)
    assert max(abs(bias) for bias in sent[0].linear.values()) <= 4 + 1e-9
    assert all(-2 - 1e-9 <= bias <= 1 + 1e-9 for bias in sent[0].quadratic.values())


def test_reads_that_are_all_discarded_are_refused_with_the_setting_that_discards_them(rbm: RBM, mock: Any) -> None:
    weak = spec("backend/dwave", "sampler", chip=Z6, repair="discard", chain_strength=1e-3).open(0, CPU)
    weak.search = mock.search
    with pytest.raises(UserError, match=r"repair=discard: none of 3 reads .* Set backend.sampler.repair=majority_vote"):
        weak.sample_rbm(rbm, 3, seed=1)


@pytest.fixture
def machine(system: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stand-in for D-Wave's service on the loopback address, reached by D-Wave's own client."""
    with reachable(monkeypatch, {}, TOKEN) as service:
        yield service


RUN = [
    *("experiment=dynex_qrbm_qpu_device", "scale=smoke", "threads=1", "backend=dwave", "model.downsample=4"),
    *("model.n_hidden=8", f"backend.sampler.solver={NAME}"),
]


def run(outputs: Path, *words: str) -> Any:
    from rich.console import Console

    from neurobench.experiment.execute import execute

    with composer() as compose:
        plan = parse(compose([*RUN, f"outputs={outputs}", *words]))
    return execute(plan, Console(quiet=True))


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_run_on_a_machine_warns_that_it_is_not_reproducible_and_stores_no_token(machine: Any, tmp_path: Path) -> None:
    folder = run(tmp_path)
    result = folder.result()
    assert "not reproducible: D-Wave's Advantage2_system1.11 takes no seed" in result["warnings"]
    assert result["device_costs"]["sampler"]["device_seconds"] > 0
    assert result["machines"]["sampler"] == {"name": NAME, "graph_id": "01", "device_seconds": "measured"}
    assert TOKEN.encode() not in written(tmp_path)


def test_a_failure_of_a_machine_is_reported_without_the_token(
    machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dwave.cloud.solver import StructuredSolver

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"401 for token {os.environ['DWAVE_API_TOKEN']}") from ValueError(TOKEN)

    monkeypatch.setattr(StructuredSolver, "sample_bqm", fail)
    with pytest.raises(UserError, match=r"Advantage2_system1.11: RuntimeError: 401 for token \*\*\*\. .*dwave ping"):
        run(tmp_path)
    assert b"401 for token ***" in written(tmp_path)
    assert TOKEN.encode() not in written(tmp_path)


def test_a_dry_run_estimates_costs_but_no_price_and_sends_no_problem(machine: Any) -> None:
    from neurobench.experiment.estimate import estimate, lines

    with composer() as compose:
        plan = parse(compose([*RUN, "backend.sampler.max_shots=1"]))
    made = estimate(plan)
    assert machine.jobs == {}
    assert made.prices == {"sampler": "no list price is stored: D-Wave bills access time"}
    costs = made.phases["training"]["sampler"]
    assert set(costs) == {"calls", "reads", "programmings", "device_seconds"}
    # D-Wave's data sheet: programming and thermalization once, then reads of 20 us, each with a delay and a readout.
    read = costs["device_seconds"] - 15072.88e-6 * costs["programmings"]
    assert (20 + 20.54 + 10**1.539) * 1e-6 < read / costs["reads"] < (20 + 20.54 + 10**2.372) * 1e-6
    assert "limit      sampler: max_shots=1 would be exceeded" in lines(made, {"sampler": {"max_shots": 1}})


@pytest.mark.parametrize("mode", ["no rows", "infinite", "other energies"])
def test_invalid_answers_are_refused_with_the_machines_name(machine: Any, rbm: RBM, mode: str) -> None:
    device = spec("backend/dwave", "sampler", solver=NAME).open(0, CPU)
    machine.answers = mode
    small = RBM(rbm.W[:6, :4], rbm.a[:6], rbm.b[:4])
    with pytest.raises(UserError, match=r"^D-Wave's Advantage2_system1\.11"):
        device.sample_rbm(small, 3, seed=1)
