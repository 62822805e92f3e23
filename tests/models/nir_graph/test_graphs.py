"""NIR graphs run according to their equations, are exported unchanged, and are refused with the faulty node's name."""

import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurobench.config.errors import UserError
from neurobench.data.dataset import Batch, Split
from neurobench.data.events import Events
from neurobench.models.learner import Initial, Seeds, Step, Task
from neurobench.models.nir_graph.dynamics import Dynamics
from neurobench.models.nir_graph.files import with_parameters
from neurobench.models.nir_graph.learner import NIRGraphLearner, exports
from neurobench.models.nir_graph.network import GraphNetwork
from neurobench.problems.nir_file import read_nir
from tests.specs import spec

nir = pytest.importorskip("nir", reason="the extra spiking is not installed")
CPU = torch.device("cpu")


def written(graph: Any) -> bytes:
    memory = io.BytesIO()
    nir.write(memory, graph)
    return memory.getvalue()


def full(value: Any, n: int = 2) -> np.ndarray:
    return np.broadcast_to(np.asarray(value, np.float64), n).copy()


def graph(nodes: dict[str, Any], edges: list[tuple[str, str]] | None = None, n: int = 2, dt: float = 1.0) -> Any:
    ends = {"input": nir.Input({"input": np.array([n])})}, {"output": nir.Output({"output": np.array([2])})}
    everything = {**ends[0], **nodes, **ends[1]}
    return nir.NIRGraph(everything, edges or [*pairwise(everything)], metadata={"dt": dt}, type_check=False)


def cuba(**changes: Any) -> Any:
    values = {"tau_syn": 4, "tau_mem": 8, "r": 8, "w_in": 4, "v_leak": 0, "v_threshold": 1, "v_reset": 0, **changes}
    return nir.CubaLIF(**{name: full(value) for name, value in values.items()})


EULER = Dynamics(1.0)


def run(content: bytes, x: np.ndarray, how: Dynamics = EULER) -> tuple[np.ndarray, dict[str, Any]]:
    membranes: dict[str, Any] = {}
    network = GraphNetwork(read_nir(content, "file"), how, CPU, torch.float64)
    return network.run(torch.from_numpy(x), membranes).numpy(), membranes


def test_a_current_based_neuron_matches_rational_arithmetic() -> None:
    """du = (w_in x - u) dt / tau_syn, dv = (leak - v + r u) dt / tau_mem, in fractions, without rounding."""
    x = np.random.default_rng(0).integers(0, 3, 12) / 4
    file = written(graph({"n": cuba(v_leak=0.25, v_reset=-0.5, r=2, w_in=3)}))
    y, membranes = run(file, np.stack([x, x], 1)[:, None])
    u = v = Fraction(0)
    for t, value in enumerate(x):
        u += (3 * Fraction(value) - u) / 4
        v += (Fraction(1, 4) - v + 2 * u) / 8
        fires = v > 1
        v = Fraction(-1, 2) if fires else v
        assert y[t, 0, 0] == fires
        assert membranes["n"][t, 0, 0].item() == pytest.approx(float(v), abs=1e-12)


