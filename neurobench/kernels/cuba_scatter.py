"""The weights' gradient of a layer from its active inputs alone: dL/dW = sum x[t] eu[t]'."""

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def scatter(index, begin, count, eu, dW):  # type: ignore[no-untyped-def]
    """dW[i] += sum over the steps t where input i is active of eu[t].   eu (T, C), dW (I, C) float32.

    The lists are turned around first, from inputs by step to steps by input: each row of dW is then touched once.
    """
    inputs, width = dW.shape
    head = np.zeros(inputs + 1, np.int32)
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            head[index[k] + 1] += 1
    for i in range(inputs):
        head[i + 1] += head[i]
    when = np.empty(head[inputs], np.int32)
    for t in range(begin.shape[0]):
        for k in range(begin[t], begin[t] + count[t]):
            i = index[k]
            when[head[i]] = t
            head[i] += 1
    k = 0
    for i in range(inputs):
        last = head[i]  # each head has moved on to the next one's beginning
        if k == last:
            continue
        row = dW[i]
        while k + 4 <= last:
            e0, e1, e2, e3 = eu[when[k]], eu[when[k + 1]], eu[when[k + 2]], eu[when[k + 3]]
            for j in range(width):
                row[j] += (e0[j] + e1[j]) + (e2[j] + e3[j])
            k += 4
        while k < last:
            e0 = eu[when[k]]
            for j in range(width):
                row[j] += e0[j]
            k += 1
