"""Graphs of other programs with strange values, axes and steps: what cannot be computed is refused by name, and an
exported file computes what was computed before."""

import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.data.dataset import Split
from neurobench.data.events import Events
from neurobench.models.learner import Initial
from neurobench.models.nir_graph import learner as module
from neurobench.models.nir_graph.files import with_parameters
from neurobench.models.nir_graph.learner import exports, same_order
from neurobench.problems.nir_file import read_nir
from tests.models.nir_graph.test_graphs import cuba, full, graph, learner, written
from tests.specs import spec

nir = pytest.importorskip("nir", reason="the extra spiking is not installed")


def few() -> Split:
    """Four recordings, cut to the 30 ms that the learners here read."""
    split = spec("dataset/nmnist", validation=0).load(0).train.head(4)
    x = split.batch(slice(None)).x
    assert isinstance(x, Events)
    early = x.t < 30_000
    start = torch.cat([torch.zeros(1, dtype=torch.int64), x.recording()[early].bincount().cumsum(0)])
    return replace(split, x=Events(x.t[early], x.x[early], x.y[early], x.p[early], start, x.sensor))


def network(shape: tuple[int, ...] = (2312,), tau: float = 8e-3, dt: Any = 1e-3) -> Any:
    """Graph of weights and current-based neurons for N-MNIST, flattened first if its input has axes; dt: s, stated in
    its metadata if not None."""
    weight = np.random.default_rng(0).normal(size=(10, 2312)).astype(np.float32)
    times = {"tau_syn": full(tau / 2, 10), "tau_mem": full(tau, 10)}
    rest = {"r": 8, "w_in": 4, "v_leak": 0, "v_threshold": 1, "v_reset": 0}
    nodes = {"w": nir.Linear(weight), "n": nir.CubaLIF(**times, **{k: full(v, 10) for k, v in rest.items()})}
    if len(shape) > 1:
        nodes = {"flat": nir.Flatten({"input": np.array(shape)}, 0, -1), **nodes}
    ends = {"input": nir.Input({"input": np.array(shape)})}, {"output": nir.Output({"output": np.array([10])})}
    everything = {**ends[0], **nodes, **ends[1]}
    return nir.NIRGraph(
        everything, [*pairwise(everything)], metadata={} if dt is None else {"dt": dt}, type_check=False
    )


def started(tmp_path: Path, made: Any, **changes: Any) -> Any:
    """A learner that starts from the graph's file."""
    file = tmp_path / "net.nir"
    file.write_bytes(written(made))
    one = learner(**{"length": 30.0, "dt": None, **changes})
    one.start(few(), Initial("net.nir", file, None))
    return one


def conv(shape: tuple[int, ...] = (4, 2, 1, 1), **changes: Any) -> Any:
    values = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **changes}
    return nir.Conv2d((2, 2), np.ones(shape), bias=np.zeros(shape[0]), **values)


def pool(kernel: Any, stride: Any = (1, 1), padding: Any = (0, 0)) -> Any:
    return nir.SumPool2d(np.array(kernel), np.array(stride), np.array(padding))


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (conv((3, 1, 1, 1), groups=2), "has 3 output channels in 2 groups, which cannot be of one size"),
        (conv(groups=0), "has 4 output channels in 0 groups"),
        (conv(dilation=(0, 0)), r"has a dilation of \(0, 0\); it is at least 1"),
        (conv(padding=(-1, 0)), r"has a padding of \(-1, 0\); it is at least 0"),
        (conv(stride=(1.5, 1)), r"has a stride of \(1.5, 1.0\); it is one or two whole numbers"),
        (conv((4, 2, 1)), r"has weights of shape \(4, 2, 1\); they need four axes"),
        (pool((0, 0)), r"has a kernel_size of \(0, 0\); it is at least 1"),
        (pool((1, 1, 1)), r"has a kernel_size of \(1, 1, 1\); it is one or two whole numbers"),
        (pool((2, 2), padding=(2, 2)), r"has padding \(2, 2\), more than half of its windows of \(2, 2\)"),
        (nir.Linear(np.eye(2) * 1j), "has weight of complex numbers"),
        (nir.Scale(np.array([b"one", b"two"])), "has values that cannot be read: could not convert"),
    ],
)
def test_values_with_which_a_node_cannot_be_computed_are_refused_when_the_graph_is_read(
    node: Any, sentence: str
) -> None:
    made = graph({"strange": node})
    made.nodes["input"] = nir.Input({"input": np.array([2, 2, 2])})
    with pytest.raises(UserError, match=f"node strange {sentence}"):
        read_nir(written(made), "file")