def test_schemes_resets_and_ties_match_their_closed_forms() -> None:
    ones = np.ones((5, 1, 2))
    leak = written(graph({"n": nir.LI(full(8), full(3), full(0))}))
    exact = 3 * (1 - np.exp(-np.arange(1, 6) / 8))
    assert run(leak, ones, Dynamics(1.0, "exponential"))[0][:, 0, 0] == pytest.approx(exact)
    fires = written(graph({"n": nir.IF(full(1), full(1.5))}))
    assert run(fires, ones)[0][:, 0, 0].tolist() == [0, 1, 0, 1, 0]
    assert run(fires, ones, Dynamics(1.0, reset="subtract"))[0][:, 0, 0].tolist() == [0, 1, 0, 1, 1]
    tied = written(graph({"n": nir.IF(full(1), full(2))}))
    assert run(tied, ones)[0][:, 0, 0].tolist() == [0, 0, 1, 0, 0]
    assert run(tied, ones, Dynamics(1.0, tie="reached"))[0][:, 0, 0].tolist() == [0, 1, 0, 1, 0]
    step = written(graph({"n": nir.LI(full(1), full(1), full(0)), "t": nir.Threshold(full(1))}))
    assert run(step, ones)[0][:, 0, 0].tolist() == [0] * 5
    assert run(step, ones, Dynamics(1.0, tie="reached"))[0][:, 0, 0].tolist() == [1] * 5
    both = written(graph({"n": cuba(tau_syn=1, w_in=1, tau_mem=2, r=1)}))
    now, before = (run(both, ones, Dynamics(1.0, scheme))[1]["n"][:, 0, 0] for scheme in ("euler", "lagged"))
    assert before[1:].tolist() == now[:-1].tolist()
    assert run(fires, ones, Dynamics(1.0, "lagged"))[0].tolist() == run(fires, ones)[0].tolist()  # it has no current


def test_recurrent_spikes_arrive_a_step_later_and_delays_add_their_steps() -> None:
    nodes = {"n": nir.IF(full(1), full(0.5)), "w": nir.Linear(np.array([[0.0, 1.0], [0.0, 0.0]]))}
    nodes["d"] = nir.Delay(full([0, 2]))
    edges = [("input", "n"), ("n", "w"), ("w", "n"), ("n", "d"), ("d", "output")]
    x = np.zeros((6, 1, 2))
    x[1, 0, 1] = 1  # neuron 1 fires in step 1, and makes neuron 0 fire in step 2
    y, _ = run(written(graph(nodes, edges)), x)
    assert np.argwhere(y[:, 0]).tolist() == [[2, 0], [3, 1]]


def test_convolution_pooling_and_flattening_equal_torchs() -> None:
    weight, bias = np.random.default_rng(1).normal(size=(3, 2, 3, 3)), np.arange(3.0)
    nodes = {
        "c": nir.Conv2d((6, 6), weight, (1, 1), (1, 1), (1, 1), 1, bias),
        "p": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "f": nir.Flatten({"input": np.array((3, 3, 3))}, 0, -1),
    }
    ends = {"input": nir.Input({"input": np.array([2, 6, 6])})}, {"output": nir.Output({"output": np.array([27])})}
    everything = {**ends[0], **nodes, **ends[1]}
    x = np.random.default_rng(2).normal(size=(4, 2, 2, 6, 6))
    y, _ = run(written(nir.NIRGraph(everything, [*pairwise(everything)], type_check=False)), x)
    flat = torch.from_numpy(x).flatten(0, 1)
    c = torch.nn.functional.conv2d(flat, torch.from_numpy(weight), torch.from_numpy(bias), padding=1)
    expected = (4 * torch.nn.functional.avg_pool2d(c, 2)).flatten(1)
    assert y.reshape(8, 27) == pytest.approx(expected.numpy())


def test_a_nested_graph_gives_the_same_spikes_as_a_flat_one() -> None:
    x = np.random.default_rng(3).random((9, 2, 2))
    flat = run(written(graph({"w": nir.Linear(np.eye(2)), "n": cuba()})), x)[0]
    nested = graph({"w": nir.Linear(np.eye(2)), "sub": graph({"n": cuba()})})
    assert (run(written(nested), x)[0] == flat).all()
    assert flat.any()


