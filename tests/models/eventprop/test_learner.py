"""The EventProp learner."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from neurobench.config.bounds import BoundsError
from neurobench.config.errors import UserError
from neurobench.data.dataset import Split
from neurobench.metrics.operations import total
from neurobench.models.eventprop.learner import EventPropLearner, operations
from neurobench.models.learner import Seeds, Step, Task
from tests.specs import spec

TASK = Task("events", (1, 4, 1), 3)
CPU = torch.device("cpu")


def learner(**fields: object) -> EventPropLearner:
    model = spec("model/eventprop_snn", hidden=(40,), **fields)
    return model.build(TASK, Seeds(0, 1, 2, 3), {}, CPU)


@pytest.fixture(scope="module")
def train() -> Split:
    split = spec("dataset/yin_yang", train=600).load(0).train
    code = spec("encoder/latency", cells=1, dimmest=0.0, window=30.0, repeats=1)
    return Split(code.encode(split.x, split.ids), split.y, split.ids, split.classes)


def trained(one: EventPropLearner, train: Split, updates: int, first: int = 0) -> float:
    for k in range(first, updates):
        rows = torch.arange(32) + 32 * (k % 18)
        loss = one.learn(train.batch(rows), Step(k, updates, 0)).loss / 32
    return loss


def test_eventprop_learns_yin_yang_better_than_a_linear_classifier(train: Split) -> None:
    one = learner(delay=True)
    one.start(train, None)
    trained(one, train, 180)
    sums = one.measure(train.batch(slice(None)))
    plain = spec("dataset/yin_yang", train=600).load(0).train
    linear = LogisticRegression(C=1e4).fit(plain.x, plain.y).score(plain.x, plain.y)
    assert sums.correct / len(train) > linear + 0.01
    assert (one.params["delay"] >= 0).all()
    assert one.params["delay"].any()


def test_a_resumed_run_repeats_an_uninterrupted_one(train: Split) -> None:
    whole, begun, resumed = learner(), learner(), learner()
    for one in (whole, begun):
        one.start(train, None)
    trained(whole, train, 6)
    for k in range(3):
        begun.learn(train.batch(torch.arange(32) + 32 * k), Step(k, 6, 0))
    resumed.load_state_dict(begun.state_dict())
    trained(resumed, train, 6, first=3)
    assert torch.equal(whole.params["w"], resumed.params["w"])


def test_the_predicted_class_is_the_output_that_spikes_first(train: Split) -> None:
    one = learner()
    one.start(train, None)
    response = one.respond(train.x)
    assert torch.equal(one.predict(train.x).argmax(1), response.first.argmin(1))


def test_samples_without_output_spikes_are_of_the_first_class_in_every_accuracy_and_are_counted(train: Split) -> None:
    one = learner()
    one.start(train, None)
    one.params["w"][-40 * 3 :] = 0.0
    sums = one.measure(train.batch(slice(60)))
    assert sums.correct == (one.predict(train.x[:60]).argmax(1) == train.y[:60]).sum() == (train.y[:60] == 0).sum() > 0
    assert sums.extra["silent_outputs"] == sums.extra["silent_labels"] == 60


@pytest.mark.parametrize(("length", "tau_syn"), [(61.0, 7.0), (57.0, 50.0), (115.0, 14.0)])
def test_silent_outputs_are_counted_whatever_the_rounding_of_the_length(
    train: Split, length: float, tau_syn: float
) -> None:
    assert length / (2 * tau_syn) * (2 * tau_syn) < length, "as a multiple of tau_mem it rounds down"
    one = learner(length=length, tau_syn=tau_syn)
    one.start(train, None)
    one.params["w"][-40 * 3 :] = 0.0
    sums = one.measure(train.batch(slice(60)))
    assert sums.extra["silent_outputs"] == sums.extra["silent_labels"] == 60
    assert not one.predict(train.x[:60]).any(), "outputs that do not spike score 0"


def test_recordings_of_another_sensor_are_refused() -> None:
    images = spec("dataset/nmnist", validation=0).load(0).train.head(2)
    with pytest.raises(UserError, match=r"recordings of a sensor of \(1, 4, 1\)"):
        learner().predict(images.batch(slice(None)).x)


def test_the_clipped_norm_is_that_of_the_gradients_that_are_applied(train: Split) -> None:
    """Those of delays that are not learned, or of outputs, which have none, do not count."""
    for delay in (False, True):
        one = learner(delay=delay, clip=1e-3)
        one.start(train, None)
        gradient = torch.from_numpy(one.respond(train.x[:32], train.y[:32], learns=True).gradient)
        weights = len(one.params["w"])
        learned = gradient[: -TASK.n_classes] if delay else gradient[:weights]
        assert learned.norm() < gradient.norm()
        one.learn(train.batch(torch.arange(32)), Step(0, 10, 0))
        first = torch.cat([one.moments[name].first[0] for name in ("w", "delay")]) / 0.1  # of Adam: 0.1 g
        assert float(first.norm()) == pytest.approx(1e-3, rel=1e-9)


def test_a_time_constant_of_the_early_term_that_overflows_it_is_refused() -> None:
    with pytest.raises(BoundsError, match=r"length=60 ms is more than 300 times early_tau=0.1 ms"):
        learner(early_tau=0.1)


def test_a_spike_whose_delay_lasts_beyond_the_end_causes_no_operations_which_costs_no_further_pass(
    train: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, x = learner(delay=True), train.x[:20]
    one.start(train, None)
    one.params["w"][-40 * 3 :] = 0.0  # so that a late spike changes no output
    fired = one.respond(x).fired.sum(0)
    before = operations(one, x).connections
    assert before[1].arrived.tolist() == fired[:40].tolist()
    late = int(fired[:40].argmax())
    one.params["delay"][late] = one.spec.length / one.spec.tau_mem
    monkeypatch.setattr(one, "raster", None)  # sample by sample it takes twenty times as long as the prediction
    counted = operations(one, x)
    assert not any(name.endswith("per_step") for name in total([counted])[0])  # there are no steps
    arrived = counted.connections[1].arrived
    assert arrived[late] == 0 < fired[late]
    assert arrived.sum() == fired[:40].sum() - fired[late]
