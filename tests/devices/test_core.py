"""Tests of spiking cores: plain numbers that kernels can use, and a chip that refuses networks that do not fit."""

import re
from typing import Any

import pytest
import torch

from neurobench.config.bounds import BoundsError
from neurobench.devices.core.specs import FixedCore, FloatCore
from neurobench.devices.spec import Demand
from tests.specs import CONF, spec

OFFERING = sorted(file.stem for file in CONF.glob("backend/*.yaml") if re.search("^core:", file.read_text(), re.M))
NEURON = {"current_decay": 0.25, "voltage_decay": 0.03, "threshold": 1.25}


def core(**changes: Any) -> Any:
    return spec("backend/sim", "core", **changes)


def loihi(**changes: Any) -> Any:
    return spec("backend/mock", "core", **changes)


def demand(*layers: int, **neuron: float) -> Demand:
    return Demand(layers=layers or (100, 10, 6), settings={**NEURON, **neuron})


@pytest.mark.parametrize("backend", OFFERING)
def test_the_core_of_each_backend_is_a_fixed_point_core_with_numbers_in_range(backend: str) -> None:
    opened = spec(f"backend/{backend}", "core").open(0, torch.device("cpu"))
    assert isinstance(opened, FixedCore)
    assert 0 < opened.v_limit <= opened.u_limit <= 2**30, "the kernels add two states in 32 bits"
    for low, high in (opened.i_decay, opened.v_decay):
        assert 0 <= low < high <= 4096
    assert opened.threshold_mantissa == 2**17 - 1


def test_the_chip_has_24_bits_of_state_and_12_of_decay() -> None:
    opened = loihi().open(0, torch.device("cpu"))
    assert (opened.u_limit, opened.v_limit) == (2**23, 2**23 - 1)
    assert (opened.i_decay, opened.v_decay) == ((1, 4096), (0, 4095))


def test_networks_with_too_many_neurons_or_synapses_are_refused() -> None:
    assert loihi().refuse(demand(2312, 512, 512, 10)) is None
    full = loihi(cores=2, neurons_per_core=8)
    assert full.refuse(demand(100, 10, 6)) is None
    assert full.refuse(demand(100, 11, 6)) == "17 neurons are needed; the chip has 2 cores of 8"
    words = loihi(synapses=1059).refuse(demand(100, 10, 6))
    assert words == "1060 synapses are needed; the chip has room for 1059. Use smaller layers"


@pytest.mark.parametrize(("name", "value"), [("current_decay", 0.0), ("voltage_decay", 1.0)])
def test_decays_outside_the_chips_range_are_refused_but_accepted_by_the_simulated_core(name: str, value: float) -> None:
    words = loihi().refuse(demand(**{name: value}))
    assert words is not None
    assert words.startswith(f"model.{name}={value:g} is {round(4096 * value)}/4096; this core's range from ")
    assert core().refuse(demand(**{name: value})) is None


def test_a_threshold_beyond_17_bits_is_accepted_only_by_floating_point_cores() -> None:
    words = "model.threshold=2048 is more than 131071/64, the core's largest"
    assert core().refuse(demand(threshold=2048)) == words
    assert core(arithmetic="float").refuse(demand(threshold=2048, current_decay=0.0)) is None
    assert core(arithmetic="float").open(0, torch.device("cpu")) == FloatCore()


def test_a_threshold_that_no_voltage_reaches_is_refused() -> None:
    """1.25 is 5120/4096: 14 bits hold up to 8191, 13 up to 4095. The largest threshold just fits into 24 bits."""
    assert loihi(state_bits=14).refuse(demand()) is None
    words = "model.threshold=1.25 is not below 4095/4096, the core's largest voltage: no neuron could fire"
    assert loihi(state_bits=13).refuse(demand()) == words
    assert loihi(state_bits=13).refuse(demand(threshold=63 / 64)) is None
    assert loihi().refuse(demand(threshold=131071 / 64)) is None
    assert loihi(state_bits=23).refuse(demand(threshold=131071 / 64)) is not None


def test_the_refusal_lists_every_reason_why_a_network_does_not_fit() -> None:
    words = loihi(cores=1, neurons_per_core=8).refuse(demand(current_decay=0.0, voltage_decay=1.0))
    assert words is not None
    for part in ("16 neurons", "model.current_decay=0 is 0/4096", "model.voltage_decay=1 is 4096/4096"):
        assert part in words


def test_invalid_state_bits_and_arithmetic_are_refused() -> None:
    with pytest.raises(BoundsError, match="state_bits=32"):
        loihi(state_bits=32)
    with pytest.raises(BoundsError, match="arithmetic='int8' is not one of fixed, float"):
        core(arithmetic="int8")
