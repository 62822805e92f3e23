"""The engine `minibatch` against the equations, and against backpropagation where the two must agree."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
import torch

from neurobench.kernels.adaptive_threads import kernel_threads
from neurobench.kernels.eprop import forward
from neurobench.kernels.eprop.gradient import AT_ONCE
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.minibatch import BsshslmEngine, MinibatchEngine
from neurobench.models.eprop.network import NO_TARGET, draw
from tests.models.eprop.conftest import TINY, T
from tests.models.eprop.reference import eprop

SMALL = TINY._replace(inputs=9, N=7, K=3, kappa_reg=0.99)


def sample(seed: int, n: int) -> tuple[Spikes, np.ndarray]:
    """n samples of random spikes, and their counts (n, T, I)."""
    counts = np.random.default_rng(seed).poisson(0.15, (n, T + 1, 9))
    step, source = np.nonzero(counts.reshape(-1, 9))
    times = counts.reshape(-1, 9)[step, source]
    start = np.zeros(n * (T + 1) + 1, np.int64)
    start[1:] = np.cumsum(counts.reshape(-1, 9).sum(1))
    return Spikes(start, np.repeat(source, times).astype(np.int64)), counts[:, :T].astype(float)


def engine(
    dtype: Any = np.float64,
    seed: int = 3,
    symmetric: float = 0.0,
    opened: type[MinibatchEngine] = MinibatchEngine,
    **changed: Any,
) -> MinibatchEngine:
    weights = draw(seed, 9, 7, 3, 0.01, (0.2, 0.4, 0.0))
    weights = weights._replace(w_in=3 * weights.w_in, w_rec=2 * weights.w_rec)
    return opened(SMALL._replace(**changed), weights, dtype, symmetric)


def summed(made: MinibatchEngine) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kept, made.w = made.w, made.grads
    w_in, w_rec, w_out = made.weights()
    made.w = kept
    return w_in, w_rec, w_out


@pytest.mark.parametrize("changed", [{}, {"adapt_beta": 0.3, "rho": 0.95}])
def test_the_gradient_equals_that_of_e_props_equations(changed: dict[str, float]) -> None:
    made = engine(**changed)
    spikes, counts = sample(0, 4)
    labels = np.array([0, 2, 1, 1])
    answer = made.gradients(spikes, labels)
    weights = tuple(torch.from_numpy(w) for w in made.weights())
    B = torch.from_numpy(made.B.T[:7].copy())
    wanted = [eprop(made.c, torch.from_numpy(x), weights, B, int(k)) for x, k in zip(counts, labels, strict=True)]  # type: ignore[arg-type]
    masks = made.mask.w_in[:, :7].T, made.weights()[1] != 0, made.mask.w_out[:, :3].T
    for part, (ours, mask) in enumerate(zip(summed(made), masks, strict=True)):
        truth = sum(one.gradients[part] for one in wanted).numpy() * mask  # type: ignore[union-attr]
        np.testing.assert_allclose(ours * mask, truth, rtol=1e-10, atol=1e-12 * np.abs(truth).max())
        assert np.abs(truth).max() > 0
    for ours, one in zip(answer.window, wanted, strict=True):
        np.testing.assert_allclose(ours, one.y[-10:].numpy(), atol=1e-13)
    np.testing.assert_array_equal(answer.counts, np.stack([one.spikes.sum(0).numpy() for one in wanted]))


def test_the_readouts_gradient_equals_that_of_backpropagation() -> None:
    """Spikes do not depend on the readout, so e-prop's gradient of the loss is exact for it."""
    made = engine()
    spikes, counts = sample(1, 1)
    made.gradients(spikes, np.array([1]))
    w_in, w_rec, w_out = (torch.from_numpy(w) for w in made.weights())
    w_out.requires_grad_()
    B = torch.zeros(7, 3, dtype=torch.float64)
    z = eprop(made.c, torch.from_numpy(counts[0]), (w_in, w_rec, w_out.detach()), B, 1).spikes
    y, loss, target = torch.zeros(3).double(), torch.zeros(()).double(), torch.tensor([0.0, 1.0, 0.0]).double()
    for t in range(T):
        y = made.c.alpha_out * y + (w_out @ z[t - 1] if t else 0.0)
        if t >= T - made.c.W:
            loss = loss + 0.5 * (y - target).square().sum()
    (truth,) = torch.autograd.grad(loss, w_out)
    np.testing.assert_allclose(summed(made)[2], truth.numpy(), rtol=1e-12)


