"""Recordings of an event camera as spikes of input neurons in time steps."""

import numpy as np
from numba import njit


@njit(cache=True)
def bin_events(t, x, y, p, begin, shift, source_of, columns, rows, T, span, start, source):  # type: ignore[no-untyped-def]
    """Sort the events of G recordings by step and then by source. Returns how many spikes there are, or -1 - event
    where an event lies after `span` microseconds.

    An event belongs to step round(t T / span), half to even, 0 to T, of source_of[(rows p + y) columns + x], -1: none,
    with x and y after the recording's shift (G, 2). begin (G + 1,): first event of each recording. Written:
    start (G (T + 1) + 1,), source (E,).
    """
    G = len(begin) - 1
    sources = source_of.max() + 1
    longest = 0
    for g in range(G):
        longest = max(longest, begin[g + 1] - begin[g])
    when, whom, order = np.empty(longest, np.int32), np.empty(longest, np.int32), np.empty(longest, np.int32)
    step, of = np.empty(T + 2, np.int64), np.empty(sources + 1, np.int64)
    done = 0
    for g in range(G):
        step[:] = 0
        of[:] = 0
        n = 0
        for e in range(begin[g], begin[g + 1]):
            if t[e] > span:
                return -1 - e
            i = _source(source_of, p[e], y[e] + shift[g, 1], x[e] + shift[g, 0], rows, columns)
            if i >= 0:
                r = int(np.rint(t[e] * T / span))
                whom[n], when[n] = i, r
                of[1 + i] += 1
                step[1 + r] += 1
                n += 1
        for i in range(sources):
            of[i + 1] += of[i]
        first = g * (T + 1)
        start[first] = done
        for r in range(T + 1):
            step[r + 1] += step[r]
            start[first + r + 1] = done + step[r + 1]
        for e in range(n):  # two counting sorts, the second of which keeps the order of the first
            order[of[whom[e]]] = e
            of[whom[e]] += 1
        for k in range(n):
            e = order[k]
            source[done + step[when[e]]] = whom[e]
            step[when[e]] += 1
        done = start[first + T + 1]
    return done


@njit(cache=True, forceinline=True)
def _source(source_of, p, y, x, rows, columns):  # type: ignore[no-untyped-def]
    inside = x >= 0 and x < columns and y >= 0 and y < rows
    return source_of[(rows * p + y) * columns + x] if inside else -1


@njit(cache=True, forceinline=True)
def _insert(source, begin, end, i):  # type: ignore[no-untyped-def]
    """Put i into the ascending source[begin:end]."""
    at = end
    while at > begin and source[at - 1] > i:
        source[at] = source[at - 1]
        at -= 1
    source[at] = i


@njit(cache=True)
def keep_one(start, source):  # type: ignore[no-untyped-def]
    """Drop a source's repeats within a step, in place. Returns how many spikes are left."""
    kept = 0
    begin = 0
    for r in range(len(start) - 1):
        end = start[r + 1]
        for e in range(begin, end):
            if e == begin or source[e] != source[e - 1]:
                source[kept] = source[e]
                kept += 1
        begin = end
        start[r + 1] = kept
    return kept


@njit(cache=True)
def stream(start, source, wait_start, waiting, T):  # type: ignore[no-untyped-def]
    """The spikes of G samples as a stream delivers them, two steps after their own.

    Step T of a sample is step 0 of the next. The spikes of the last samples that wait (wait_start (4,)) arrive in the
    stream's first three steps. Returns start (G T + 4,) and source of the stream: the last three steps are to wait.
    """
    G = (len(start) - 1) // (T + 1)
    out_start = np.empty(G * T + 4, np.int64)
    out = np.empty(len(source) + len(waiting), np.int64)
    n = 0
    for q in range(G * T + 3):
        out_start[q] = n
        begin = n
        if q < 3:
            for e in range(wait_start[q], wait_start[q + 1]):
                out[n] = waiting[e]
                n += 1
        if q >= 2:
            g, r = (q - 2) // T, (q - 2) % T
            if r == 0 and g > 0:
                for e in range(start[g * (T + 1) - 1], start[g * (T + 1)]):
                    out[n] = source[e]
                    n += 1
            if g < G:
                for e in range(start[g * (T + 1) + r], start[g * (T + 1) + r + 1]):
                    _insert(out, begin, n, source[e])
                    n += 1
    out_start[G * T + 3] = n
    return out_start, out[:n]
