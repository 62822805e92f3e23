"""Promises of every spiking core: plain numbers that a kernel can be given, and a chip that knows what it can hold."""

from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import composer
from neurobench.devices.core.loihi import Loihi2
from neurobench.devices.core.protocol import Core
from neurobench.devices.core.sim_core import SimulatedCore
from neurobench.experiment.plan import backends

OFFERING = sorted(name for name, devices in backends().items() if "core" in devices)


def opened(backend: str) -> Core:
    with composer() as compose:
        section: Any = OmegaConf.to_container(compose([f"backend={backend}", "model=slayer_snn"]).backend.core)
    return instantiate(section).open(0, torch.device("cpu"))


@pytest.mark.parametrize("backend", OFFERING)
def test_a_core_is_a_record_of_numbers_in_range(backend: str) -> None:
    core = opened(backend)
    assert core.arithmetic in ("fixed", "float")
    assert 0 < core.v_limit <= core.u_limit <= 2**30, "the kernels add two states in 32 bits"
    for low, high in (core.i_decay, core.v_decay):
        assert 0 <= low < high <= 4096
    assert core.threshold_mantissa == 2**17 - 1


def test_the_chip_has_24_bits_of_state_and_12_of_decay() -> None:
    core = Loihi2().open(0, torch.device("cpu"))
    assert (core.u_limit, core.v_limit) == (2**23, 2**23 - 1)
    assert (core.i_decay, core.v_decay) == ((1, 4096), (0, 4095))


def test_what_fits_on_the_chip() -> None:
    assert Loihi2().misfit(2312, 512, 512, 10) is None
    full = Loihi2(cores=2, neurons_per_core=8)
    assert full.misfit(100, 10, 6) is None
    assert full.misfit(100, 11, 6) == "17 neurons are asked for; the chip has 2 cores of 8"
    words = Loihi2(synapses=1059).misfit(100, 10, 6)
    assert words is not None
    assert words.startswith("1060 synapses are asked for")


def test_bounds() -> None:
    with pytest.raises(BoundsError, match="state_bits=32"):
        Loihi2(state_bits=32)
    with pytest.raises(BoundsError, match="arithmetic='int8' is not one of fixed, float"):
        SimulatedCore("int8")  # type: ignore[arg-type]
