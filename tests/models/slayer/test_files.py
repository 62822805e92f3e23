"""Exports give the same spikes when they are read again; foreign and damaged files are refused by path."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import h5py
import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.config.schema import Training
from neurobench.data.dataset import Split
from neurobench.experiment.exports import write_exports
from neurobench.experiment.loop import Loop
from neurobench.experiment.plan import Plan
from neurobench.models.learner import Initial, Step
from neurobench.models.slayer.exports import formats
from neurobench.models.slayer.learner import SlayerLearner
from neurobench.storage.folder import RunFolder
from tests.experiment.test_loop import Silent
from tests.models.slayer.conftest import learner, mock, recordings, sim


def four() -> Split:
    return recordings().train.head(4)


def started(file: Path, core: Any = None, **changes: Any) -> Any:
    """A learner that starts from a file."""
    one = learner(core, **{"hidden": (20, 15), **changes})
    one.start(four(), Initial(file.name, file, None))
    return one


@pytest.fixture(scope="module")
def trained() -> SlayerLearner:
    """A learner after three updates, with delays of several steps."""
    one = learner(hidden=(20, 15), lr=0.01)
    for layer in one.layers[:2]:
        layer.delay.mul_(7)
    one.quantized = one._quantize()
    for k in range(3):
        one.learn(four().batch(slice(None)), Step(k, 3, 0))
    return one


def spikes(one: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    act = one.engine.run(one.inputs(four().x), one.quantized)
    return act.y, act.fired


@pytest.mark.parametrize("core", [sim(), mock()], ids=["sim", "mock"])
@pytest.mark.parametrize(("kind", "suffix"), [("netx", "net"), ("nir", "nir"), ("pt", "pt")])
def test_an_exported_file_gives_the_same_spikes_when_it_is_read_again(
    trained: SlayerLearner, tmp_path: Path, kind: str, suffix: str, core: Any
) -> None:
    file = tmp_path / f"model.{suffix}"
    file.write_bytes(formats(trained)[kind]())
    again = started(file, core)
    (y, fired), (same_y, same) = spikes(trained), spikes(again)
    assert y.sum() > 0
    assert (y == same_y).all()
    for one, other in zip(fired, same, strict=True):
        assert (one == other).all()
    assert again.layers[0].D.round().tolist() == trained.layers[0].D.round().tolist()


def test_a_netx_file_contains_the_datasets_that_lava_expects(trained: SlayerLearner, tmp_path: Path) -> None:
    (tmp_path / "model.net").write_bytes(formats(trained)["netx"]())
    with h5py.File(tmp_path / "model.net") as file:
        first, last = file["layer/0"], file["layer/2"]
        assert first["type"][:].tolist() == [b"dense"]
        assert first["weight"].dtype == np.float32
        assert (first["weight"][:] == 2 * trained.quantized[0].W.numpy().T.astype(np.float32)).all()
        assert first["shape"][:].tolist() == [20]
        assert int(first["inFeatures"][()]) == 2312
        assert first["neuron/type"][()] == b"CUBA"
        assert int(first["neuron/vThMant"][()]) == 80
        assert int(first["neuron/iDecay"][()]) == 1024
        assert first["delay"][:].tolist() == trained.quantized[0].delay.tolist()
        assert "delay" not in last


def test_an_exported_state_has_the_keys_and_shapes_of_lava_dl(trained: SlayerLearner, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(formats(trained)["pt"]())
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert state["blocks.1.synapse.weight_v"].shape == (15, 20, 1, 1, 1)
    assert state["blocks.1.synapse.weight_g"].shape == (15, 1, 1, 1, 1)
    assert state["blocks.2.neuron.current_decay"].shape == (1,)
    assert "blocks.2.delay.delay" not in state


def odd(file: Any) -> None:
    file["layer/1/weight"][3, 2] = 7


def large(file: Any) -> None:
    file["layer/0/weight"][0, 0] = 256


def narrow(file: Any) -> None:
    del file["layer/1/inFeatures"]
    file["layer/1/inFeatures"] = 19


def undecayed(file: Any) -> None:
    del file["layer/2/neuron/iDecay"]


def pooled(file: Any) -> None:
    file["layer/1/type"][0] = b"pool"


def other_threshold(file: Any) -> None:
    file["layer/0/neuron/vThMant"][()] = 64


def put(path: str, value: Any) -> Callable[[Any], None]:
    def damage(file: Any) -> None:
        del file[path]
        file[path] = value

    return damage


def refused(file: Path, content: bytes, damage: Callable[[Any], None]) -> str:
    """Sentence with which a file with this content is refused once it has been damaged."""
    file.write_bytes(content)
    with h5py.File(file, "r+") as opened:
        damage(opened)
    with pytest.raises(UserError) as refusal:
        started(file)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (odd, "model.net:/layer/1/weight[3, 2] = 7 is not an even mantissa"),
        (large, "/layer/0/weight[0, 0] = 256 is outside -256 to 254"),
        (narrow, "/layer/1/inFeatures is 19; the layer before has 20 neurons"),
        (undecayed, "/layer/2/neuron/iDecay is missing"),
        (pooled, "/layer/1/type is pool; this model has dense layers only"),
        (other_threshold, "Set model.threshold=1"),
        (put("layer/0/neuron/type", "ALIF"), "/layer/0/neuron/type is ALIF; this model's neurons are CUBA"),
        (put("layer/0/neuron/gradedSpike", True), "/layer/0/neuron/gradedSpike is set"),
        (put("layer/0/neuron/iDecay", 10.7), "/layer/0/neuron/iDecay is 10.7, not a whole number"),
        (put("layer/0/neuron/vDecay", np.nan), "/layer/0/neuron/vDecay is nan, not a whole number"),
        (put("layer/1/weight", "words"), "model.net:/layer/1 cannot be read: "),
        (put("layer/1/type", np.array([], "S10")), "model.net:/layer/1 cannot be read: "),
    ],
)
def test_a_damaged_netx_file_is_refused_with_the_path_of_the_fault(
    trained: SlayerLearner, tmp_path: Path, damage: Callable[[Any], None], sentence: str
) -> None:
    assert sentence in refused(tmp_path / "model.net", formats(trained)["netx"](), damage)


NODE = "node/nodes/cuba1"


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (put(f"{NODE}/metadata/iDecay", 100), "node cuba1: its metadata give iDecay=100, its equations 1024"),
        (put(f"{NODE}/metadata/vDecay", "some"), "node cuba1: its metadata give vDecay=some, its equations 123"),
        (put(f"{NODE}/metadata/vThMant", 64), "node cuba1: its metadata give vThMant=64, its equations 80"),
        (put(f"{NODE}/tau_syn", np.full(15, 5e-4)), "node cuba1: tau_syn is 0.0005 s, shorter than a step of 0.001 s"),
        (put("node/nodes/delay0/delay", np.full(20, 1.5e-3)), "node delay0: a delay is 0.5 of a step of 0.001 s off"),
    ],
)
def test_a_nir_file_whose_values_contradict_each_other_or_the_step_is_refused_by_node(
    trained: SlayerLearner, tmp_path: Path, damage: Callable[[Any], None], sentence: str
) -> None:
    """Metadata that another program copied beside other equations would silently replace these."""
    assert sentence in refused(tmp_path / "model.nir", formats(trained)["nir"](), damage)


V = "blocks.0.synapse.weight_v"


@pytest.mark.parametrize(
    ("key", "change", "sentence"),
    [
        (V, lambda v: v * float("nan"), f"{V} contains numbers that are not finite"),
        (
            "blocks.0.delay.delay",
            lambda d: d + float("inf"),
            "blocks.0.delay.delay contains numbers that are not finite",
        ),
        (V, lambda v: v * 0, f"{V}: a neuron has no weight other than 0"),
        (V, lambda v: v * 1j, f"{V} is not a plain tensor of real numbers"),
        (V, lambda v: v.to_sparse(), f"{V} is not a plain tensor of real numbers"),
        (V, lambda v: "words", f"{V} is not a plain tensor of real numbers"),
        ("blocks.3.synapse.weight_v", lambda _: torch.zeros(10, 10, 1, 1, 1), "has more layers than this network's 3"),
    ],
)
def test_a_state_with_which_a_network_cannot_be_computed_is_refused_by_key(
    trained: SlayerLearner, tmp_path: Path, key: str, change: Callable[[Any], Any], sentence: str
) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(formats(trained)["pt"]())
    state = torch.load(file, weights_only=True)
    torch.save({**state, key: change(state.get(key))}, file)
    with pytest.raises(UserError, match="model.pt") as refusal:
        started(file)
    assert sentence in str(refusal.value)
    torch.save(torch.zeros(3), file)
    with pytest.raises(UserError, match="model.pt contains a Tensor, no state of tensors"):
        started(file)


def test_files_of_other_formats_or_sizes_are_refused(trained: SlayerLearner, tmp_path: Path) -> None:
    for name, what in (("a.net", "not an HDF5 file"), ("a.nir", "not a NIR graph"), ("a.pt", "no state of tensors")):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(UserError, match=what):
            started(tmp_path / name)
    (tmp_path / "b.net").write_bytes(formats(trained)["netx"]())
    with pytest.raises(UserError, match=r"layers of \(2312, 20, 15, 10\) neurons; this run's have \(2312, 9, 15, 10\)"):
        started(tmp_path / "b.net", hidden=(9, 15))
    (tmp_path / "b.pt").write_bytes(formats(trained)["pt"]())
    with pytest.raises(UserError, match=r"blocks.0.delay.delay has shape \(20,\); this network needs \(9,\)"):
        started(tmp_path / "b.pt", hidden=(9, 15))


def test_a_missing_package_is_named_with_its_extra(trained: SlayerLearner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(UserError, match=r"package nir: in a checkout, pip install -e '\.\[spiking\]'"):
        formats(trained)["nir"]()


def test_training_starts_from_the_weights_of_another_run(trained: SlayerLearner) -> None:
    run = Path("outputs/first/1")
    again = learner(hidden=(20, 15))
    again.start(four(), Initial("first", run, trained.state_dict()))
    assert (spikes(again)[0] == spikes(trained)[0]).all()
    with pytest.raises(UserError, match=r"model.init_from=first: outputs/first/1 contains no network of slayer_snn"):
        again.start(four(), Initial("first", run, {"rbm": {}}))
    with pytest.raises(UserError, match=r"model.init_from=first: outputs/first/1: layers.0.v has shape \(2312, 20\)"):
        learner().start(four(), Initial("first", run, trained.state_dict()))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("current_decay", 0.0, "layer 0 has a current decay of 0/4096; this core's range from 1 to 4096"),
        ("voltage_decay", 1.0, "layer 0 has a voltage decay of 4096/4096; this core's range from 0 to 4095"),
    ],
)
def test_a_file_whose_decays_a_chip_does_not_have_is_refused_not_changed(
    tmp_path: Path, field: str, value: float, sentence: str
) -> None:
    file = tmp_path / "a.net"
    file.write_bytes(formats(learner(hidden=(20, 15), **{field: value}))["netx"]())
    started(file, sim())
    with pytest.raises(UserError, match=sentence):
        started(file, mock())


@pytest.mark.parametrize("threshold", [0.1, 20.1, 1000.1])
def test_a_graph_of_floats_fits_the_threshold_it_was_trained_with_to_the_precision_of_the_file(
    tmp_path: Path, threshold: float
) -> None:
    core = sim(arithmetic="float")
    (tmp_path / "a.nir").write_bytes(formats(learner(core, hidden=(20, 15), threshold=threshold))["nir"]())
    started(tmp_path / "a.nir", core, threshold=threshold)
    with pytest.raises(UserError, match=f"this run's is {threshold * 1.001:g}"):
        started(tmp_path / "a.nir", core, threshold=threshold * 1.001)


def test_a_run_whose_neurons_have_another_threshold_is_refused_as_a_file_is(trained: SlayerLearner) -> None:
    initial = Initial("first", Path("outputs/first/1"), trained.state_dict())
    with pytest.raises(UserError, match=r"first/1: .* threshold of 1.25, this run's 2.5. Set model.threshold=1.25"):
        learner(hidden=(20, 15), threshold=2.5).start(four(), initial)


@pytest.mark.parametrize(("kind", "suffix"), [("netx", "net"), ("nir", "nir"), ("pt", "pt"), ("run", "")])
def test_delays_above_the_longest_are_refused_not_shortened(
    trained: SlayerLearner, tmp_path: Path, kind: str, suffix: str
) -> None:
    most = max(int(layer.delay.max()) for layer in trained.quantized)
    assert most > 3
    file = tmp_path / f"model.{suffix}"
    if suffix:
        file.write_bytes(formats(trained)[kind]())
    state = None if suffix else trained.state_dict()
    for longest in (most - 1, most):
        one = learner(hidden=(20, 15), max_delay=longest)
        if longest == most:
            one.start(four(), Initial("first", file, state))
            continue
        with pytest.raises(UserError, match=rf"init_from=first: .* has delays of up to {most} .*max_delay={most}"):
            one.start(four(), Initial("first", file, state))


def test_networks_of_zeros_or_of_floats_cannot_be_exported_to_netx() -> None:
    silent = learner()
    for layer in silent.quantized:
        layer.W.zero_()
    with pytest.raises(UserError, match="only zeros"):
        formats(silent)["netx"]()
    with pytest.raises(UserError, match="arithmetic=fixed"):
        formats(learner(sim(arithmetic="float")))["netx"]()


def test_a_run_exports_the_network_of_its_last_epoch_and_that_of_its_best_validation_epoch(tmp_path: Path) -> None:
    one, splits = learner(hidden=(20, 15), lr=0.01), recordings()
    schedule = Training(5, 4, True, "validation_loss", None, 1e9, keep_best=True)
    folder = RunFolder.create(tmp_path, "nets", "0" * 12, "")
    loop = Loop(one, splits.train.head(4), splits.test.head(4), schedule, 1, folder, Silent())
    loop.run()
    plan = cast(Plan, SimpleNamespace(model=one.spec, training=schedule))
    write_exports(folder, plan, one, loop.best)
    losses = [row["validation_loss"] for row in loop.record.epochs]
    best = learner(hidden=(20, 15), lr=0.01)
    again = replace(schedule, epochs=losses.index(min(losses)) + 1)
    Loop(best, splits.train.head(4), splits.test.head(4), again, 1, None, Silent()).run()
    for name, wanted in (("network.net", one), ("network_best.net", best)):
        (y, _), (same_y, _) = spikes(wanted), spikes(started(folder.path / name))
        assert (y == same_y).all(), name
