import torch
from hypothesis import given
from hypothesis import strategies as st

from neurobench.data.events import Events

SENSOR = (2, 34, 34)


def make(lengths: list[int]) -> Events:
    """Recordings of these lengths; every event differs from every other."""
    n = sum(lengths)
    start = torch.tensor([0, *lengths]).cumsum(0)
    number = torch.arange(n)
    return Events(number.int(), *((number * k % 251).to(torch.uint8) for k in (3, 5, 7)), start, SENSOR)


def plain(events: Events, k: int) -> list[tuple[int, ...]]:
    """The events of recording k."""
    return [
        (int(events.t[e]), int(events.x[e]), int(events.y[e]), int(events.p[e]))
        for e in range(int(events.start[k]), int(events.start[k + 1]))
    ]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.data())
def test_indexing_with_a_tensor_gives_the_recordings_of_a_plain_loop(lengths, data):
    events = make(lengths)
    index = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=10))
    chosen = events[torch.tensor(index, dtype=torch.int64)]
    assert [plain(chosen, k) for k in range(len(chosen))] == [plain(events, k) for k in index]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.slices(8))
def test_slicing_recordings_equals_slicing_a_list_of_them(lengths, where):
    events = make(lengths)
    if (where.step or 1) < 0:
        where = slice(where.start, where.stop)
    chosen = events[where]
    assert [plain(chosen, k) for k in range(len(chosen))] == [plain(events, k) for k in range(len(events))][where]
    assert chosen.sensor == SENSOR