@pytest.mark.parametrize(
    ("nodes", "edges", "sentence"),
    [
        ({"w": nir.Linear(np.eye(2))}, [("input", "output"), ("input", "w")], "its input is its output"),
        ({"w": nir.Linear(np.ones((2, 3)))}, None, r"node w reads 3 values; its input has shape \(2,\)"),
        (
            {"c": nir.Conv1d(2, np.ones((1, 1, 1)), 1, 0, 1, 1, np.zeros(1))},
            None,
            "node c is a Conv1d; supported are",
        ),
        ({"n": cuba(tau_mem=0)}, None, "node n has tau_mem of 0 s"),
        ({"d": nir.Delay(full(-1.0))}, None, "node d has a delay of -1 s; delays are at least 0"),
        (
            {"c": nir.Conv2d((2, 2), np.ones((1, 1, 1, 1)), 1, 0, 1, 1, np.ones(2))},
            None,
            r"node c has a bias of shape \(2,\) for 1 channels",
        ),
        (
            {"w": nir.Linear(np.eye(2))},
            [("input", "w"), ("ghost", "w"), ("w", "spook"), ("w", "output")],
            "its edges name ghost, spook, which it does not have",
        ),
        (
            {"n": cuba(r=np.nan), "m": cuba(tau_syn=-1)},
            None,
            r"node m has tau_syn of -1 s.*\. node n has r that is not finite",
        ),
        ({"w": nir.Linear(np.eye(2)), "lost": cuba()}, [("input", "w"), ("w", "output")], "from the input to lost"),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused_with_its_reason(nodes: Any, edges: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_nir(written(graph(nodes, edges)), "file")


def test_a_pool_with_a_stride_of_0_is_refused() -> None:
    made = graph({"p": nir.SumPool2d(np.array([1, 1]), np.array([0, 1]), np.array([0, 0]))})
    made.nodes["input"] = nir.Input({"input": np.array([2, 2, 2])})
    with pytest.raises(UserError, match=r"node p has a stride of \(0, 1\); it is at least 1"):
        read_nir(written(made), "file")


def test_the_axis_of_one_traced_sample_is_dropped_from_an_inputs_shape() -> None:
    made = graph({"w": nir.Linear(np.eye(2)), "n": cuba()})
    made.nodes["input"] = nir.Input({"input": np.array([1, 2])})
    assert read_nir(written(made), "file").shapes[""] == (2,)


def test_a_delay_that_is_not_a_whole_number_of_steps_is_refused() -> None:
    with pytest.raises(UserError, match="node d delays by 1.5 s, 1.5 steps of 1 s"):
        run(written(graph({"d": nir.Delay(full([1, 1.5]))})), np.zeros((3, 1, 2)))


@st.composite
def networks(draw: st.DrawFn) -> tuple[Any, int]:
    """Layers of random neurons, some with recurrent weights, some with delays."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes: dict[str, Any] = {}
    edges, last = [], "input"
    for k in range(draw(st.integers(1, 3))):
        way = [f"w{k}", f"n{k}", *([f"d{k}"] if draw(st.booleans()) else [])]
        nodes[f"w{k}"] = nir.Linear(rng.normal(size=(2, 2)).astype(np.float32))
        taus = {name: rng.integers(1, 9, 2) for name in ("tau_syn", "tau_mem")}
        nodes[f"n{k}"] = cuba(**taus, v_threshold=rng.random(2), v_reset=-rng.random(2))
        if len(way) == 3:
            nodes[f"d{k}"] = nir.Delay(full(rng.integers(0, 4, 2)))
        edges += [*pairwise([last, *way])]
        if draw(st.booleans()):
            nodes[f"r{k}"] = nir.Affine(
                rng.normal(size=(2, 2)).astype(np.float32), rng.normal(size=2).astype(np.float32)
            )
            edges += [(f"n{k}", f"r{k}"), (f"r{k}", f"n{k}")]
        last = way[-1]
    return graph(nodes, [*edges, (last, "output")]), draw(st.integers(0, 99))


@settings(max_examples=12, deadline=None)
@given(networks())
def test_random_networks_spike_identically_after_a_round_trip_through_nir(made: tuple[Any, int]) -> None:
    content = written(made[0])
    x = np.random.default_rng(made[1]).normal(size=(10, 2, 2))
    network = GraphNetwork(read_nir(content, "file"), Dynamics(1.0), CPU)
    again = with_parameters(content, network.parameters, 1.0)
    (y, v), (other, w) = run(content, x), run(again, x)
    assert (y == other).all()
    assert all((v[name] == w[name]).all() for name in v)


def learner(**changes: Any) -> NIRGraphLearner:
    made = spec("model/nir_graph", **{"hidden": (8,), "length": 100.0, "dt": 10.0, **changes})
    return made.build(Task("events", (2, 34, 34), 10), Seeds(0, 1, 2, 3), {}, CPU)


def test_a_nir_graph_learns_and_is_restored_from_its_exported_file_and_its_state(tmp_path: Path) -> None:
    one, few = learner(lr=0.01), spec("dataset/nmnist", validation=0).load(0).train.head(8)
    losses = [one.learn(few.batch(slice(None)), Step(k, 20, 0)).loss for k in range(20)]
    assert losses[-1] < 0.8 * losses[0]
    assert set(exports(one)) == set(one.spec.formats)
    file = tmp_path / "one.nir"
    file.write_bytes(exports(one)["nir"]())
    again, third = learner(), learner()
    again.start(few, Initial("one.nir", file, None))
    third.load_state_dict(one.state_dict())
    for other in (again, third):
        assert (other.predict(few.x) == one.predict(few.x)).all()
    made = spec("model/nir_graph").build(Task("events", (1, 2, 2), 10), Seeds(0, 1, 2, 3), {}, CPU)
    with pytest.raises(UserError, match=r"reads 2312 values .* a sample of this data set has 4"):
        made.start(few, Initial("one.nir", file, None))


def test_a_run_that_starts_from_another_has_the_step_that_was_set_there() -> None:
    few = spec("dataset/nmnist", validation=0).load(0).train.head(8)
    one, again = learner(dt=5.0), learner(dt=None)
    again.start(few, Initial("one", Path("outputs/one/1"), one.state_dict()))
    assert again.dt == one.dt == 5.0
    assert (again.predict(few.x) == one.predict(few.x)).all()


def test_weights_that_do_not_act_on_the_output_stay_as_they_are(tmp_path: Path) -> None:
    """Recurrent weights do not act in a single step."""
    nodes = {"n": nir.LI(full(10.0, 10), full(1, 10), full(0, 10)), "r": nir.Linear(np.eye(10))}
    edges, events = [("n", "r"), ("r", "n"), ("n", "output")], spec("dataset/nmnist", validation=0).load(0).train
    layer = {"w": nir.Linear(np.full((10, 2312), 0.01)), **nodes}
    ends = {"input": nir.Input({"input": np.array([2312])})}, {"output": nir.Output({"output": np.array([10])})}
    file, batch = tmp_path / "one.nir", events.batch(slice(4))
    file.write_bytes(written(nir.NIRGraph({**ends[0], **layer, **ends[1]}, [("input", "w"), ("w", "n"), *edges])))
    one = learner(dt=1.0, length=1.0, bin=300.0)
    one.start(events, Initial("one.nir", file, None))
    before = {name: part.clone() for name, part in one.network.parameters.items()}
    one.learn(batch, Step(0, 1, 0))
    changed = {name: not torch.equal(part, before[name]) for name, part in one.network.parameters.items()}
    assert changed == {"w.weight": True, "r.weight": False}


def test_training_a_graph_without_weights_is_refused(tmp_path: Path) -> None:
    file, task = tmp_path / "one.nir", Task("events", (1, 2, 1), 2)
    file.write_bytes(written(graph({"n": cuba()})))
    one = spec("model/nir_graph", length=5.0, dt=1.0).build(task, Seeds(0, 1, 2, 3), {}, CPU)
    pixel = torch.tensor([0, 1]).byte()
    x = Events(torch.tensor([500, 500]).int(), 0 * pixel, pixel, 0 * pixel, torch.arange(3), (1, 2, 1))
    one.start(Split(x, torch.arange(2), torch.arange(2), ("a", "b")), Initial("one.nir", file, None))
    with pytest.raises(UserError, match=r"no weight of this graph acts on its output: .* Set model.lr=0"):
        one.learn(Batch(x, torch.arange(2)), Step(0, 1, 0))
