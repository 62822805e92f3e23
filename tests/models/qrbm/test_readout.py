"""The readout against scikit-learn and against autograd."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from neurobench.models.qrbm import readout


def problem(n: int = 400, features: int = 6, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    f = torch.randn(n, features, generator=draw) * torch.tensor([0.2, 1, 3, 1, 1, 0.5]) + 1
    y = ((f - 1) @ torch.randn(features, classes, generator=draw) + torch.randn(n, classes, generator=draw)).argmax(1)
    return f, y


@pytest.mark.parametrize("c", [1.0, 0.03])
def test_weights_are_scikit_learns(c: float):
    f, y = problem()
    ours = readout.fit(f, y, 4, l2=0.5 / c / len(y), iterations=2000, standardise=False)
    theirs = LogisticRegression(C=c, max_iter=10_000, tol=1e-8).fit(f.numpy().astype(np.float64), y.numpy())
    np.testing.assert_allclose(ours.weight.T, theirs.coef_, atol=1.5e-2)
    shift = ours.bias.numpy() - theirs.intercept_  # a shift common to all classes changes nothing
    np.testing.assert_allclose(shift - shift.mean(), 0, atol=1.5e-2)
    assert readout.accuracy(ours, f, y) == pytest.approx(theirs.score(f, y), abs=0.005)


def test_gradient_is_autograds_also_where_blocks_do_not_divide_the_samples(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readout, "_BLOCK", 7)
    f, y = problem(n=40)
    weight, bias = torch.randn(4, 6, requires_grad=True), torch.randn(4, 1, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(f @ weight.t() + bias[:, 0], y)
    loss.backward()
    target = torch.nn.functional.one_hot(y, 4).t().float()
    with torch.no_grad():
        value, slope, drift = readout.cross_entropy(f, target, weight, bias)
    torch.testing.assert_close(value, loss.detach())
    torch.testing.assert_close(slope, weight.grad)
    torch.testing.assert_close(drift, bias.grad)


def test_standardising_changes_nothing_where_nothing_is_penalised():
    f, y = problem()
    plain, scaled = (readout.fit(f, y, 4, 1e-6, 3000, standardise=s) for s in (False, True))
    left, right = (torch.softmax(readout.scores(r, f), 1) for r in (plain, scaled))
    torch.testing.assert_close(left, right, atol=0.02, rtol=0)


def test_a_feature_that_never_moves_does_no_harm():
    f, y = problem()
    f = torch.cat([f, torch.full((len(f), 1), 0.3)], 1)
    assert torch.isfinite(readout.scores(readout.fit(f, y, 4, 1e-4, 100), f)).all()


def test_l2_is_chosen_on_held_out_samples_and_taken_as_given_without_them():
    f, y = problem()
    chosen = readout.choose(
        f[:60], y[:60], f[60:], y[60:], n_classes=4, l2=9.0, candidates=(10.0, 1e-3), iterations=100
    )
    assert chosen.figures["readout_l2"] == 1e-3
    assert chosen.figures["readout_l2_chosen"] == 1
    assert chosen.figures["readout_validation_accuracy"] > 0.6
    given = readout.choose(f, y, f[:0], y[:0], n_classes=4, l2=9.0, candidates=(10.0, 1e-3), iterations=100)
    assert given.figures["readout_l2"] == 9.0
    assert given.figures["readout_l2_chosen"] == 0
    assert "readout_validation_accuracy" not in given.figures
