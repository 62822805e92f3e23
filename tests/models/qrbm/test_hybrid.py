"""Fine-tuning with labels: its gradient and its effects; a readout fitted on shifted copies of the images."""

import pytest
import torch
from torch.nn.functional import one_hot

from neurobench.config.bounds import BoundsError
from neurobench.models.learner import TrainingRecord
from neurobench.models.qrbm.hybrid import BATCH, Tuning, dropped, fine_tune
from neurobench.problems.rbm import RBM
from tests.models.qrbm.test_learner import build, teach
from tests.specs import spec


def test_the_first_updates_descend_the_gradient_of_the_cross_entropy(rbm: RBM) -> None:
    """dL/dU = p'(q - y) / N, by hand. Adam's first step is lr times the gradient's sign."""
    v, y = torch.rand(BATCH, 5, generator=torch.Generator().manual_seed(0)), torch.arange(BATCH) % 2
    before = RBM(*(part.clone() for part in rbm))
    one = fine_tune(rbm, lambda index, seed: v[index], y, 2, Tuning(1, 0.01, 0.0, 3))
    p = torch.sigmoid(rbm.b + v @ rbm.W)
    error = (0.5 - one_hot(y, 2).float()) / BATCH
    torch.testing.assert_close(one.readout.weight, -0.01 * (p.t() @ error).sign(), rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(one.rbm.W, rbm.W)  # no gradient passes back through a readout of 0
    assert all(torch.equal(*pair) for pair in zip(rbm, before, strict=True))
    two = fine_tune(rbm, lambda index, seed: v[index], y, 2, Tuning(2, 0.01, 0.0, 3))
    assert not torch.equal(two.rbm.W, rbm.W)
    assert torch.equal(two.rbm.a, rbm.a)


def test_dropped_units_are_0_and_the_others_are_scaled_up() -> None:
    p = torch.full((400, 50), 0.5)
    left = dropped(p, 0.3, 1)
    assert left.unique().tolist() == pytest.approx([0.0, 0.5 / 0.7])
    assert float((left == 0).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert torch.equal(left, dropped(p, 0.3, 1))
    assert dropped(p, 0.0, 1) is p


@pytest.mark.parametrize("settings", [{"fine_tune": 20, "features": "probability"}, {"jitter": 1, "readout_copies": 2}])
def test_a_learner_with_fine_tuning_or_shifted_copies_tells_bars_from_corners(
    task, train, held_out, sampler, settings
) -> None:
    learner = build(task, sampler, **settings)
    learner.start(train, None)
    teach(learner, train, range(120), 120)
    before = learner.rbm.W.clone()
    figures = learner.finalize(train, held_out.head(40), TrainingRecord())
    assert figures["readout_validation_accuracy"] > 0.9
    assert torch.equal(before, learner.rbm.W) == ("fine_tune" not in settings)
    assert (learner.predict(held_out.x).argmax(1) == held_out.y).float().mean() > 0.9


@pytest.mark.parametrize("settings", [{"fine_tune": 2}, {"readout_copies": 2}, {"fine_tune_dropout": 0.3}])
def test_fine_tuning_and_copies_without_the_settings_they_need_are_refused(settings) -> None:
    with pytest.raises(BoundsError, match=next(iter(settings))):
        spec("model/qrbm", **settings)
