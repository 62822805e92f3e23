"""The baselines: logistic regression on pixels or random features, and scikit-learn's RBM."""

import dataclasses
import io
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neural_network import BernoulliRBM

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.experiment.plan import faults_of
from neurobench.kernels.random import derive
from neurobench.metrics.operations import total
from neurobench.models.common import readout
from neurobench.models.learner import Step, Sums, TrainingRecord
from neurobench.models.qrbm.classifier import operations
from tests.models.qrbm.conftest import CPU, SEEDS
from tests.specs import spec


def build(model: str, task: Any, **changes: Any) -> Any:
    return spec(f"model/{model}", **changes).build(task, SEEDS, {}, CPU)


def teach(learner, train, updates: range) -> list[Sums]:
    return [learner.learn(train.batch(slice(30 * k, 30 * k + 30)), Step(k, 10, 0)) for k in updates]


def test_pixels_lr_is_the_readout_on_pixels(task, train, held_out):
    learner = build("pixels_lr", task, l2_candidates=(1e-3,))
    learner.start(train, None)
    batch = train.batch(slice(0, 30))
    assert learner.learn(batch, Step(0, 1, 0)).loss == pytest.approx(30 * np.log(3), rel=1e-5)
    learner.finalize(train, held_out, TrainingRecord())
    f = (torch.cat([train.x, held_out.x]).flatten(1) > 128 / 255).float()
    fitted = readout.fit(f, torch.cat([train.y, held_out.y]), 3, 1e-3, 200)
    expected = readout.scores(fitted, (held_out.x.flatten(1) > 128 / 255).float())
    found, wanted = (torch.softmax(each, 1) for each in (learner.predict(held_out.x), expected))
    torch.testing.assert_close(found, wanted, atol=0.01, rtol=0)  # both end where no derivative exceeds 1e-4
    assert (learner.predict(held_out.x).argmax(1) == held_out.y).float().mean() > 0.9
    assert learner.measure(batch).loss < 15


def test_pixels_lr_without_a_threshold_learns_from_grey_pixels(task, train):
    learner = build("pixels_lr", task, threshold=None)
    half = train.x * 0.4
    learner.finalize(dataclasses.replace(train, x=half), train.head(0), TrainingRecord())
    assert (learner.predict(half).argmax(1) == train.y).float().mean() > 0.9


@pytest.mark.parametrize("model", ["pixels_lr", "random_features"])
def test_values_that_an_outlier_scaled_to_one_side_of_the_threshold_are_reported(model, task, train, recwarn):
    build(model, task).start(train, None)
    assert not recwarn
    outlier = dataclasses.replace(train, x=torch.cat([train.x[:1], train.x[1:] * 0.01]))
    with pytest.warns(UserWarning, match=r"inputs lie on the same side of model.threshold=0.502 in nearly all samples"):
        build(model, task).start(outlier, None)
    build(model, task, threshold=None).start(outlier, None)
    assert not recwarn


def test_sklearn_rbm_equals_scikit_learns_bernoulli_rbm_batch_by_batch(task, train):
    learner = build("sklearn_rbm", task, n_hidden=7, chains=30)
    learner.start(train, None)
    theirs = BernoulliRBM(7, batch_size=30)
    theirs.components_ = learner.state_dict()["machine"]["components_"].numpy().copy()
    teach(learner, train, range(4))
    for k in range(4):
        theirs.random_state_ = np.random.RandomState(derive(SEEDS.training, k) % 2**32)
        theirs.n_features_in_ = 36
        theirs.partial_fit((train.x[30 * k : 30 * k + 30].flatten(1) > 128 / 255).double().numpy())
    np.testing.assert_allclose(learner.machine.components_, theirs.components_, rtol=1e-10)
    features = theirs.transform((train.x.flatten(1) > 128 / 255).double().numpy())
    np.testing.assert_allclose(learner.features(train.x), features, atol=1e-5)


def test_a_resumed_sklearn_rbm_repeats_an_uninterrupted_one_to_the_bit(task, train, held_out):
    whole = build("sklearn_rbm", task, n_hidden=7, chains=30)
    whole.start(train, None)
    teach(whole, train, range(3))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    rest = teach(whole, train, range(3, 10))
    file.seek(0)
    resumed = build("sklearn_rbm", task, n_hidden=7, chains=30)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert teach(resumed, train, range(3, 10)) == rest
    for learner in (whole, resumed):
        learner.finalize(train, held_out, TrainingRecord())
    assert torch.equal(whole.predict(held_out.x), resumed.predict(held_out.x))


