"""The QRBM learner: it learns, resumes to the bit, stops if it diverges, and uses one method of its device only."""

import io
from dataclasses import replace
from typing import Any

import pytest
import torch

from neurobench.data.dataset import DataError, Split
from neurobench.devices.sampler.protocol import Reads
from neurobench.models.learner import Divergence, Step, Sums, Task, TrainingRecord
from neurobench.models.qrbm.figures import SHOWN, figures
from neurobench.models.qrbm.learner import QRBMLearner
from neurobench.problems import rbm as equations
from neurobench.problems.rbm import RBM
from tests.figures.readable import assert_readable, in_style
from tests.models.qrbm.conftest import CPU, SEEDS
from tests.specs import spec

BATCH = 25


def build(task: Task, sampler: Any, **parameters: Any) -> QRBMLearner:
    defaults: dict[str, Any] = {"n_hidden": 24, "chains": 20, "device_every": 5}
    learner = spec("model/qrbm", **{**defaults, **parameters}).build(task, SEEDS, {"sampler": sampler}, CPU)
    assert isinstance(learner, QRBMLearner)
    return learner


def teach(learner: QRBMLearner, train: Split, updates: range, n: int) -> list[Sums]:
    rows = []
    for k in updates:
        index = torch.arange(k * BATCH, (k + 1) * BATCH) % len(train)
        rows.append(learner.learn(train.batch(index), Step(k=k, n=n, epoch=0)))
    return rows


@pytest.mark.parametrize(
    "parameters",
    [
        {"negative": "cd"},
        {"negative": "cd", "gibbs_steps": 3},
        {"negative": "pcd", "momentum": 0.0, "lr": 0.1},
        {"negative": "device", "momentum": 0.0, "lr": 0.1},
        {"negative": "random", "momentum": 0.0, "lr": 0.1, "gibbs_steps": 3},
        {"pixels": "grey"},
        {"features": "probability"},
        {"downsample": 4},
        {"lr_schedule": "constant", "lr": 0.03},
    ],
)
def test_the_qrbm_learns_to_tell_bars_from_corners(task, train, held_out, sampler, parameters):
    learner = build(task, sampler, **parameters)
    learner.start(train, None)
    before = learner.measure(held_out.batch(torch.arange(len(held_out)))).extra["reconstruction_mse"]
    teach(learner, train, range(240), 240)
    after = learner.measure(held_out.batch(torch.arange(len(held_out)))).extra["reconstruction_mse"]
    assert after < 0.75 * before
    figures = learner.finalize(train, held_out.head(40), TrainingRecord())
    assert figures["readout_l2_chosen"] == 1
    assert (learner.predict(held_out.x).argmax(1) == held_out.y).float().mean() > 0.9


@pytest.mark.parametrize("negative", ["cd", "pcd", "device", "random"])
def test_a_resumed_run_repeats_an_uninterrupted_one_to_the_bit(task, train, held_out, sampler, negative):
    whole = build(task, sampler, negative=negative)
    whole.start(train, None)
    teach(whole, train, range(17), 40)
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    first = teach(whole, train, range(17, 40), 40)

    file.seek(0)
    resumed = build(task, sampler, negative=negative)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert teach(resumed, train, range(17, 40), 40) == first
    for learner in (whole, resumed):
        learner.finalize(train, held_out, TrainingRecord())
    assert torch.equal(resumed.predict(held_out.x), whole.predict(held_out.x))
    restored = build(task, sampler, negative=negative)
    restored.load_state_dict(whole.state_dict())
    assert torch.equal(restored.predict(held_out.x), whole.predict(held_out.x))


def test_a_saved_state_does_not_change_when_a_learner_loaded_from_it_trains(task, train, sampler):
    source, copy = build(task, sampler), build(task, sampler)
    source.start(train, None)
    state = source.state_dict()
    copy.load_state_dict(state)
    before = state["rbm"]["W"].clone()
    teach(copy, train, range(3), 3)
    assert torch.equal(state["rbm"]["W"], before)


