"""Event-driven kernels: independent of how samples are divided among chunks, and right at the ends of their lists."""

import numpy as np
import pytest

from neurobench.kernels.cuba.backward import exponential
from neurobench.kernels.cuba.forward import TALLY, Activity, Dropout, Layer, forward
from neurobench.kernels.cuba.scatter import add_active, fair_shares, first_places, share_of_columns, steps_by_input
from neurobench.kernels.cuba.spike_lists import Recordings, Spikes, bin_events
from neurobench.kernels.cuba.step import FixedNeuron, emit, step_fixed
from neurobench.kernels.cuba.update import squares

T, N, INPUTS, C = 30, 7, 40, 19


def lists(seed: int) -> Spikes:
    """Active inputs, a tenth of them at each step."""
    random = np.random.default_rng(seed)
    x = random.random((N, T, INPUTS)) < 0.1
    count = x.sum(2).astype(np.int32)
    begin = (np.cumsum(count) - count.reshape(-1)).reshape(N, T)
    return Spikes(x.nonzero()[2].astype(np.uint16), begin, count, INPUTS)


def run(chunks: int, keep_v: bool) -> tuple[np.ndarray, ...]:
    W = np.random.default_rng(1).integers(-60, 90, (INPUTS, C)).astype(np.int8)
    delay = np.arange(C, dtype=np.int32) % 5
    v = np.zeros((N, T, C) if keep_v else (chunks, 1, C), np.int32)
    out, count = np.zeros((N, T, C), np.uint16), np.zeros((N, T), np.int32)
    spikes, tally = np.zeros((N, C), np.int32), np.zeros((chunks, len(TALLY)), np.int64)
    neuron = FixedNeuron(*(np.int32(number) for number in (3072, 3973, 5120, 2**30, 2**30)))
    dropout, activity = (
        Dropout(1.0, np.ones((N, C), np.uint8)),
        Activity(v, out, count, spikes, tally, np.empty(N, np.uint8)),
    )
    forward(lists(0), Layer(W, delay), neuron, dropout, chunks, keep_v, True, activity)
    y = np.zeros((N, T, C), np.float32)
    for n, t in np.ndindex(N, T):
        y[n, t, out[n, t, : count[n, t]]] = 1
    return y, spikes, tally[:, :5].sum(0), tally[:, 5:].max(0)


