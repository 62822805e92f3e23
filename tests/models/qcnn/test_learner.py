"""The hybrid network: updates, losses, resuming, comparisons, refusals."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.data.dataset import Splits
from neurobench.devices.circuit.sim_statevector import StatevectorDevice
from neurobench.experiment.plan import faults_of
from neurobench.metrics.costs import Billed, Ledger
from neurobench.models.learner import Divergence, Step, Task, TrainingRecord
from neurobench.models.qcnn import network
from neurobench.models.qcnn.comparisons import tutorial_metrics
from neurobench.models.qcnn.heads import HEADS
from tests.models.qcnn.conftest import CPU, SHAPE, bars, hybrid, learner, qpu, train


def textbook(p: dict[str, torch.Tensor]) -> nn.Module:
    """The tutorial's trunk in torch's own modules."""
    net = nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1)),
    )
    with torch.no_grad():
        for module, name in ((net[0], "conv1"), (net[3], "conv2"), (net[7], "hidden"), (net[9], "z")):
            module.weight.copy_(p[f"{name}.weight"])  # type: ignore[union-attr]
            module.bias.copy_(p[f"{name}.bias"])  # type: ignore[union-attr]
    return net


def test_ten_updates_match_the_same_network_built_from_torchs_modules() -> None:
    made = learner(lr=1e-2, weight_decay=1e-3, dropout=0.0)
    net = textbook(made.main.named())
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, weight_decay=1e-3)
    data = bars(40)
    for k in range(10):
        x, y = data.batch(slice(4 * k, 4 * k + 4))
        one = (1 + net(2 * x - 1).sin()) / 2
        loss = nn.NLLLoss()(torch.cat([one, 1 - one], 1).log(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sums = made.learn(data.batch(slice(4 * k, 4 * k + 4)), Step(k, 10, 0))
        assert sums.loss is not None
        assert sums.loss / 4 == pytest.approx(float(loss.detach()), abs=1e-5)
    flat = torch.cat([part.detach().flatten() for part in net.parameters()])
    off = (flat - made.main.params).abs()  # if a slope is nearly 0, Adam turns its rounding into a whole step
    assert off.max() < 1e-2
    assert (off > 1e-5).float().mean() < 0.002


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, 19_085),
        ({"head": "linear", "n_qubits": 4, "depth": 2}, 19_346 + 1),
        ({"head": "linear", "n_qubits": 8, "depth": 2}, 19_662 + 1),
        ({"head": "tanh", "n_qubits": 8}, 19_662 + 1 - 32),
        ({"head": "mlp", "n_qubits": 4}, 19_346 + 1),
    ],
)
def test_networks_have_the_published_numbers_of_parameters(fields: dict[str, Any], parameters: int) -> None:
    """The gain is one parameter more than in the published counts."""
    assert len(learner(classes=2 if not fields else 10, **fields).main.params) == parameters


@pytest.mark.parametrize("head", ["binary", "sigmoid"])
def test_the_score_of_class_0_is_the_probability_of_1(head: str) -> None:
    made = learner(head=head)
    features = made.main.features({}, torch.tensor([[0.7]]), made.runner, 0)
    scores = made.main.head.scores({}, features)[0]
    one = (1 + math.sin(0.7)) / 2 if head == "binary" else 1 / (1 + math.exp(-0.7))
    assert scores.tolist() == pytest.approx([one, 1 - one])


def test_losses_of_exact_and_of_sampled_probabilities_match_a_hand_computation() -> None:
    p = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    y = torch.tensor([0, 1])
    binary, raw = (HEADS["binary"](hybrid(nll_on_probabilities=raw), 2) for raw in (False, True))
    assert raw.losses(p, y, shots=None).tolist() == [-0.25, -0.0]
    exact = binary.losses(p, y, shots=None)
    assert exact.tolist() == pytest.approx([-math.log(0.25), -math.log(1e-6)])
    counted = binary.losses(p, y, shots=4)
    assert counted.tolist() == pytest.approx([-math.log(1.5 / 5), -math.log(0.5 / 5)])


def test_dropout_has_its_rate_and_on_request_stops_after_the_first_epoch_as_in_the_tutorial() -> None:
    mask = network.dropout_mask(1000, 0.25, seed=1, device=CPU)
    assert mask is not None
    assert mask.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((mask == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert torch.equal(mask, network.dropout_mask(1000, 0.25, 1, CPU) + 0)
    batch = bars(8).batch(slice(0, 8))
    for fault, alike in ((True, True), (False, False)):
        with_, without = (learner(dropout=rate, dropout_first_epoch_only=fault) for rate in (0.5, 0.0))
        for made in (with_, without):
            made.learn(batch, Step(1, 9, 1))
        assert torch.equal(with_.main.params, without.main.params) == alike


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"shots": 20, "gradient": "param_shift"},
        {"shots": 20, "gradient": "param_shift", "nll_on_probabilities": True, "shift_without_half": True},
        {"head": "linear", "n_qubits": 3, "depth": 1, "lr": 5e-3, "dropout": 0.0, "reupload": True, "zz": True},
        {"head": "linear", "n_qubits": 2, "depth": 1, "lr": 5e-3, "dropout": 0.0, "shots": 50, "gradient": "spsa"},
        {"head": "mlp", "n_qubits": 3, "lr": 5e-3, "dropout": 0.0},
    ],
    ids=["exact", "shots", "tutorial", "qubits", "spsa", "mlp"],
)
def test_the_hybrid_network_learns_to_tell_bars_apart(fields: dict[str, Any]) -> None:
    made = learner(**{"lr": 2e-3, **fields})
    data = bars(64)
    train(made, data, 16, epochs=12)
    assert made.measure(data.batch(slice(0, 64))).correct >= 60


def test_a_resumed_run_repeats_an_uninterrupted_one() -> None:
    fields = {
        "head": "linear",
        "n_qubits": 2,
        "depth": 1,
        "shots": 10,
        "gradient": "param_shift",
        "classical": ("tanh",),
    }
    data, whole, first, second = bars(22), learner(**fields), learner(**fields), learner(seed=1, **fields)
    train(whole, data, 8, epochs=3)
    train(first, data, 8, epochs=3, stop=5)
    state = first.state_dict()
    train(first, data, 8, epochs=3, begin=5)  # must not change the saved state
    second.seeds = first.seeds
    second.load_state_dict(state)
    train(second, data, 8, epochs=3, begin=5)
    for one in (first, second):
        assert torch.equal(one.main.params, whole.main.params)
        assert torch.equal(one.networks["tanh"].params, whole.networks["tanh"].params)
        assert torch.equal(one.predict(data.x), whole.predict(data.x))


def test_a_classical_twin_leaves_the_network_unchanged_and_is_measured_beside_it() -> None:
    alone, beside = learner(), learner(classical=("sigmoid",))
    data = bars(32)
    for made in (alone, beside):
        train(made, data, 8, epochs=2)
    assert torch.equal(alone.main.params, beside.main.params)
    sums = beside.measure(data.batch(slice(0, 32)))
    twin = learner(head="sigmoid")
    twin.main.params.copy_(beside.networks["sigmoid"].params)
    assert sums.extra["sigmoid_accuracy"] == twin.measure(data.batch(slice(0, 32))).correct


def test_predictions_do_not_depend_on_the_batch() -> None:
    made = learner(head="linear", n_qubits=3, depth=2)
    data = bars(20)
    single = torch.cat([made.predict(data.x[k : k + 1]) for k in range(20)])
    assert torch.allclose(made.predict(data.x), single, atol=1e-5)


def test_figures_of_the_first_epochs_are_those_of_the_record() -> None:
    rows = [{"epoch": e + 1, "train_loss": 0.5 / (e + 1), "train_accuracy": 0.8} for e in range(5)]
    made, data = learner(), bars(8)
    splits = Splits(data, data, data, "", "", "")
    figures = tutorial_metrics(made, splits, TrainingRecord(rows))
    assert [figures[f"epoch_{e}_train_loss"] for e in range(3)] == [0.5, 0.25, 0.5 / 3]
    assert "epoch_3_train_loss" not in figures
    assert "best_validation_accuracy_of_first_epochs" not in figures
    accuracies = [0.5, 0.7, 0.4, 0.9, 0.6]  # the best comes after the first three, and is not the last
    validated = [{**row, "validation_accuracy": each} for row, each in zip(rows, accuracies, strict=True)]
    figures = tutorial_metrics(made, splits, TrainingRecord(validated))
    assert [figures[f"epoch_{e}_validation_accuracy"] for e in range(3)] == accuracies[:3]
    assert figures["best_validation_accuracy_of_first_epochs"] == 0.7
    assert figures["last_epoch_validation_accuracy"] == 0.6


def test_the_network_is_compared_with_its_twin_and_the_noisy_device_with_the_ideal_one() -> None:
    made = learner(qpu(profile="bad"), shots=50, train_on="ideal", classical=("sigmoid",))
    data = bars(48)
    train(made, data, 8, epochs=2)
    figures = tutorial_metrics(made, Splits(data, data, data, "", "", ""), TrainingRecord())
    sums = made.measure(data.batch(slice(0, 48))).named()
    assert figures["classical_accuracy"] == sums["sigmoid_accuracy"] / 48
    assert figures["gain_over_classical"] == pytest.approx((sums["correct"] - sums["sigmoid_accuracy"]) / 48)
    assert figures["mean_abs_dz_mitigated"] == pytest.approx(figures["mean_abs_dz_gates_only"], abs=1e-6)
    assert figures["mean_abs_dz_raw"] > 0.05 > figures["mean_abs_dz_gates_only"]


def test_training_on_the_ideal_device_is_not_affected_by_noise() -> None:
    data = bars(16)
    ideal = learner(StatevectorDevice(CPU))
    noisy = learner(qpu(profile="bad"), shots=5, train_on="ideal")
    for made in (ideal, noisy):
        train(made, data, 8)
    assert torch.equal(ideal.main.params, noisy.main.params)
    assert not torch.allclose(ideal.predict(data.x), noisy.predict(data.x), atol=1e-3)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"n_qubits": 0}, "n_qubits=0 is not"),
        ({"n_qubits": 2}, "n_qubits=2: head=binary has one; set head=linear"),
        ({"depth": 1}, "depth, reupload and zz belong to head=linear"),
        ({"shots": 0, "gradient": "param_shift"}, "shots=0 is not an integer in [1, 2147483647] or null"),
        ({"shots": 1.5, "gradient": "param_shift"}, "shots=1.5 is not an integer"),
        ({"shots": True, "gradient": "param_shift"}, "shots=true is not an integer"),
        ({"shots": float("nan"), "gradient": "param_shift"}, "shots=nan is not an integer"),
        ({"shots": 100}, "gradient=autograd needs exact expectations, counts of shots=100 have no derivative"),
        ({"shift_without_half": True}, "shift_without_half=True changes gradient=param_shift, not autograd"),
        ({"classical": ["sigmoid", "sigmoid"]}, "classical=['sigmoid', 'sigmoid'] names a head twice"),
        ({"head": "linear", "n_qubits": 2, "classical": ["sigmoid"]}, "classical=sigmoid has one number z"),
        ({"head": "linear", "n_qubits": 1, "zz": True}, "zz=True needs a pair"),
        ({"head": "linear", "n_qubits": 2, "reupload": True}, "in each layer; depth=0 has none"),
        ({"head": "tanh", "reupload": True}, "reupload=True is for a circuit; head=tanh has none"),
        ({"head": "ring", "zz": True}, "zz=True is for a circuit; head=ring has none"),
        ({"head": "mlp", "shots": 100}, "shots=100 is for a circuit; head=mlp has none"),
        ({"head": "sigmoid", "gradient": "spsa"}, "gradient=spsa is for a circuit; head=sigmoid has none"),
        ({"head": "tanh", "train_on": "ideal"}, "train_on=ideal is for a circuit; head=tanh has none"),
        ({"shots": 9, "train_on": "ideal", "gradient": "spsa"}, "gradient=spsa is for train_on=device; train_on=ideal"),
        ({"head": "linear", "n_qubits": 1, "depth": 1, "entangled": False}, "with one qubit or depth=0 there is none"),
        ({"head": "linear", "n_qubits": 2, "depth": 0, "entangled": False}, "with one qubit or depth=0 there is none"),
        ({"head": "linear", "nll_on_probabilities": True}, "head=binary and sigmoid; head=linear has logits"),
        ({"head": "quantum"}, "head='quantum' is not one of auto, binary, linear, sigmoid, tanh, mlp"),
        ({"dropout": 1.0}, "dropout=1.0 is not in [0, 1)"),
    ],
)
def test_impossible_settings_are_refused_with_their_reason(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as refusal:
        hybrid(**fields)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["model=hybrid_qcnn", "model.head=binary", "dataset=mnist"],
            "head=binary distinguishes two classes, the data have 10; use model.head=auto",
        ),
        (["model=hybrid_qcnn", "model.n_qubits=4"], "model.n_qubits=4: head=binary has one; set head=linear for more"),
        (
            ["model=hybrid_qcnn", "dataset=mnist", "model.n_qubits=20"],
            "n_qubits=20 needs 2^20 numbers per sample, 8.39 GB",
        ),
        (
            [
                "model=hybrid_qcnn",
                "dataset=mnist",
                "backend=mock",
                "model.n_qubits=9",
                "backend.circuit.method=density",
            ],
            "n_qubits=9 needs density matrices of 4^9 numbers, 1.05 GB for 1000 samples",
        ),
        (
            ["model=hybrid_qcnn", "dataset=yin_yang", "model.head=sigmoid"],
            "head=sigmoid distinguishes two classes, the data have 3",
        ),
        (["model=hybrid_qcnn", "model.shots=10"], "model.gradient=autograd needs exact expectations"),
        (["model=hybrid_qcnn", "backend=mock", "backend.circuit.t2=1000"], "backend.circuit.t2=1000 us is more than"),
        (["model=hybrid_qcnn", "dataset.digits=[0,0]"], "names a class twice"),
        (["model=hybrid_qcnn", "dataset.train_per_class=6000"], "more than the 5923 images of digit 0"),
    ],
)
def test_configurations_that_cannot_run_are_refused_before_data_are_read(words: list[str], sentence: str) -> None:
    with composer() as compose:
        assert sentence in "\n".join(faults_of(compose(words)))


def test_bad_batches_divergence_and_foreign_states_are_refused_with_their_reason() -> None:
    made = learner()
    for x in (torch.ones(2, 1, 27, 28), torch.ones(2, 28, 28), torch.ones(0, *SHAPE), torch.ones(2, *SHAPE).long()):
        with pytest.raises(UserError, match=r"images must be float32 \(B, 1, 28, 28\) with B at least 1, not torch"):
            made.predict(x)
    batch, classical = bars(2).batch(slice(0, 2)), learner(head="tanh")
    with pytest.raises(Divergence, match="diverged at update 3: loss is nan; try a smaller model.lr"):
        classical.learn(batch._replace(x=batch.x * float("nan")), Step(3, 9, 0))
    with pytest.raises(UserError, match="batch_one=true, as in the tutorial's view.*not 2. Set training.batch_size=1"):
        learner(batch_one=True).learn(bars(2).batch(slice(0, 2)), Step(0, 1, 0))
    state = learner(head="linear", n_qubits=3, depth=1).state_dict()
    with pytest.raises(
        UserError,
        match="n_qubits=3 in the checkpoint, 2 here; depth=1 in the checkpoint, 2 here. Use the same settings",
    ):
        learner(head="linear", n_qubits=2, depth=2).load_state_dict(state)
    with pytest.raises(UserError, match="the data have 3"):
        hybrid().demand(Task("image", SHAPE, 3))


@pytest.mark.parametrize(("classes", "head", "qubits"), [(2, "binary", 1), (3, "linear", 8)])
def test_unset_settings_follow_from_the_head_and_the_head_from_the_number_of_classes(
    classes: int, head: str, qubits: int
) -> None:
    task, left_open = Task("image", SHAPE, classes), dict.fromkeys(("classical", "n_qubits", "depth", "gain"))
    chosen = hybrid(**left_open, head="auto", lr=None, schedule="auto", weight_decay=None).for_task(task)
    assert (chosen.head, chosen.n_qubits) == (head, qubits)
    assert all(value is not None for name, value in vars(chosen).items() if name != "shots")
    assert hybrid(**left_open, head="auto", lr=0.5).for_task(task).lr == 0.5
    assert hybrid(**left_open, head="auto").demand(task).qubits == qubits


def test_the_cost_of_training_on_the_real_processor_is_warned_of_at_the_start() -> None:
    made = learner(qpu(), shots=1000, gradient="param_shift")
    with pytest.warns(
        UserWarning,
        match=r"would take at least 0.00842 h on the real processor: 120 circuits, 120,000 shots, in full jobs",
    ):
        made.start(bars(40), None)
    figures = made.finalize(bars(40), bars(4), TrainingRecord([{"epoch": 1}]))
    assert figures["training_circuits"] == 3 * 40
    assert figures["training_qpu_seconds"] == pytest.approx(120_000 * 252.656e-6)


@pytest.mark.parametrize("gradient", ["param_shift", "spsa", "straight_through"])
def test_figures_of_the_cost_of_training_are_those_that_the_device_was_asked_for(gradient: str) -> None:
    ledger, data = Ledger(), bars(40)
    made = learner(Billed("circuit", qpu(job=10), ledger), shots=3, gradient=gradient)
    train(made, data, 10)
    figures = made.finalize(data, bars(4), TrainingRecord([{"epoch": 1}]))
    billed = ledger.of_run()["circuit"]
    assert figures["training_circuits"] == billed["circuits"]
    assert figures["training_shots"] == billed["shots"]
    assert figures["training_qpu_seconds"] == pytest.approx(billed["device_seconds"])