def test_a_name_shared_by_a_node_and_one_of_a_subgraph_is_refused() -> None:
    with pytest.raises(UserError, match="a.n is the name of a node and of one in the graph a; rename one"):
        read_nir(written(graph({"a.n": cuba(), "a": graph({"n": cuba()})})), "file")


@pytest.mark.parametrize("dt", [0.0, -1e-3, np.nan, np.inf, "a millisecond", np.array([1e-3, 2e-3])])
def test_a_dt_that_is_no_time_is_refused_unless_the_user_sets_another(tmp_path: Path, dt: Any) -> None:
    with pytest.raises(UserError, match=r"net.nir: its metadata give a dt of .*Set model.dt, in ms"):
        started(tmp_path, network(dt=dt))
    assert started(tmp_path, network(dt=dt), dt=1.0).dt == 1.0


def test_axes_in_another_order_than_the_samples_are_refused_although_the_size_fits(tmp_path: Path) -> None:
    sentence = r"axes of \(34, 34, 2\); a sample of this data set has \(2, 34, 34\): polarities, rows, columns"
    with pytest.raises(UserError, match=sentence):
        started(tmp_path, network((34, 34, 2)))
    first = started(tmp_path, network()).predict(few().x)
    for shape in ((2, 34, 34), (2, 1156), (1, 2312)):
        assert torch.equal(started(tmp_path, network(shape)).predict(few().x), first), shape
    assert same_order((2, 34, 34), (1, 1, 2312))  # a flat data set has no order to contradict


def test_a_time_constant_shorter_than_a_step_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"n has tau_syn of 0.2 ms; node n has tau_mem of 0.4 ms: shorter than a step"):
        started(tmp_path, network(tau=4e-4))
    with warnings.catch_warnings(action="error"):
        started(tmp_path, network(tau=4e-4), dt=0.1)
        started(tmp_path, network(tau=4e-4), scheme="exponential")
        started(tmp_path, network(tau=2e-3))  # tau_syn is one step, rounded to float32


def test_an_assumed_step_is_warned_of(tmp_path: Path) -> None:
    """snnTorch's files state none; theirs is 0.1 ms."""
    with pytest.warns(UserWarning, match=r"net.nir states no dt: a step of 1 ms is assumed. .* set model.dt, in ms"):
        started(tmp_path, network(dt=None))
    with warnings.catch_warnings(action="error"):
        started(tmp_path, network())
        started(tmp_path, network(dt=None), dt=1.0)


def test_a_delay_longer_than_any_run_delays_forever(tmp_path: Path) -> None:
    made = network()
    made.nodes["d"] = nir.Delay(full(1e30, 10))
    made.edges = [edge for edge in made.edges if edge != ("n", "output")] + [("n", "d"), ("d", "output")]
    with warnings.catch_warnings(action="error"):
        assert not started(tmp_path, made).predict(few().x).any()


def test_an_exported_graph_states_the_step_in_which_it_was_run(tmp_path: Path) -> None:
    one = started(tmp_path, network(dt=None), dt=0.5, bin=1.0)
    (tmp_path / "again.nir").write_bytes(exports(one)["nir"]())
    again = learner(length=30.0, dt=None, bin=1.0)
    again.start(few(), Initial("again.nir", tmp_path / "again.nir", None))
    assert again.dt == 0.5
    assert torch.equal(again.predict(few().x), one.predict(few().x))
    assert not torch.equal(started(tmp_path, network(), bin=1.0).predict(few().x), one.predict(few().x))


def test_samples_of_many_steps_are_predicted_in_smaller_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = started(tmp_path, network())
    whole = one.predict(few().x)
    monkeypatch.setattr(module, "AT_ONCE", 30 * 2312)
    sizes: list[int] = []
    monkeypatch.setattr(one, "frames", lambda x: (sizes.append(len(x)), type(one).frames(one, x))[1])
    assert torch.equal(one.predict(few().x), whole)
    assert sizes == [1, 1, 1, 1]


def test_weights_in_subgraphs_whose_names_begin_alike_are_exported() -> None:
    made = graph({"a": graph({"x": nir.Linear(np.eye(2))}), "a.b": graph({"x": nir.Linear(np.eye(2))})})
    changed = with_parameters(written(made), {"a.b.x.weight": torch.full((2, 2), 7.0)}, 1.0)
    nodes = read_nir(changed, "file").nodes
    assert [nodes[name].weight.tolist() for name in ("a.x", "a.b.x")] == [np.eye(2).tolist(), [[7, 7], [7, 7]]]