def test_the_init_seed_and_the_training_seed_each_change_the_result(task, train, sampler):
    def end(seeds) -> torch.Tensor:
        learner = spec("model/qrbm", n_hidden=8).build(task, seeds, {"sampler": sampler}, CPU)
        learner.start(train, None)
        learner.learn(train.batch(torch.arange(50)), Step(0, 1, 0))
        return learner.state_dict()["rbm"]["W"]

    assert torch.equal(end(SEEDS), end(SEEDS))
    assert not torch.equal(end(SEEDS), end(replace(SEEDS, init=77)))
    assert not torch.equal(end(SEEDS), end(replace(SEEDS, training=77)))


def test_the_visible_bias_starts_at_the_logit_of_the_mean_image(task, train, sampler):
    learner = build(task, sampler)
    learner.start(train, None)
    binary = (train.x.flatten(1) > 128 / 255).float().mean(0)
    torch.testing.assert_close(torch.sigmoid(learner.rbm.a), binary.clamp(0.01, 0.99))


def test_updates_follow_the_equation_with_momentum_weight_decay_and_schedule(task, train, sampler):
    """Momentum, weight decay and the linear schedule by hand, with the sampler's recorded draws."""
    learner = build(task, sampler, momentum=0.5, weight_decay=0.1, lr=0.2)
    learner.start(train, None)
    seen: list[Reads] = []
    learner.sampler = Recorder(sampler, seen)
    W, speed = learner.rbm.W.clone(), torch.zeros_like(learner.rbm.W)
    for k in (0, 1):
        before = RBM(W, learner.rbm.a.clone(), learner.rbm.b.clone())
        batch = train.batch(torch.arange(k * BATCH, (k + 1) * BATCH))
        learner.learn(batch, Step(k, 4, 0))
        v, u = (batch.x.flatten(1) > 128 / 255).float(), seen[-1].v
        p, q = (equations.p_hidden(before, x) for x in (v, u))
        speed = 0.5 * speed + 0.2 * (1 - k / 4) * (v.t() @ p / BATCH - u.t() @ q / BATCH - 0.1 * W)
        W = W + speed
        torch.testing.assert_close(learner.rbm.W, W, atol=1e-6, rtol=1e-5)


class Recorder:
    """A device that records its answers."""

    def __init__(self, inner: Any, seen: list[Any]):
        self.inner, self.seen = inner, seen

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Any = None) -> Reads:
        reads = self.inner.sample_rbm(rbm, num_reads, seed, initial_hidden)
        self.seen.append(reads)
        return reads


@pytest.mark.parametrize(
    ("negative", "calls", "reads"), [("cd", 20, BATCH), ("pcd", 20, 20), ("device", 4, 20), ("random", 0, 0)]
)
def test_the_device_is_sampled_as_often_as_the_kind_of_negative_phase_requires(
    task, train, sampler, negative, calls, reads
):
    seen: list[Any] = []
    learner = build(task, Recorder(sampler, seen), negative=negative)
    learner.start(train, None)
    teach(learner, train, range(20), 20)
    assert len(seen) == calls
    assert all(len(read.v) == reads for read in seen)


def test_the_figure_of_a_batch_is_the_reconstruction_error(task, train, sampler):
    learner = build(task, sampler, lr=1e-9)
    learner.start(train, None)
    v = (train.x.flatten(1) > 128 / 255).float()
    exact = (v - equations.reconstruct(learner.rbm, v)).square().mean(1)
    everything = train.batch(torch.arange(300))
    assert learner.measure(everything).extra == {"reconstruction_mse": pytest.approx(exact.sum().item(), rel=1e-5)}
    assert learner.learn(everything, Step(0, 1, 0)).extra == {
        "reconstruction_mse": pytest.approx(exact[::20].mean().item() * 300, rel=1e-4)
    }