class Spike(torch.autograd.Function):
    """Step function with the piecewise linear pseudo-derivative."""

    @staticmethod
    def forward(ctx: Any, distance: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(distance)
        return (distance >= 0).double()

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        (distance,) = ctx.saved_tensors
        return g * SMALL.height * (1 - distance.abs() / SMALL.width).clamp(min=0)


def test_without_recurrence_the_input_gradient_equals_backpropagation_through_time() -> None:
    """No recurrent weights, no gradient through the reset, symmetric feedback, kappa = alpha_o, no regularisation: then
    a spike reaches the loss by the readout's filter alone, which is what e-prop assumes."""
    made = engine(kappa=TINY.alpha_out, c_reg=0.0)
    made.w.w_rec[:] = 0.0
    made.B = made.w.w_out.T.copy()[:3] if made.w.w_out.shape[0] == made.B.shape[1] else made.B
    made.B = np.zeros_like(made.B)
    made.B[:, :7] = made.w.w_out[:, :3].T
    spikes, counts = sample(2, 1)
    made.gradients(spikes, np.array([0]))
    w_in = torch.from_numpy(made.weights()[0]).requires_grad_()
    w_out = torch.from_numpy(made.weights()[2])
    x, target = torch.from_numpy(counts[0]), torch.tensor([1.0, 0.0, 0.0]).double()
    v, z, y, loss = torch.zeros(7).double(), torch.zeros(7).double(), torch.zeros(3).double(), torch.zeros(()).double()
    for t in range(T):
        v = made.c.alpha * v + w_in @ x[t]
        before, z = z, Spike.apply(v - made.c.v_th)
        v = v - made.c.v_th * z.detach()
        y = made.c.alpha_out * y + w_out @ before
        if t >= T - made.c.W:
            loss = loss + 0.5 * (y - target).square().sum()
    (truth,) = torch.autograd.grad(loss, w_in)
    mask = made.mask.w_in[:, :7].T
    np.testing.assert_allclose(summed(made)[0] * mask, truth.numpy() * mask, rtol=1e-9, atol=1e-15)
    assert truth.abs().max() > 0


def test_float32_agrees_with_float64() -> None:
    spikes, _ = sample(0, 4)
    labels = np.array([0, 2, 1, 1])
    made = [engine(kind) for kind in (np.float32, np.float64)]
    for one in made:
        one.gradients(spikes, labels)
    for single, double in zip(summed(made[0]), summed(made[1]), strict=True):
        np.testing.assert_allclose(single, double, atol=1e-4 * np.abs(double).max())


def test_an_adam_step_equals_that_of_kingma_and_ba() -> None:
    made = engine(adam=True, epsilon=1e-8)
    spikes, _ = sample(0, 4)
    before = made.weights()[0].copy()
    m = v = np.zeros_like(before)
    for t in (1, 2):
        made.gradients(spikes, np.array([0, 2, 1, 1]))
        g = summed(made)[0] / 4
        made.grads = forward.Matrices(*map(np.zeros_like, made.grads))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        step = 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8 / np.sqrt(1 - 0.999**t))
        before = before - step * made.mask.w_in[:, :7].T
        made.train_batch(spikes, np.array([0, 2, 1, 1]), 1e-3, t)
        np.testing.assert_allclose(made.weights()[0], before, rtol=1e-9, atol=1e-12)