def test_sklearn_rbm_refuses_batches_of_another_size_than_its_chains_except_the_last(task, train):
    """Its update weighs the chains by their number over that of the images."""
    learner = build("sklearn_rbm", task, chains=10)
    for size, at in ((30, Step(0, 1, 0)), (5, Step(0, 4, 0, per_epoch=2))):
        with pytest.raises(UserError, match=rf"chains=10 with training\.batch_size={size}: .* Set model.chains={size}"):
            learner.learn(train.batch(slice(size)), at)
    learner.learn(train.batch(slice(5)), Step(1, 4, 0, per_epoch=2))


@pytest.mark.parametrize("model", ["random_features", "sklearn_rbm"])
def test_a_baseline_with_more_hidden_units_than_memory_holds_is_refused_before_data_are_read(model):
    with composer() as compose:
        (fault,) = faults_of(compose([f"model={model}", "model.n_hidden=1000000000"]))
    assert "model.n_hidden takes" in fault


@pytest.mark.parametrize("model", ["pixels_lr", "sklearn_rbm"])
def test_prediction_before_the_readout_is_fitted_raises_an_error(task, train, model):
    with pytest.raises(RuntimeError, match="before finalize"):
        build(model, task).predict(train.x)


@pytest.mark.parametrize(
    ("model", "bad", "sentence"),
    [
        ("pixels_lr", {"threshold": 1.0}, "threshold=1.0 is not"),
        ("pixels_lr", {"l2_candidates": []}, "l2_candidates=[] is empty"),
        ("sklearn_rbm", {"lr": 0.0}, "lr=0.0 is not above 0"),
        ("sklearn_rbm", {"n_hidden": 0}, "n_hidden=0 is not at least 1"),
        ("sklearn_rbm", {"l2_candidates": []}, "l2_candidates=[] is empty"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(model, bad, sentence: str):
    with pytest.raises(BoundsError) as error:
        spec(f"model/{model}", **bad)
    assert sentence in str(error.value)


@pytest.mark.parametrize("features", ["probability", "both"])
@pytest.mark.parametrize("threshold", [None, 128 / 255])
def test_random_features_match_a_numpy_computation(task, train, features, threshold):
    learner = build("random_features", task, n_hidden=9, sd=0.7, features=features, threshold=threshold)
    W, b = (part.numpy().astype(np.float64) for part in (learner.rbm.W, learner.rbm.b))
    v = train.x.numpy().reshape(len(train), -1).astype(np.float64)
    field = (v if threshold is None else v > threshold) @ W + b
    probability = 1 / (1 + np.exp(-field))
    expected = probability if features == "probability" else np.concatenate([probability, field], 1)
    np.testing.assert_allclose(learner.features(train.x), expected, atol=1e-5)
    assert W.shape == (36, 9)
    assert W.std() == pytest.approx(0.7, rel=0.15)


def test_random_features_learn_nothing_but_the_readout(task, train, held_out):
    learner = build("random_features", task, n_hidden=40)
    before = [part.clone() for part in learner.rbm]
    learner.start(train, None)
    teach(learner, train, range(5))
    l2 = learner.finalize(train, held_out, TrainingRecord())["readout_l2"]
    assert all(torch.equal(part, was) for part, was in zip(learner.rbm, before, strict=True))
    features = learner.features(torch.cat([train.x, held_out.x]))
    fitted = readout.fit(features, torch.cat([train.y, held_out.y]), 3, l2, 200)
    wanted = torch.softmax(readout.scores(fitted, learner.features(held_out.x)), 1)
    torch.testing.assert_close(torch.softmax(learner.predict(held_out.x), 1), wanted, atol=0.02, rtol=0)
    again = build("random_features", task, n_hidden=40)
    again.load_state_dict(learner.state_dict())
    assert torch.equal(again.predict(held_out.x), learner.predict(held_out.x)), "its weights follow from the seed"


def test_pixels_and_random_features_see_downsampled_images(task, train, held_out):
    for model, more in (("pixels_lr", {}), ("random_features", {"n_hidden": 5})):
        learner = build(model, task, threshold=None, downsample=3, **more)
        assert learner.pixels(train.x).shape == (300, 9)
        torch.testing.assert_close(learner.pixels(train.x)[:, 0], train.x[:, 0, :2, :2].mean((1, 2)))
        with pytest.raises(UserError, match="downsample=7 is more than the 6 pixels"):
            spec(f"model/{model}", downsample=7).demand(task)


def test_parameter_counts_are_those_of_a_prediction_as_documented(task, train, held_out):
    """The readout's weights and biases, of an RBM and of random features also W and the hidden biases, not the visible
    ones."""
    inputs, hidden, classes = 6 * 6, 7, task.n_classes
    readout = 2 * hidden * classes + classes
    for name in ("random_features", "qrbm"):
        made = spec(f"model/{name}", n_hidden=hidden).build(task, SEEDS, {"sampler": None}, CPU)
        made.finalize(train, held_out, TrainingRecord())
        figures, _ = total([operations(made, train.x)])
        assert figures["parameter_count"] == inputs * hidden + hidden + readout
