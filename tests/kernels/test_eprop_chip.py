"""The emulated learning chip against its arithmetic written out a second time, unit by unit in Python's integers."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.devices.learning_core.specs import FixedPoint
from neurobench.kernels.eprop import chip
from neurobench.kernels.eprop.chip import Chip, ChipResults, ChipWeights, Update
from neurobench.kernels.eprop.records import Samples
from neurobench.kernels.logistic import key_of_part, uniform
from neurobench.kernels.random import key_of, uniforms
from neurobench.models.eprop.chip import ChipEngine
from neurobench.models.eprop.inputs import Spikes
from neurobench.models.eprop.network import draw
from tests.models.eprop.conftest import TINY, reckon
from tests.models.eprop.reference import eprop

INPUTS, N, K, T = 5, 4, 3, 30
LSB = 0.01
KEY = (1, 2)  # of random draws
CHIP = Chip(
    T=T, W=6, N=N, K=K, alpha=31694, alpha_out=32441, alpha_bits=15, kappa=127, kappa_bits=7, v_th=60, v_limit=2047,
    w_limit=127, trace_limit=2047, trace_out_limit=511, trace_one=67, trace_out_one=5, stair_shift=8, stochastic=False,
    regular=0.3, f_target=0.05, lsb_out=LSB,
)  # fmt: skip


def weights(seed: int = 0) -> ChipWeights:
    rng = np.random.default_rng(seed)
    masks = [(rng.random(shape) < 0.7).astype(np.uint8) for shape in ((INPUTS, N), (N, N), (N, K))]
    values = [rng.integers(-40, 80, mask.shape).astype(np.int16) * mask.astype(np.int16) for mask in masks]
    return ChipWeights(*values, *masks)


def spikes(n: int, rate: float = 0.2, seed: int = 1) -> np.ndarray:
    """Numbers of events, (n, T + 1, inputs)."""
    return np.random.default_rng(seed).poisson(rate, (n, T + 1, INPUTS))


def listed(events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = events.reshape(-1, events.shape[2])
    step, source = np.nonzero(flat)
    start = np.append(0, np.cumsum(flat.sum(1))).astype(np.int64)
    return start, np.repeat(source, flat[step, source]).astype(np.int64)


def kernel(
    c: Chip, w: ChipWeights, B: np.ndarray, events: np.ndarray, labels: Any, rate: float, learn: bool, key: Any = KEY
) -> ChipResults:
    """Run the kernel, which changes w in place."""
    G, (n_in, n, k) = len(labels), (w.w_in.shape[0], c.N, c.K)
    assert events.shape[2] == n_in
    spikes_of, arrived = np.zeros((G, n), np.int64), np.zeros(n, np.int64)
    results = ChipResults(np.zeros((G, c.W, k)), spikes_of, arrived, np.zeros(2, np.int64))
    samples, update = Samples(*listed(events), np.asarray(labels)), (learn, np.float32(rate), np.float32(3 * rate))
    chip.run(c, w, B.astype(np.float32), samples, Update(*update, *map(np.uint32, key)), results)
    return results


def dither(t: int, i: int, bits: int) -> int:
    return ((t * 0x9E3779B1 + i * 0x85EBCA77) >> 8) % 2**bits


def stair(u: int, v_th: int) -> int:
    """Surrogate: 4, 3, 2, 1 in the first four fifths of v_th around the threshold."""
    fifths = math.floor(5 * abs(u - v_th) / v_th)
    return (4, 3, 2, 1, 0)[min(fifths, 4)]


def plain(
    c: Chip, w: ChipWeights, B: np.ndarray, events: np.ndarray, labels: Any, rate: float
) -> tuple[ChipWeights, ChipResults]:
    """Learn with rounded updates, in Python's integers, so that nothing overflows unseen; gradients in float64."""
    n_in = w.w_in.shape[0]
    wi, wr, wo = (w.astype(int).tolist() for w in w[:3])
    sources = n_in + c.N
    windows, all_counts, changed = [], [], [0, 0]
    for x, label in zip(events, labels, strict=True):
        v, y, z = [0] * c.N, [0] * c.K, [0] * c.N
        trace, out_trace = [0] * sources, [0] * c.N
        e = [[0] * c.N for _ in range(sources)]
        heard = [False] * sources
        g, g_out = np.zeros((sources, c.N)), np.zeros((c.N, c.K))
        counts, window = [0] * c.N, []
        for t in range(c.T):
            arriving = [int(number) for number in x[t]] + z
            for s in range(sources):
                own = s if s < n_in else s - n_in  # inputs and neurons are numbered separately
                trace[s] = (trace[s] * c.alpha + dither(t, own, c.alpha_bits)) // 2**c.alpha_bits
                for _ in range(arriving[s]):
                    trace[s] = min(trace[s] + c.trace_one, c.trace_limit)
                heard[s] |= arriving[s] > 0
            y_before = list(y)
            for j in range(c.N):
                out_trace[j] = (out_trace[j] * c.alpha_out + dither(t, j, c.alpha_bits)) // 2**c.alpha_bits
                if z[j]:
                    out_trace[j] = min(out_trace[j] + c.trace_out_one, c.trace_out_limit)
            for k in range(c.K):
                y[k] = y[k] * c.alpha_out // 2**c.alpha_bits + 256 * sum(wo[j][k] for j in range(c.N) if z[j])
                changed[1] += t == 0 or y[k] != y_before[k]
            psi, fired = [0] * c.N, [0] * c.N
            for j in range(c.N):
                came = sum(arriving[s] * (wi[s][j] if s < n_in else wr[s - n_in][j]) for s in range(sources))
                u = min(max(v[j] * c.alpha // 2**c.alpha_bits + came, -c.v_limit), c.v_limit)
                changed[0] += t == 0 or u != v[j]
                psi[j], fired[j] = stair(u, c.v_th), int(u >= c.v_th)
                v[j] = u - c.v_th * fired[j]
                counts[j] += fired[j]
            for s in range(sources):
                if not heard[s]:
                    continue
                own = s if s < n_in else s - n_in
                one, other = dither(t, own, c.kappa_bits), dither(t + c.T, own, c.stair_shift)
                for j in range(c.N):
                    kept = (e[s][j] * c.kappa + one) // 2**c.kappa_bits
                    e[s][j] = min(kept + (psi[j] * trace[s] + other) // 2**c.stair_shift, c.trace_limit)
            if t >= c.T - c.W:
                window.append([number * LSB / 256 for number in y])
                E = np.array(window[-1]) - (np.arange(c.K) == label)
                L = B @ E + c.regular * (np.array(counts) / c.T - c.f_target)
                g += np.array(e) * L
                g_out += np.outer(out_trace, E)
            z = fired
        steps = [np.floor(rate * g[:n_in] + 0.5), np.floor(rate * g[n_in:] + 0.5), np.floor(3 * rate * g_out + 0.5)]
        moved = [
            np.where(mask == 1, np.clip(np.array(old) - step, -c.w_limit, c.w_limit), old).astype(int)
            for old, step, mask in zip((wi, wr, wo), steps, w[3:], strict=True)
        ]
        wi, wr, wo = (part.tolist() for part in moved)
        windows.append(window)
        all_counts.append(counts)
    after = w._replace(w_in=np.array(wi, np.int16), w_rec=np.array(wr, np.int16), w_out=np.array(wo, np.int16))
    nothing = np.zeros(c.N, np.int64)
    return after, ChipResults(np.array(windows), np.array(all_counts), nothing, np.array(changed))


def copied(w: ChipWeights) -> ChipWeights:
    return ChipWeights(*(part.copy() for part in w))


FEEDBACK = np.random.default_rng(7).normal(0, 1, (N, K)).astype(np.float32).astype(np.float64)

NARROW = {
    "as it is": CHIP,
    "membranes saturate": CHIP._replace(v_limit=90),
    "traces saturate": CHIP._replace(trace_limit=150, trace_out_limit=12),
    "eligibilities saturate": CHIP._replace(trace_limit=80, stair_shift=3),
    "coarse decays": CHIP._replace(alpha=15, alpha_out=15, alpha_bits=4, kappa=13, kappa_bits=4, stair_shift=3),
}


@pytest.mark.parametrize("c", NARROW.values(), ids=NARROW)
def test_learning_three_samples_equals_the_integer_reference(c: Chip) -> None:
    w, events, labels = weights(), spikes(3), [0, 2, 1]
    wanted, told = plain(c, w, FEEDBACK, events, labels, 0.004)
    mine = copied(w)
    found = kernel(c, mine, FEEDBACK, events, labels, 0.004, True)
    np.testing.assert_array_equal(found.counts, told.counts)
    np.testing.assert_allclose(found.window, told.window, rtol=1e-12)
    np.testing.assert_array_equal(found.changed, told.changed)
    for ours, theirs, before in zip(mine[:3], wanted[:3], w[:3], strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert (theirs != before).mean() > 0.1
    assert told.counts.sum() > 20


def test_narrow_registers_and_coarse_decays_change_the_learned_weights() -> None:
    """Otherwise the cases above would prove nothing."""
    found = []
    for c in NARROW.values():
        w = weights()
        kernel(c, w, FEEDBACK, spikes(3), [0, 2, 1], 0.004, True)
        found.append(np.concatenate([part.ravel() for part in w[:3]]))
    for one in found[1:]:
        assert (one != found[0]).any()


def test_predicting_changes_no_weight_and_learning_creates_no_missing_synapse() -> None:
    w = weights()
    kernel(CHIP, w, FEEDBACK, spikes(3), [-1, -1, -1], 1.0, False)
    for ours, before in zip(w, weights(), strict=True):
        np.testing.assert_array_equal(ours, before)
    kernel(CHIP, w, FEEDBACK, spikes(3), [0, 2, 1], 1.0, True)
    for ours, mask in zip(w[:3], w[3:], strict=True):
        assert (ours[mask == 0] == 0).all()
        assert (ours[mask == 1] != 0).any()


@pytest.mark.parametrize("limit", [1, 7, 127])
def test_weights_are_clipped_at_both_ends_of_their_range(limit: int) -> None:
    reached = []
    for rate in (50.0, -50.0):  # down the slope and up
        w = weights()
        for part in w[:3]:
            part[:] = part.clip(-limit, limit)
        kernel(CHIP._replace(w_limit=limit), w, FEEDBACK, spikes(1), [0], rate, True)
        reached += [part.ravel() for part in w[:3]]
    assert (np.concatenate(reached).min(), np.concatenate(reached).max()) == (-limit, limit)


def alone(limit: int, *inputs: tuple[int, int, int]) -> int:
    """Number of spikes of a neuron without a leak, threshold 60, for inputs of (step, weight, events in that step)."""
    nothing, there = np.zeros((1, 1), np.int16), np.ones((1, 1), np.uint8)
    w_in = np.array([[weight] for _, weight, _ in inputs], np.int16)
    w = ChipWeights(w_in, nothing, nothing.copy(), np.ones(w_in.shape, np.uint8), there, there)
    events = np.zeros((1, T + 1, len(inputs)), int)
    for i, (step, _, times) in enumerate(inputs):
        events[0, step, i] = times
    c = CHIP._replace(N=1, K=1, alpha=2**15, v_limit=limit)
    return int(kernel(c, w, np.zeros((1, 1)), events, [-1], 0.0, False).counts[0, 0])


def test_a_saturated_membrane_loses_the_input_beyond_its_limit() -> None:
    """300 in one step gives 5 spikes of 60; clipped at 130, 2. After -300, clipped at -130, 190 just gives one."""
    assert alone(2047, (2, 100, 3)) == 5
    assert alone(130, (2, 100, 3)) == 2
    assert alone(130, (2, -100, 3), (4, 95, 2)) == 1
    assert alone(130, (2, -100, 3), (4, 94, 2)) == 0
    assert alone(2047, (2, -100, 3), (4, 95, 2)) == 0


def test_the_surrogate_is_a_staircase_in_fifths_of_the_threshold() -> None:
    for v_th in (5, 38, 60, 1000):
        seen = [chip.stairs(d, v_th) for d in range(-2 * v_th, 2 * v_th + 1)]
        assert seen == [stair(v_th + d, v_th) for d in range(-2 * v_th, 2 * v_th + 1)]
        assert seen == seen[::-1]
    edges = (0, 9, 10, 19, 20, 29, 30, 39, 40, 500)
    assert [chip.stairs(d, 50) for d in edges] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize("bits", [4, 7, 15])
def test_dither_has_the_right_mean_over_steps_and_over_units(bits: int) -> None:
    """Rounding by it is right on average: its mean is that of all numbers below 2^bits, to a hundredth of the range."""
    drawn = np.array([[chip.dither(t, i, bits) for i in range(150)] for t in range(300)])
    assert drawn.min() >= 0
    assert drawn.max() < 2**bits
    assert drawn.mean() / 2**bits == pytest.approx(0.5 * (1 - 2.0**-bits), abs=0.01)
    for axis, many in ((0, 300), (1, 150)):  # no unit and no step is rounded worse than by independent draws: 4 sd
        off = np.abs(drawn.mean(axis) / 2**bits - 0.5 * (1 - 2.0**-bits)).max()
        assert off < 4 / math.sqrt(12 * many)


ROWS, COLUMNS = 200, 150


def moved(g: np.ndarray, stochastic: bool, k0: int = 1, k1: int = 9) -> np.ndarray:
    """Change, in LSB, of weights of 0 under gradient g at rate 1/2; the kernel resets the gradient to 0."""
    w, mask = np.zeros(g.shape, np.int16), np.ones(g.shape, np.uint8)
    left = g.astype(np.float32)
    c = CHIP._replace(stochastic=stochastic)
    chip.move(w, mask, left, np.float32(0.5), c, (np.uint32(k0), np.uint32(k1)))
    assert (left == 0).all()
    return w


@pytest.mark.parametrize("wanted", [0.02, 0.3, 0.5, 0.97, 1.6, -0.3, -2.75])
def test_a_stochastic_update_is_the_nearest_lsb_above_or_below_with_the_right_chance(wanted: float) -> None:
    """The mean of 30000 draws lies within five standard errors; nothing but the two neighbours occurs."""
    found = -moved(np.full((ROWS, COLUMNS), 2 * wanted), True)
    below = math.floor(wanted)
    assert set(np.unique(found)) == {below, below + 1}
    chance = wanted - below
    error = math.sqrt(chance * (1 - chance) / found.size)
    assert found.mean() == pytest.approx(wanted, abs=5 * error)


def test_draws_differ_between_synapses_and_keys_and_are_those_of_the_projects_generator() -> None:
    half = np.full((ROWS, COLUMNS), 1.0)  # a chance of 1/2 each
    one, again, other = (-moved(half, True, key) for key in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    agreement = float((one == other).mean())
    assert agreement == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(one.size))
    for axis in (0, 1):  # neighbours are independent
        pairs = np.diff(one, axis=axis) == 0
        assert pairs.mean() == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(pairs.size))
    k0, k1 = key_of(5)
    np.testing.assert_array_equal(-moved(half, True, k0, k1), uniforms(5, half.shape).numpy() >= 0.5)


def test_matrices_and_samples_of_an_update_share_no_draws() -> None:
    """They had the same ones in another order, so that the errors of rounding a batch's samples did not cancel."""
    keys = [tuple(map(np.uint32, key_of_part(part, tuple(map(np.uint32, KEY))))) for part in range(6)]
    drawn = [[uniform(np.uint32(i), *key) for i in range(1000)] for key in keys]
    assert all(len(np.intersect1d(one, other)) < 5 for one, other in combinations(drawn, 2))
    c, events, labels = CHIP._replace(stochastic=True), spikes(2), [0, 2]
    together, apart = weights(), weights()
    kernel(c, together, FEEDBACK, events, labels, 0.004, True)
    for g in range(2):
        kernel(c, apart, FEEDBACK, events[g : g + 1], labels[g : g + 1], 0.004, True, keys[3 * g])
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rounded_update_is_the_nearest_lsb() -> None:
    wanted = np.array([[0.49, 0.51, -0.49, -0.51, 1.2, -7.9, 0.0]])
    assert (-moved(2 * wanted, False)).tolist() == [[0, 1, 0, -1, 1, -8, 0]]


def test_a_chips_limits_and_lsb_follow_from_its_register_widths() -> None:
    numbers = reckon().fixed_point
    assert isinstance(numbers, FixedPoint)
    first = draw(3, 12, 8, 3, 0.01, (0.2, 0.4, 0.0))
    made = ChipEngine(TINY, numbers, first, 0)
    assert made.w_limit == 127
    assert made.chip.v_limit == 32767
    assert made.chip.v_th == round(0.6 / made.lsb)
    for ours, truth, lsb in zip(made.weights(), first[:3], (made.lsb, made.lsb, made.lsb_out), strict=True):
        assert np.abs(ours - truth).max() <= lsb / 2 * (1 + 1e-12)
    largest = max(np.abs(first.w_in).max(), np.abs(first.w_rec).max())
    assert 128 * made.lsb == pytest.approx(2 * largest)  # a weight may grow to twice the largest
    assert made.chip.trace_one / (1 - TINY.alpha) <= made.chip.trace_limit == 2047
    coarse = ChipEngine(TINY, numbers._replace(alpha_bits=5, kappa_bits=5), first, 0).chip
    assert min(TINY.alpha_out, TINY.kappa) > 31.5 / 32  # nearest to 1, with which neither would decay
    assert (coarse.alpha, coarse.alpha_out, coarse.kappa) == (round(32 * TINY.alpha), 31, 31)


def test_the_chips_update_has_the_direction_and_size_of_eprops_gradient() -> None:
    """One sample, wide registers, updates of many LSB: all that differs is the staircase, and that the chip
    credits an error to its own step, not to the one before."""
    wide = FixedPoint(16, 24, 15, 15, 16, 16, False, 10.0)
    c = TINY._replace(c_reg=0.0, cutoff=1000)
    first = draw(5, 12, 8, 3, 0.01, (0.0, 0.3, 0.0))
    first = first._replace(w_in=3 * first.w_in)
    made = ChipEngine(c, wide, first, 0)
    events = np.random.default_rng(2).poisson(0.08, (1, c.T + 1, 12))
    before = made.weights()
    made.train_batch(Spikes(*listed(events)), np.array([1]), 0.0, 0)
    after = made.weights()
    start = [torch.from_numpy(w) for w in before]
    inputs = torch.from_numpy(events[0, : c.T].astype(float))
    truth = eprop(c, inputs, (start[0], start[1], start[2]), torch.from_numpy(first.feedback), 1)
    for old, new, slope, mask in zip(before, after, truth.gradients, first[4:], strict=True):
        step, wanted = (old - new)[mask], slope.numpy()[mask]
        cosine = step @ wanted / np.linalg.norm(step) / np.linalg.norm(wanted)
        assert step @ wanted / (wanted @ wanted) == pytest.approx(10 * 5e-3 * 0.01**2, rel=0.05)  # the learning rate
        assert cosine > 0.99
