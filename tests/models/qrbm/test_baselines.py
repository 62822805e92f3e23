"""The baselines are what they say: logistic regression, and scikit-learn's own machine."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sklearn.neural_network import BernoulliRBM

from neurobench.config.bounds import BoundsError
from neurobench.kernels.random import derive
from neurobench.models.common import readout
from neurobench.models.learner import Step
from neurobench.models.qrbm.baselines import PixelsLR, SklearnRBM
from tests.models.qrbm.conftest import CPU, SEEDS
from tests.models.qrbm.test_recipe import CONF, Loader


def teach(learner, train, updates: range) -> list[dict[str, float]]:
    return [dict(learner.learn(train.batch(slice(30 * k, 30 * k + 30)), Step(k, 10, 0))) for k in updates]


def test_pixels_lr_is_the_readout_on_pixels(task, train, held_out):
    learner = PixelsLR(l2_candidates=(1e-3,)).build(task, SEEDS, CPU)
    learner.start(train)
    batch = train.batch(slice(0, 30))
    assert learner.learn(batch, Step(0, 1, 0))["loss"] == pytest.approx(30 * np.log(3), rel=1e-5)
    learner.settle(train, held_out)
    f = (torch.cat([train.x, held_out.x]).flatten(1) > 128 / 255).float()
    fitted = readout.fit(f, torch.cat([train.y, held_out.y]), 3, 1e-3, 200)
    expected = readout.scores(fitted, (held_out.x.flatten(1) > 128 / 255).float())
    found, wanted = (torch.softmax(each, 1) for each in (learner.predict(held_out.x), expected))
    torch.testing.assert_close(found, wanted, atol=0.01, rtol=0)  # both end where no derivative exceeds 1e-4
    assert (learner.predict(held_out.x).argmax(1) == held_out.y).float().mean() > 0.9
    assert learner.measure(batch)["loss"] < 15


def test_grey_pixels_are_taken_as_they_are(task, train):
    learner = PixelsLR(threshold=None).build(task, SEEDS, CPU)
    half = train.x * 0.4
    learner.settle(dataclasses.replace(train, x=half), train.head(0))
    assert (learner.predict(half).argmax(1) == train.y).float().mean() > 0.9


def test_sklearn_rbm_is_scikit_learns_batch_by_batch(task, train):
    learner = SklearnRBM(n_hidden=7, chains=30).build(task, SEEDS, CPU)
    learner.start(train)
    theirs = BernoulliRBM(7, batch_size=30)
    theirs.components_ = learner.state_dict()["machine"]["components_"].numpy().copy()
    teach(learner, train, range(4))
    for k in range(4):
        theirs.random_state_ = np.random.RandomState(derive(SEEDS.training, k) % 2**32)
        theirs.n_features_in_ = 36
        theirs.partial_fit((train.x[30 * k : 30 * k + 30].flatten(1) > 128 / 255).double().numpy())
    np.testing.assert_allclose(learner.machine.components_, theirs.components_, rtol=1e-10)
    features = theirs.transform((train.x.flatten(1) > 128 / 255).double().numpy())
    np.testing.assert_allclose(learner._features(train.x), features, atol=1e-5)


def test_a_resumed_sklearn_rbm_repeats_an_undisturbed_one_to_the_bit(task, train, held_out):
    whole = SklearnRBM(n_hidden=7).build(task, SEEDS, CPU)
    whole.start(train)
    teach(whole, train, range(3))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    rest = teach(whole, train, range(3, 10))
    file.seek(0)
    resumed = SklearnRBM(n_hidden=7).build(task, SEEDS, CPU)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert teach(resumed, train, range(3, 10)) == rest
    for learner in (whole, resumed):
        learner.settle(train, held_out)
    assert torch.equal(whole.predict(held_out.x), resumed.predict(held_out.x))


@pytest.mark.parametrize("recipe", [PixelsLR(), SklearnRBM()])
def test_prediction_before_the_readout_is_an_error(task, train, recipe):
    with pytest.raises(RuntimeError, match="before settle"):
        recipe.build(task, SEEDS, CPU).predict(train.x)


@pytest.mark.parametrize(
    ("recipe", "bad", "sentence"),
    [
        (PixelsLR, {"threshold": 1.0}, "threshold=1.0 is not"),
        (PixelsLR, {"l2_candidates": []}, "l2_candidates=[] names none"),
        (SklearnRBM, {"lr": 0.0}, "lr=0.0 is not above 0"),
        (SklearnRBM, {"n_hidden": 0}, "n_hidden=0 is not at least 1"),
        (SklearnRBM, {"l2_candidates": []}, "l2_candidates=[] names none"),
    ],
)
def test_a_bad_value_is_refused_with_its_sentence(recipe, bad, sentence: str):
    with pytest.raises(BoundsError) as error:
        recipe(**bad)
    assert sentence in str(error.value)


@pytest.mark.parametrize(("file", "recipe"), [("pixels_lr", PixelsLR), ("sklearn_rbm", SklearnRBM)])
def test_the_yaml_lists_every_field_at_its_default(file: str, recipe: type):
    model = yaml.load(Path(CONF / f"model/{file}.yaml").read_text(), Loader)["model"]
    assert model.pop("name") == file
    assert model.pop("_target_") == f"{recipe.__module__}.{recipe.__name__}"
    defaults = {field.name: field.default for field in dataclasses.fields(recipe)}
    assert {key: tuple(v) if isinstance(v, list) else v for key, v in model.items()} == defaults
