"""Recordings of an event camera as spikes of input neurons in time steps."""

import numpy as np
from numba import njit

LATE, UNSORTED = -1, -2


@njit(cache=True, error_model="numpy")
def bin_events(t, x, y, p, begin, shift, source_of, columns, rows, limit, start, source):
    """Put the events of G recordings, sorted by time, into steps. Returns how many spikes there are, and 0; or the
    event that lies after the last step (LATE) or before the one before it (UNSORTED), and which it is.

    limit (T + 2,): first microsecond of step 0 to T, and the first after them. An event feeds
    source_of[(rows p + y) columns + x], -1: none, with x and y after the recording's shift (G, 2). begin (G + 1,):
    first event of each recording. Written: start (G (T + 1) + 1,), and source (E + 1,), by step, in order of time.
    """
    T = len(limit) - 2
    done = 0
    for g in range(len(begin) - 1):
        dx, dy = shift[g, 0], shift[g, 1]
        first = g * (T + 1)
        r = 0
        start[first] = done
        for e in range(begin[g], begin[g + 1]):
            if t[e] >= limit[r + 1]:
                if t[e] >= limit[T + 1]:
                    return e, LATE
                while t[e] >= limit[r + 1]:
                    r += 1
                    start[first + r] = done
            elif t[e] < limit[r]:
                return e, UNSORTED
            column, row = np.int64(x[e]) + dx, np.int64(y[e]) + dy
            if np.uint64(column) < np.uint64(columns) and np.uint64(row) < np.uint64(rows):
                i = source_of[np.uint64((rows * np.int64(p[e]) + row) * columns + column)]
                source[done] = i
                done += i >= 0
        for later in range(r + 1, T + 2):
            start[first + later] = done
    return done, 0


@njit(cache=True, error_model="numpy")
def ascend(start, source):
    """Sort the spikes of each step by source, in place. Counting smaller ones needs no branch: vector code."""
    longest = 0
    for r in range(len(start) - 1):
        longest = max(longest, start[r + 1] - start[r])
    keys, kept = np.empty(longest, np.int64), np.empty(longest, np.int64)
    for r in range(len(start) - 1):
        begin, n = start[r], start[r + 1] - start[r]
        for k in range(n):
            kept[k] = source[begin + k]
            keys[k] = kept[k] * n + k
        for k in range(n):
            rank, key = 0, keys[k]
            for other in range(n):
                rank += keys[other] < key
            source[begin + rank] = kept[k]


@njit(cache=True, forceinline=True)
def _insert(source, begin, end, i):
    """Put i into the ascending source[begin:end]."""
    at = end
    while at > begin and source[at - 1] > i:
        source[at] = source[at - 1]
        at -= 1
    source[at] = i


@njit(cache=True)
def keep_one(start, source):
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
def stream(start, source, wait_start, waiting, T):
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
