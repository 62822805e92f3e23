"""The HDF5 file for lava gives the same spikes in an integer simulation independent of this package."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurobench.models.learner import Initial
from neurobench.models.slayer.exports import formats
from neurobench.models.slayer.spikes import as_dense
from tests.models.slayer.conftest import learner, recordings

h5py = pytest.importorskip("h5py", reason="the extra spiking is not installed")


def simulated(file: Path, x: np.ndarray) -> np.ndarray:
    """Arrivals (T, N, C) of the last layer, in integers of 1/4096, according to lava's documentation of the CUBA neuron
    and of netx's keys. x (T, N, I)."""
    with h5py.File(file) as net:
        for k in range(len(net["layer"])):
            layer = net[f"layer/{k}"]
            weight = layer["weight"][()].astype(np.int64)
            i_decay, v_decay, threshold = (int(layer[f"neuron/{key}"][()]) for key in ("iDecay", "vDecay", "vThMant"))
            late = 1 + (layer["delay"][()].astype(int) if "delay" in layer else np.zeros(len(weight), int))
            u = v = np.zeros((x.shape[1], len(weight)), np.int64)
            y = np.zeros((len(x), *u.shape), np.int64)
            for t, step in enumerate(x.astype(np.int64)):
                u = np.trunc(u * (4096 - i_decay) / 4096).astype(np.int64) + 64 * (step @ weight.T)
                v = np.trunc(v * (4096 - v_decay) / 4096).astype(np.int64) + u
                fires = v > 64 * threshold
                v = np.where(fires, 0, v)
                for c in np.flatnonzero(t + late < len(x)):
                    y[t + late[c], :, c] = fires[:, c]
            x = y
    return x


NETWORKS = st.fixed_dictionaries(
    {
        "hidden": st.lists(st.integers(3, 20), min_size=1, max_size=3).map(tuple),
        "delay": st.booleans(),
        "weight_norm": st.booleans(),
        "current_decay": st.floats(0.05, 0.9),
        "voltage_decay": st.floats(0.01, 0.3),
        "threshold": st.sampled_from([0.5, 1.25]),
    }
)


@given(NETWORKS, st.integers(0, 2**31))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_networks_spike_identically_after_a_round_trip_through_netx(
    tmp_path: Path, network: dict[str, Any], seed: int
) -> None:
    """Both in an independent integer simulation of the file, and in a network started from it."""
    one, other = (learner(length=80.0, **network) for _ in range(2))
    generator = torch.Generator().manual_seed(seed)
    for layer in one.layers:
        layer.v.copy_(torch.randint(-8, 14, layer.v.shape, generator=generator) / 8)
        layer.v[0] = 1.0  # no neuron without a weight
        if layer.g is not None:
            layer.g.copy_(layer.v.square().sum(0).sqrt())
        if layer.delay is not None:
            layer.delay.copy_(torch.randint(0, 9, layer.delay.shape, generator=generator))
    one.quantized = one._quantize()
    file = tmp_path / "model.net"
    file.write_bytes(formats(one)["netx"]())
    inputs = one.inputs(recordings().train.head(2).x)
    ours = one.engine.run(inputs, one.quantized).y.transpose(0, 1).numpy().copy()
    assert ours.any()
    assert (simulated(file, as_dense(inputs).numpy()) == ours).all()
    other.start(recordings().train, Initial("model.net", file, None))
    again = other.engine.run(inputs, other.quantized).y.transpose(0, 1).numpy()
    assert (again == ours).all()
