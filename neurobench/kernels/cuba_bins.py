"""Events of a batch of recordings as lists of active inputs, one a sample and time step."""

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True, error_model="numpy")
def bin_events(t, x, y, p, start, motion, sheared, period, shape, chunks, index, begin, count):  # type: ignore[no-untyped-def]
    """Input p rows columns + y columns + x is active at step rint(t / period) where at least one event falls there.

    t (E,) int32 microseconds, sorted within a sample; x, y, p (E,) uint8; sample n owns events start[n] to
    start[n + 1]. motion (N, 4) float64: dx, dy, cos, sin of what each sample is moved by, about the middle of the
    sensor; `sheared`: as lava-dl does it, about the origin and with the column already moved when the row is.
    period: microseconds; shape: (polarities, rows, columns). Written: index (E,) uint16, begin (N, T) int64,
    count (N, T) int32. What leaves the sensor or the T steps is dropped.
    """
    samples, steps = begin.shape
    _, rows, columns = shape
    middle_x, middle_y = (columns - 1) / 2, (rows - 1) / 2
    inputs = shape[0] * rows * columns
    for c in prange(chunks):
        seen = np.empty(inputs, np.int32)  # the last step at which an input was active
        for n in range(samples * c // chunks, samples * (c + 1) // chunks):
            seen[:] = -1
            count[n, :] = 0
            dx, dy, cos, sin = motion[n]
            still = dx == 0 and dy == 0 and sin == 0
            place = start[n]
            now = -1
            for k in range(start[n], start[n + 1]):
                step = int(np.rint(t[k] / period))
                if step >= steps:
                    break
                while now < step:
                    now += 1
                    begin[n, now] = place
                column, row = int(x[k]), int(y[k])
                if not still:
                    if sheared:
                        moved = x[k] * cos - y[k] * sin + dx
                        column, row = int(np.rint(moved)), int(np.rint(moved * sin + y[k] * cos + dy))
                    else:
                        right, down = x[k] - middle_x, y[k] - middle_y
                        column = int(np.rint(middle_x + right * cos - down * sin + dx))
                        row = int(np.rint(middle_y + right * sin + down * cos + dy))
                    if column < 0 or column >= columns or row < 0 or row >= rows:
                        continue
                i = (int(p[k]) * rows + row) * columns + column
                if seen[i] != step:
                    seen[i] = step
                    index[place] = i
                    count[n, step] += 1
                    place += 1
            while now < steps - 1:
                now += 1
                begin[n, now] = place
