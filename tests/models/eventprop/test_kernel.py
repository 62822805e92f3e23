"""Spike times are threshold crossings of the membrane voltage, and the gradient equals finite differences."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq

from neurobench.kernels.eventprop import Events, Loss, Neuron, run, spikes_of

SIZES = np.array([5, 7, 4, 3])
END = 4.0  # in units of tau_mem
LOSS = Loss(tau=0.2, early=0.05, early_tau=1.0, wake=0.5)


def network(seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    layers = pairwise(SIZES)
    weights = np.concatenate([draw.normal(14 / n, 5 / math.sqrt(n), n * m) for n, m in layers])
    delays = draw.uniform(0, 0.3, SIZES[1:].sum())
    delays[-SIZES[-1] :] = 0
    return weights, delays


def samples(seed: int, n: int = 6) -> Events:
    draw = np.random.default_rng(100 + seed)
    t = np.sort(draw.uniform(0, 1.5, (n, SIZES[0])), axis=1)
    source = np.stack([draw.permutation(SIZES[0]) for _ in range(n)])
    return Events(t.ravel(), source.ravel(), np.arange(n + 1) * SIZES[0])


def losses(events: Events, weights: np.ndarray, delays: np.ndarray, most: int, learns: bool = False) -> tuple:
    n = len(events.start) - 1
    first, fired = np.empty((n, SIZES[-1])), np.empty((n, SIZES[1:].sum()), np.int64)
    loss, gradient, late = np.empty(n), np.zeros(len(weights) + len(delays)), np.zeros(len(delays), np.int64)
    y = np.arange(n) % SIZES[-1]
    run(events, weights, delays, SIZES, Neuron(1.0, END, most), LOSS, y, learns, first, fired, late, loss, gradient)
    return loss, gradient, first, fired


def voltage(t: np.ndarray, t_in: np.ndarray, w: np.ndarray, spiked: list[float]) -> np.ndarray:
    """V(t) = sum w (exp(-s) - exp(-2 s)) over inputs, less exp(-s) for each spike; s: time since it, in tau_mem."""
    since = np.subtract.outer(np.atleast_1d(t), t_in)
    inputs = np.where(since >= 0, np.exp(-since) - np.exp(-2 * since), 0) @ w
    after = np.subtract.outer(np.atleast_1d(t), np.array(spiked))
    return inputs - np.where(after > 0, np.exp(-after), 0).sum(1)


def crossings(t_in: np.ndarray, w: np.ndarray, most: int) -> list[float]:
    """Upward threshold crossings: bracketed on a grid, then refined to 1e-13 between two of its points."""
    spiked: list[float] = []
    grid = np.linspace(0, END, 8001)
    while len(spiked) < most:
        v = voltage(grid, t_in, w, spiked)
        rises = (v[:-1] < 1) & (v[1:] >= 1) & (grid[:-1] > (spiked[-1] if spiked else -1))
        if not rises.any():
            break
        k = int(rises.argmax())
        root = brentq(lambda t: voltage(t, t_in, w, spiked)[0] - 1, grid[k], grid[k + 1], xtol=1e-13)
        spiked.append(root)
    return spiked


@pytest.mark.parametrize("most", [1, 2])
def test_a_layer_spikes_when_its_voltage_reaches_the_threshold(most: int) -> None:
    weights, delays = network(1)
    events = samples(1)
    spikes = spikes_of(events, weights, delays, SIZES, Neuron(1.0, END, most))
    W, n = weights[: SIZES[0] * SIZES[1]].reshape(SIZES[0], SIZES[1]), events.start[1]
    found = 0
    for j in range(SIZES[1]):
        ours = [spikes.t[0, k] - delays[j] for k in range(spikes.n[0, 1]) if spikes.neuron[0, k] == j]
        expected = crossings(events.t[:n], W[events.source[:n], j], most)
        assert np.sort(ours) == pytest.approx(expected, abs=1e-9)
        found += len(expected)
    assert found > 3


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_equals_finite_differences(seed: int, most: int) -> None:
    """Central differences of the sum of losses, for parameters whose step makes no spike appear or disappear."""
    weights, delays = network(seed)
    events = samples(seed)
    _, gradient, first, fired = losses(events, weights, delays, most, learns=True)
    silent = first[np.arange(len(first)), np.arange(len(first)) % SIZES[-1]] >= END
    parameters, step, compared = np.concatenate([weights, delays]), 1e-6, 0
    woken = len(weights) - SIZES[-1] * SIZES[-2]  # a silent label's weights get a push that is not a derivative
    for k in range(len(parameters) - SIZES[-1]):
        if silent.any() and woken <= k < len(weights):
            continue
        sides, same = [], True
        for sign in (1, -1):
            moved = parameters.copy()
            moved[k] += sign * step
            loss, _, _, counts = losses(events, moved[: len(weights)], moved[len(weights) :], most)
            sides.append(loss.sum())
            same &= (counts == fired).all()
        if same:
            assert gradient[k] == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=2e-4, abs=2e-5)
            compared += gradient[k] != 0
    assert compared > 20


def test_the_gradient_raises_the_weights_of_a_label_whose_neuron_stays_silent() -> None:
    weights, delays = network(0)
    last = SIZES[-1] * SIZES[-2]
    weights[-last:] = 0.0
    loss, gradient, first, _ = losses(samples(0), weights, delays, 1, learns=True)
    assert (first == END).all()
    assert np.isfinite(loss).all()
    part = gradient[len(weights) - last : len(weights)].reshape(SIZES[-2], SIZES[-1])
    assert part == pytest.approx(np.full(part.shape, -LOSS.wake * 2))  # two of six samples have each label
