"""The readout against autograd, closed forms, counts and scikit-learn."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import cross_entropy

from neurobench.models.common import readout

TOLERANCE = 1.5e-4  # scikit-learn's 1e-4 on each derivative, plus float32 rounding


def problem(n: int = 400, features: int = 6, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    f = torch.randn(n, features, generator=draw) * torch.tensor([0.2, 1, 3, 1, 1, 0.5]) + 1
    y = ((f - 1) @ torch.randn(features, classes, generator=draw) + torch.randn(n, classes, generator=draw)).argmax(1)
    return f, y


def derivatives(r: readout.Readout, f: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    """Derivatives of mean cross-entropy + l2 sum weight^2 with respect to weight and bias, in float64."""
    weight, bias = (part.double().requires_grad_() for part in (r.weight, r.bias))
    x = (f.double() - r.mean) / r.scale
    loss = cross_entropy(x @ weight + bias, y) + l2 * weight.square().sum()
    loss.backward()
    return torch.cat([weight.grad.flatten(), bias.grad])


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("l2", [0.0, 1e-4, 0.03])
def test_all_derivatives_of_the_loss_vanish_at_the_fitted_readout(l2: float, classes: int, standardise: bool):
    f, y = problem(classes=classes)
    r = readout.fit(f, y, classes, l2, 5000, standardise=standardise)
    assert derivatives(r, f, y, l2).abs().max() < TOLERANCE
    assert all(part.dtype == torch.float32 for part in r)


def test_the_derivatives_do_not_vanish_for_half_or_double_the_penalty():
    """The test above distinguishes C = 1 / (2 l2 N) from its half and its double."""
    f, y = problem()
    r = readout.fit(f, y, 4, 0.03, 5000)
    assert min(float(derivatives(r, f, y, wrong).abs().max()) for wrong in (0.015, 0.06)) > 20 * TOLERANCE


def test_without_a_penalty_the_weight_of_a_binary_feature_is_the_log_odds_ratio():
    f = torch.tensor([0.0] * 100 + [1.0] * 100)[:, None]
    y = torch.tensor([0] * 80 + [1] * 20 + [0] * 30 + [1] * 70)
    r = readout.fit(f, y, 2, 0.0, 1000, standardise=False)
    difference = float(r.weight[0, 1] - r.weight[0, 0])
    assert difference == pytest.approx(math.log(70 / 30) - math.log(20 / 80), abs=2e-3)
    assert float(r.bias[1] - r.bias[0]) == pytest.approx(math.log(20 / 80), abs=2e-3)


def test_the_bias_alone_fits_the_class_frequencies():
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    r = readout.fit(torch.full((100, 3), 0.3), y, 3, 1e-4, 1000)
    p = torch.softmax(readout.scores(r, torch.full((1, 3), 0.3)), 1)[0]
    torch.testing.assert_close(p, torch.tensor([0.5, 0.3, 0.2]), atol=1e-3, rtol=0)


def test_standardising_does_not_change_predictions_if_the_penalty_is_negligible():
    f, y = problem()
    plain, scaled = (readout.fit(f, y, 4, 1e-6, 3000, standardise=s) for s in (False, True))
    left, right = (torch.softmax(readout.scores(r, f), 1) for r in (plain, scaled))
    torch.testing.assert_close(left, right, atol=0.005, rtol=0)


def test_features_are_centred_and_divided_by_their_standard_deviation_by_default():
    f, y = problem(n=20)
    r = readout.fit(f, y, 4, 1e-3, 1000)
    np.testing.assert_allclose(r.mean, f.double().numpy().mean(0), rtol=1e-5)
    np.testing.assert_allclose(r.scale, f.double().numpy().std(0) + 1e-3, rtol=1e-5)


def test_a_fit_to_a_single_sample_predicts_its_class_for_any_features():
    f, _ = problem()
    r = readout.fit(f[:1], torch.tensor([2]), 4, 1e-3, 1000)
    assert torch.softmax(readout.scores(r, f[:5]), 1)[:, 2].tolist() == [1] * 5


@pytest.mark.parametrize("classes", [2, 4])
def test_scikit_learn_finds_the_same_minimum(classes: int):
    """For two classes it has one column, as if the two columns here differed only in sign: the penalty of its column w
    is twice that of -w/2 and w/2."""
    f, y = problem(classes=classes)
    l2 = 0.003
    r = readout.fit(f, y, classes, l2, 5000, standardise=False)
    strength = (2 if classes == 2 else 1) / (2 * l2 * len(y))
    other = LogisticRegression(C=strength, max_iter=5000, tol=1e-7).fit(f.double().numpy(), y.numpy())
    np.testing.assert_allclose(
        torch.softmax(readout.scores(r, f), 1), other.predict_proba(f.double().numpy()), atol=0.003
    )


def test_a_subset_is_fitted_with_the_l2_that_gives_the_same_prior_as_all_samples(monkeypatch: pytest.MonkeyPatch):
    """The prior's precision is 2 N l2: 50 samples need six times the l2 of 300, and 400 use the chosen l2."""
    fits: list[tuple[int, float]] = []
    fit = readout.fit

    def watched(f: torch.Tensor, y: torch.Tensor, n_classes: int, l2: float, *rest: int, **more: object):
        fits.append((len(f), l2))
        return fit(f, y, n_classes, l2, *rest, **more)

    monkeypatch.setattr(readout, "_SUBSET", 50)
    monkeypatch.setattr(readout, "fit", watched)
    f, y = problem()
    search = readout.Search(l2=1.0, candidates=(1e-3, 10.0), iterations=100, seed=3)
    readout.choose(f, y, 100, 4, search)
    assert fits == [(50, pytest.approx(60)), (50, pytest.approx(6e-3)), (300, 1e-3), (400, 1e-3)]