def test_symmetric_feedback_follows_the_readout_as_it_learns() -> None:
    """A fixed B of the same values gives the same first update; then one follows W_out, the other stays fixed."""
    labels = np.array([0, 2, 1, 1])
    follows, stays = engine(symmetric=4.0, adam=True), engine(adam=True)
    stays.B = follows.B.copy()
    np.testing.assert_array_equal(follows.B[:, :7], 4 * follows.weights()[2])
    for made in (follows, stays):
        made.train_batch(sample(0, 4)[0], labels, 1e-2, 1)
    for ours, theirs in zip(follows.weights(), stays.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(follows.B[:, :7], 4 * follows.weights()[2])
    assert (follows.B != stays.B).any()
    resumed = engine(symmetric=4.0, adam=True)
    resumed.load_state_dict(follows.state_dict())
    np.testing.assert_array_equal(resumed.B, follows.B)


def test_the_filtered_firing_of_a_neuron_that_fell_silent_decays_to_exactly_0() -> None:
    """Subnormal numbers of float32 take Intel's processors a hundred times as long: a batch took twice its time. A
    number that is not finite stays, so that the update is refused."""
    made = engine(np.float32)
    nothing = Spikes(np.zeros(4 * (T + 1) + 1, np.int64), np.zeros(0, np.int64))
    made.f[:3] = 0.02, 3e-20, np.nan
    falls = []
    for k in range(3 * int(np.log(1e-38) / (T * np.log(SMALL.kappa_reg)))):
        made.train_batch(nothing, np.full(4, NO_TARGET), 0.0, k)
        falls.append(made.f[0])
    assert falls[0] > 0
    assert falls == sorted(falls, reverse=True)
    assert not made.f[:2].any()
    assert np.isnan(made.f[2])
    assert not ((np.array(falls) > 0) & (np.array(falls) < 1e-30)).any()


def some_of(spikes: Spikes, chosen: list[int]) -> Spikes:
    """Spikes of the chosen samples alone."""
    starts = [spikes.start[g * (T + 1) : (g + 1) * (T + 1) + 1] for g in chosen]
    sources = [spikes.source[start[0] : start[-1]] for start in starts]
    counts = np.concatenate([np.diff(start) for start in starts])
    return Spikes(np.concatenate([[0], np.cumsum(counts)]), np.concatenate(sources))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_samples_computed_together_give_the_same_bits_as_each_alone(n: int) -> None:
    """Both in the readout and within the recurrent network, whose sums run over the samples; the third sample is silent
    and the second has no label."""
    labels = np.array([0, NO_TARGET, 2, 1, 2])[:n]
    spikes, _ = sample(0, 5)
    step = np.repeat(np.arange(5 * (T + 1)), np.diff(spikes.start))
    kept = step // (T + 1) != 2
    lengths = np.bincount(step[kept], minlength=5 * (T + 1))
    spikes = Spikes(np.concatenate([[0], np.cumsum(lengths)]), spikes.source[kept])
    together, alone = engine(np.float32), engine(np.float32)
    with kernel_threads(1):
        answer = together.gradients(some_of(spikes, list(range(n))), labels)
        singles = [alone.gradients(some_of(spikes, [g]), labels[[g]]) for g in range(n)]
    for g, single in enumerate(singles):
        np.testing.assert_array_equal(answer.window[g], single.window[0])
        np.testing.assert_array_equal(answer.counts[g], single.counts[0])
    for whole, each in zip(summed(together), summed(alone), strict=True):
        np.testing.assert_array_equal(whole, each)
    assert np.abs(summed(together)[0]).max() > 0


THREADS = min(3, numba.config.NUMBA_NUM_THREADS)
VARIANTS: dict[str, tuple[type[MinibatchEngine], dict[str, Any]]] = {
    "iaf": (MinibatchEngine, {}),
    "adaptive": (MinibatchEngine, {"adapt_beta": 0.3, "rho": 0.95, "adam": True}),
    "bsshslm": (BsshslmEngine, {"adam": True}),
}


@pytest.mark.skipif(THREADS < 2, reason="one core: there are no threads to compare with one")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 3, AT_ONCE + 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_any_number_of_threads_gives_the_same_bits(variant: str, n: int, kind: Any) -> None:
    """Three batches, some samples without a label; more samples than are stored at once."""
    opened, changed = VARIANTS[variant]
    found = []
    for threads in range(1, THREADS + 1):
        made = engine(kind, opened=opened, **changed)
        with kernel_threads(threads):
            for seed in range(3):
                spikes, _ = sample(seed, n)
                labels = np.arange(n) % 3
                labels[seed::7] = NO_TARGET
                answer = made.train_batch(spikes.ascending(9), labels, 1e-3, seed)
        found.append({**made.state_dict(), "window": answer.window, "counts": answer.counts})
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=0)
    initial = engine(kind).state_dict()["w"]
    assert all((found[0]["w"][name] != part).any() for name, part in initial.items())