def test_a_far_too_large_learning_rate_stops_the_run_and_names_the_update(task, train, sampler):
    with pytest.warns(UserWarning, match="effective rate"):
        learner = build(task, sampler, lr=1e38, weight_decay=0.5)
    learner.start(train, None)
    with pytest.raises(Divergence, match=r"diverged at update \d+: .* try a smaller lr"):
        teach(learner, train, range(40), 40)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda x: x * 255, r"training pixels span \[0, 255\]; they must be finite and in \[0, 1\] \(0 to 255"),
        (lambda x: x - 0.5, r"training pixels span \[-0.5, 0.5\]"),
        (lambda x: x.masked_fill(x > 0, float("nan")), "training pixels span .*nan"),
        (lambda x: x * 0 + 0.25, "every training pixel is 0.25: a constant image set"),
        (lambda x: x[:0], "the training split is empty"),
    ],
)
def test_pixels_out_of_range_constant_images_and_empty_splits_are_refused(task, train, sampler, spoil, sentence):
    with pytest.raises(DataError, match=sentence):
        build(task, sampler).start(replace(train, x=spoil(train.x)), None)


def test_prediction_before_the_readout_is_fitted_raises_an_error(task, train, sampler):
    with pytest.raises(RuntimeError, match="before finalize"):
        build(task, sampler).predict(train.x)


def test_hidden_units_that_never_change_are_warned_of(task, train, held_out, sampler):
    learner = build(task, sampler)
    learner.rbm.b.fill_(50.0)
    with pytest.warns(UserWarning, match="24 of 24 hidden units"):
        learner.finalize(train, held_out, TrainingRecord())


def test_samples_in_a_vector_layout_are_learned(train, sampler):
    task = Task(layout="vector", shape=(36,), n_classes=3)
    flat = replace(train, x=train.x.flatten(1))
    learner = build(task, sampler)
    learner.start(flat, None)
    teach(learner, flat, range(4), 4)
    assert learner.reconstruct(flat.x[:2]).shape == (2, 36)


def test_filters_reconstructions_and_test_samples_are_drawn(task, train, held_out, sampler, tmp_path):
    learner = build(task, sampler)
    learner.start(train, None)
    teach(learner, train, range(20), 20)
    learner.finalize(train, held_out, TrainingRecord())
    drawn = in_style(figures, learner, held_out, TrainingRecord())
    assert_readable(drawn)
    assert set(drawn) == {"filters", "reconstructions", "test_samples"}
    assert [text.get_text() for text in drawn["test_samples"].axes[0].texts] == [
        str(int(y)) for y in held_out.y[:SHOWN]
    ]
    captions = [text.get_text() for text in drawn["reconstructions"].axes[0].texts]
    predicted = learner.predict(held_out.x).argmax(1)
    assert captions == [f"{predicted[n]} (t={held_out.y[n]})" for n in range(SHOWN)]
    data = replace(held_out, classes=tuple(f"digit {n}" for n in range(10)))
    named = in_style(figures, learner, data, TrainingRecord())
    assert_readable(named)
    captions = [text.get_text() for text in named["reconstructions"].axes[0].texts]
    assert captions == [f"digit {predicted[n]}\n(t=digit {held_out.y[n]})" for n in range(SHOWN)]
    shown = drawn["reconstructions"].axes[0].images[0].get_array()
    assert shown.shape == (12, 6)  # the image above, its reconstruction below
    assert (shown[:6] == (held_out.x[0, 0] > 128 / 255).numpy()).all()
    drawn["filters"].savefig(tmp_path / "filters.png")
    assert (tmp_path / "filters.png").stat().st_size > 1000


def test_the_samplers_gibbs_steps_and_temperature_change_the_result(task, train):
    def learned(**fields: Any) -> torch.Tensor:
        learner = build(task, spec("backend/sim", "sampler", sweeps=3, **fields).open(5, CPU), negative="pcd")
        learner.start(train, None)
        teach(learner, train, range(3), 3)
        return learner.rbm.W

    W = learned(steps=2, beta=0.8)
    assert torch.isfinite(W).all()
    assert torch.equal(W, learned(steps=2, beta=0.8))
    assert not any(torch.equal(W, learned(**other)) for other in ({"steps": 2, "beta": 1.0}, {"steps": 1, "beta": 0.8}))