def test_fitting_does_not_modify_the_features():
    f, y = problem()
    before = f.clone()
    readout.fit(f, y, 4, 1e-4, 10)
    assert torch.equal(f, before)


def test_scores_are_finite_if_a_feature_is_constant():
    f, y = problem()
    f = torch.cat([f, torch.full((len(f), 1), 0.3)], 1)
    assert torch.isfinite(readout.scores(readout.fit(f, y, 4, 1e-4, 100), f)).all()


@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_not_finite_are_refused(value: float, standardise: bool):
    f, y = problem()
    f[7, 1] = value
    f[8, 1] = -value
    with pytest.raises(ValueError, match="not finite"):
        readout.fit(f, y, 4, 1e-4, 100, standardise=standardise)


@pytest.mark.parametrize("present", [[2], [1, 4], [0, 2, 4]])
def test_classes_without_samples_are_never_predicted(present: list[int]):
    f, some = problem(classes=3)
    y = torch.tensor(present)[some % len(present)]
    r = readout.fit(f, y, 5, 1e-3, 1000)
    found = readout.scores(r, f)
    assert set(found.argmax(1).tolist()) <= set(present)
    assert torch.isfinite(cross_entropy(found, torch.zeros_like(y)))
    fewer = torch.searchsorted(torch.tensor(present), y)
    alone = readout.fit(f, fewer, len(present), 1e-3, 1000)
    torch.testing.assert_close(found[:, present], readout.scores(alone, f))


@pytest.mark.parametrize("classes", [2, 4])
def test_a_fit_started_at_the_optimum_stays_there(classes: int):
    f, y = problem(classes=classes)
    first = readout.fit(f, y, classes, 1e-3, 1000)
    again = readout.fit(f, y, classes, 1e-3, 1, start=first)
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_a_starting_readout_that_lacks_a_class_is_ignored():
    f, y = problem()
    lacking = readout.fit(f[y != 3], y[y != 3], 4, 1e-3, 1000)
    one, other = (readout.fit(f, y, 4, 1e-3, 1000, start=start) for start in (None, lacking))
    assert torch.equal(one.weight, other.weight)


