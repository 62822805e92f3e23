"""The Dynex tutorial's arithmetic against a slow re-implementation of it, and the figures that it prints."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from neurobench.data.dataset import Split, Splits
from neurobench.kernels.random import derive, uniforms
from neurobench.models.learner import Step, Sums, Task, TrainingRecord
from neurobench.models.qrbm.figures import figures
from neurobench.models.qrbm.tutorial import UPDATES, TutorialLearner, tutorial_metrics
from neurobench.problems.rbm import RBM
from tests.models.qrbm.conftest import CPU, SEEDS, bars
from tests.specs import spec


def build(task: Task, sampler: Any, **parameters: Any) -> TutorialLearner:
    defaults: dict[str, Any] = {"n_hidden": 10, "num_reads": 8, "steps_per_epoch": 3}
    made = spec("experiment/dynex_qrbm", "model", **{**defaults, **parameters})
    learner = made.build(task, SEEDS, {"sampler": sampler}, CPU)
    assert isinstance(learner, TutorialLearner)
    return learner


def teach(learner: TutorialLearner, train: Split, batches: range) -> list[Sums]:
    return [learner.learn(train.batch(torch.arange(100 * k, 100 * k + 100)), Step(k, 3, 0)) for k in batches]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def slowly(x: np.ndarray, rbm: RBM, speed: RBM, u: np.ndarray, lr: float, decay: float, momentum: float):
    """The updates of one batch in float64. u (B, 2 (H + V)): the uniforms of each image, in the order of their use."""
    W, a, b = (part.double().numpy().copy() for part in rbm)
    dW, da, db = (part.double().numpy().copy() for part in speed)
    visible, hidden, error = len(a), len(b), 0.0
    cuts = np.cumsum([hidden, visible, hidden])
    for v0, row in zip(x, u, strict=True):
        uh0, uv1, uh1, uv2 = np.split(row, cuts)
        p0 = sigmoid(b + v0 @ W)
        q = sigmoid(a + W @ (uh0 < p0))
        v1 = (uv1 < q).astype(float)
        error += ((v0 - q) ** 2).mean()
        p1 = sigmoid(b + v1 @ W)
        v2 = (uv2 < sigmoid(a + W @ (uh1 < p1))).astype(float)
        dW = momentum * dW + lr * (np.outer(v0, p0) - np.outer(v2, p1))
        da, db = momentum * da + lr * (v0 - v2), momentum * db + lr * (p0 - p1)
        W, a, b = W + dW, a + da, b + db
        lr /= decay
    return (W, a, b), (dW, da, db), error


@pytest.mark.parametrize("decay", [1.01, 1e4])  # 1e4^101 is beyond a float: the rate is 0
def test_two_batches_match_a_slow_re_implementation(task, train, sampler, decay):
    learner = build(task, sampler, decay_factor=decay)
    learner.start(train, None)
    for k in (0, 1):
        x = (train.x[100 * k : 100 * k + 100].flatten(1) > 128 / 255).double().numpy()
        u = uniforms(derive(SEEDS.training, UPDATES, k), (100, 2 * (36 + 10))).double().numpy()
        rate = 0.05 * decay ** -(1 + 100 * k)
        before = RBM(*(part.clone() for part in learner.rbm)), RBM(*(part.clone() for part in learner.velocity))
        parameters, speeds, error = slowly(x, *before, u, rate, decay, 0.9)
        (sums,) = teach(learner, train, range(k, k + 1))
        assert sums.extra["reconstruction_mse"] == pytest.approx(error, rel=1e-4)
        for ours, slow in zip((*learner.rbm, *learner.velocity), (*parameters, *speeds), strict=True):
            np.testing.assert_allclose(ours, slow, atol=2e-4)


def test_update_zero_contrasts_all_images_with_a_single_binary_state(task, train, sampler):
    learner = build(task, sampler)
    W = learner.rbm.W.double().numpy().copy()
    v = (train.x.flatten(1) > 128 / 255).double().numpy()
    p = sigmoid(v @ W)
    learner.start(train, None)
    assert learner.errors == pytest.approx(((v - sigmoid(p @ W.T)) ** 2).mean(), rel=1e-5)
    assert learner.errors == pytest.approx(0.25, abs=0.01)  # with almost no weights, every pixel is a coin toss
    # The model's side is a single binary state: the bias's step without the data's share is 0 or 1.
    state = v.mean(0) - learner.velocity.a.double().numpy() / 0.05
    np.testing.assert_allclose(state, state.round(), atol=1e-5)
    p_device = p.mean(0) - learner.velocity.b.double().numpy() / 0.05
    np.testing.assert_allclose(
        learner.velocity.W.double().numpy(), 0.05 * (v.T @ p / len(v) - np.outer(state.round(), p_device)), atol=1e-5
    )
    assert learner.updates == 1


def test_the_tutorials_printed_figures_follow_from_their_definitions(task, train, sampler):
    held_out = bars(250, 1)
    learner = build(task, sampler)
    learner.start(train, None)
    first = learner.errors
    online = sum(sums.extra["reconstruction_mse"] for sums in teach(learner, train, range(3)))
    learner.finalize(train, train.head(0), TrainingRecord())
    printed = tutorial_metrics(
        learner, Splits(train, train.head(0), held_out, "made up", "", "made up"), TrainingRecord()
    )
    assert printed["sme_without_division"] == pytest.approx((first + online) / 301)
    assert printed["sme"] == pytest.approx(printed["sme_without_division"] / 3)
    assert printed["published_accuracy_percent"] == pytest.approx(100 * (1 - printed["sme"]))
    without = 100 * (1 - printed["sme_without_division"])
    assert printed["published_accuracy_percent_without_division"] == pytest.approx(without)

    x, y = (held_out.x.flatten(1) > 128 / 255).double().numpy(), held_out.y.numpy()
    theirs = LogisticRegression(max_iter=10_000, tol=1e-8).fit(x[:150], y[:150])
    assert printed["lr_150_pixels_fit_and_scored"] == pytest.approx(theirs.score(x[:150], y[:150]))
    ties = 1 / 100  # one of the other images may lie on a border, on different sides of it in the two fits
    assert printed["lr_150_pixels_on_the_other_9850"] == pytest.approx(theirs.score(x[150:], y[150:]), abs=ties)
    few = tutorial_metrics(
        learner, Splits(train, train.head(0), held_out.head(150), "made up", "", "made up"), TrainingRecord()
    )
    assert set(printed) - set(few) == {"lr_150_on_the_other_9850", "lr_150_pixels_on_the_other_9850"}
    assert set(figures(learner, held_out, TrainingRecord())) == {"filters", "reconstructions", "test_samples"}


def test_accuracy_on_the_other_images_excludes_the_150_that_were_fitted(task, train, sampler):
    """Three clean images, labelled as the next class from image 150 on: all fitted ones are right, and no other."""
    y = torch.arange(200) % 3
    clean = torch.zeros(3, 1, 6, 6)
    clean[0, 0, 2:4, :], clean[1, 0, :, 2:4], clean[2, 0, :3, :3] = 1, 1, 1
    test = Split(clean[y], torch.cat([y[:150], (y[150:] + 1) % 3]), torch.arange(200))
    learner = build(task, sampler)
    learner.start(train, None)
    printed = tutorial_metrics(learner, Splits(train, train.head(0), test, "", "", ""), TrainingRecord())
    assert printed["lr_150_pixels_fit_and_scored"] == 1
    assert printed["lr_150_pixels_on_the_other_9850"] == 0


def test_a_resumed_run_repeats_an_uninterrupted_one_to_the_bit(task, train, held_out, sampler):
    whole = build(task, sampler)
    whole.start(train, None)
    teach(whole, train, range(1))
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    rest = teach(whole, train, range(1, 3))
    file.seek(0)
    resumed = build(task, sampler)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert teach(resumed, train, range(1, 3)) == rest
    whole.finalize(train, train.head(0), TrainingRecord())
    resumed.finalize(train, train.head(0), TrainingRecord())
    assert torch.equal(whole.predict(held_out.x), resumed.predict(held_out.x))
    assert (whole.errors, whole.updates) == (resumed.errors, resumed.updates)