@pytest.mark.parametrize("chunks", [2, 3, 11])
def test_the_forward_pass_does_not_depend_on_the_number_of_chunks(chunks: int) -> None:
    whole = run(1, True)
    assert whole[0].sum() > 50
    for one, other in zip(whole, run(chunks, False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_spike_arrives_one_step_and_its_delay_later_unless_dropped_or_too_late() -> None:
    fired = np.zeros(64, np.uint8)
    fired[[0, 1, 2, 3]] = 1
    out, count = np.zeros((10, 5), np.uint16), np.zeros(10, np.int32)
    kept = np.array([1, 1, 0, 1, 1], np.uint8)
    spikes = np.zeros(5, np.int32)
    assert emit(fired, 6, np.array([0, 2, 0, 3, 0], np.int32), kept, out, count, spikes) == 4
    assert spikes.tolist() == [1, 1, 1, 1, 0]
    assert count.tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
    assert (out[7, 0], out[9, 0]) == (0, 1), "neuron 2 was dropped, neuron 3 would arrive at step 10 of 10"


@pytest.mark.parametrize("chunks", [1, 2, 3, 11])
def test_scattered_rows_add_up_to_the_dense_product(chunks: int) -> None:
    """Rows are summed over all samples, separately for each chunk of inputs."""
    index, begin, count, _ = lists(3)
    eu = np.random.default_rng(4).standard_normal((N, T, C)).astype(np.float32)
    dW, first = np.zeros((INPUTS, C), np.float32), first_places(count)
    ends, when = np.empty((N, INPUTS), np.int64), np.empty(first[N], np.int32)
    for n in range(N):
        steps_by_input(index, begin[n], count[n], first[n], ends[n], when)
    shares = fair_shares(first, ends, chunks)
    assert shares[0] == 0
    assert shares[-1] == INPUTS
    for n, c in np.ndindex(N, chunks):
        add_active(when, first[n], ends[n], eu[n], shares[c], shares[c + 1], dW)
    x = np.zeros((N, T, INPUTS))
    for n, t in np.ndindex(N, T):
        x[n, t, index[begin[n, t] :][: count[n, t]]] = 1
    np.testing.assert_allclose(dW, np.einsum("nti,ntc->ic", x, eu), atol=1e-4)
    active = [x[:, :, shares[c] : shares[c + 1]].sum() for c in range(chunks)]
    assert max(active) < x.sum() / chunks + x.sum((0, 1)).max(), "no chunk has more than its share and one input"


@pytest.mark.parametrize("width", [1, 10, 16, 100, 512])
def test_columns_are_divided_among_chunks_in_whole_cache_lines(width: int) -> None:
    for chunks in (1, 2, 3, 64):
        shares = [share_of_columns(width, c, chunks) for c in range(chunks)]
        assert [j for low, high in shares for j in range(low, high)] == list(range(width))
        assert all(low % 16 == 0 or low == width for low, _ in shares)


def test_the_exponential_agrees_with_numpys() -> None:
    x = -np.linspace(0, 80, 2001, dtype=np.float32)
    ours = np.array([exponential(value) for value in x])
    np.testing.assert_allclose(ours, np.exp(x.astype(np.float64)), rtol=5e-6)
    assert exponential(np.float32(-1e30)) < 1e-37


def test_an_input_counts_once_per_step_and_events_moved_off_the_sensor_never() -> None:
    t = np.array([0, 100, 400, 501, 1499, 1500, 2500, 9000], np.int32)
    x = np.array([3, 3, 3, 3, 3, 33, 3, 0], np.uint8)
    index, begin, count = np.zeros(8, np.uint16), np.zeros((1, 4), np.int64), np.zeros((1, 4), np.int32)
    motion = np.array([[1.0, 0.0, 1.0, 0.0]])
    still = np.zeros(8, np.uint8)
    start = np.array([0, 8])
    spikes = Spikes(index, begin, count, 2 * 34 * 34)
    bin_events(Recordings(t, x, still, still, start), motion, False, 1000.0, (2, 34, 34), (1, 4000.0), 1, spikes)
    assert count.tolist() == [[1, 1, 1, 0]], "1500 us is step 2 but column 34 is none; 2500 us is step 2, half to even"
    assert index[:3].tolist() == [4, 4, 4]
    assert begin.tolist() == [[0, 1, 2, 3]]


def test_sums_of_squares_agree_with_numpys_for_any_number_of_chunks() -> None:
    v = np.random.default_rng(5).standard_normal((101, 7)).astype(np.float32)
    for chunks in (1, 4, 200):
        np.testing.assert_allclose(squares(v, chunks), (v.astype(np.float64) ** 2).sum(0))
        np.testing.assert_array_equal(squares(v, chunks), squares(v, 1))


@pytest.mark.parametrize("keep", [0.95, 0.9, 0.7, 1 / 3])
def test_a_step_divides_its_input_by_the_share_that_dropout_retains(keep: float) -> None:
    """The quotient of integers, truncated towards zero, equals numpy's division in float64."""
    a = np.concatenate([np.arange(-40_000, 40_000), np.random.default_rng(0).integers(-(2**20), 2**20, 40_000)])
    wanted = np.trunc(a * 128.0 / keep).astype(np.int32)
    neuron = FixedNeuron(*map(np.int32, (0, 0, 2**30, 2**30, 2**30)))
    sums, u, w, v = a.astype(np.int32), *(np.zeros(len(a), np.int32) for _ in range(3))
    step_fixed(sums, keep, neuron, u, w, v, np.zeros(len(a), np.uint8))
    np.testing.assert_array_equal(u, wanted)