def test_l2_is_chosen_on_held_out_samples_and_used_as_given_if_there_are_none():
    f, y = problem()
    search = readout.Search(l2=9.0, candidates=(10.0, 1e-3), iterations=1000, seed=0)
    chosen = readout.choose(f, y, len(f) - 60, 4, search)
    assert chosen.figures["readout_l2"] == 1e-3
    assert chosen.figures["readout_l2_chosen"] == 1
    on_the_others = readout.accuracy(readout.fit(f[:60], y[:60], 4, 1e-3, 1000), f[60:], y[60:])
    assert chosen.figures["readout_validation_accuracy"] == pytest.approx(on_the_others, abs=0.01)
    assert derivatives(chosen.readout, f, y, 1e-3).abs().max() < TOLERANCE  # fitted on all samples
    given = readout.choose(f, y, 0, 4, search)
    assert given.figures["readout_l2"] == 9.0
    assert given.figures["readout_l2_chosen"] == 0
    assert "readout_validation_accuracy" not in given.figures


def test_l2_is_chosen_by_held_out_accuracy_and_not_by_training_accuracy():
    """The first feature is the class except in two training samples, which only a large weight of the second feature
    corrects; that weight misleads on the held-out samples."""
    y = torch.arange(22) % 2
    side, turns = 2.0 * y - 1, 1.0 - torch.arange(22) // 2 % 2 * 2
    f, held_f = torch.stack([side, turns], 1), torch.stack([side, -3 * side], 1)
    f[:2] = torch.stack([-side[:2], 3 * side[:2]], 1)
    search = readout.Search(l2=9.0, candidates=(1e-6, 3.0), iterations=1000, seed=0)
    small, large = (readout.fit(f, y, 2, l2, 1000) for l2 in search.candidates)
    assert [readout.accuracy(small, *on) for on in ((f, y), (held_f, y))] == [1, 0]
    assert [readout.accuracy(large, *on) for on in ((f, y), (held_f, y))] == pytest.approx([20 / 22, 1])
    chosen = readout.choose(torch.cat([f, held_f]), y.repeat(2), len(y), 2, search)
    assert chosen.figures["readout_l2"] == 3
    assert chosen.figures["readout_validation_accuracy"] == 1


def test_the_largest_of_equally_good_penalties_is_chosen():
    f, y = torch.tensor([[-1.0], [1.0]]).repeat(20, 1), torch.arange(2).repeat(20)
    search = readout.Search(l2=9.0, candidates=(1e-3, 0.1, 1e-2), iterations=100, seed=0)
    assert readout.choose(f.repeat(2, 1), y.repeat(2), 40, 2, search).figures["readout_l2"] == 0.1


def test_choosing_l2_on_a_subset_is_repeatable_to_the_bit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readout, "_SUBSET", 50)
    f, y = problem()
    search = readout.Search(l2=1.0, candidates=(1e-3, 10.0), iterations=1000, seed=3)
    one, other = (readout.choose(f, y, 100, 4, search) for _ in range(2))
    assert one.figures == other.figures
    assert one.figures["readout_l2"] == 1e-3
    assert all(torch.equal(a, b) for a, b in zip(one.readout, other.readout, strict=True))
    assert derivatives(one.readout, f, y, 1e-3).abs().max() < TOLERANCE


def test_a_stratified_subset_contains_each_class_in_proportion():
    y = torch.tensor([0] * 500 + [1] * 300 + [2] * 199 + [3])
    some = readout.stratified(y, 100, seed=1)
    assert len(set(some.tolist())) == 100
    counts = torch.bincount(y[some], minlength=4)
    assert (counts - torch.tensor([50, 30, 19.9, 0.1])).abs().max() <= 1
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(1)).tolist()
    assert some.tolist() == sorted(order, key=y.tolist().__getitem__)[::10], "Python's sort keeps the drawn order"
    assert torch.equal(some, readout.stratified(y, 100, seed=1))
    assert not torch.equal(some, readout.stratified(y, 100, seed=2))
    assert sorted(readout.stratified(y, 5000, seed=1).tolist()) == list(range(1000))
