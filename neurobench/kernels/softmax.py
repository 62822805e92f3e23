"""Loss of a softmax regression and its gradient, in one pass over the samples.

A library's two matrix products read all samples twice, and reach a quarter of the processor's rate with ten columns.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from neurobench.kernels.host import WIDE
from neurobench.kernels.jit import njit
from neurobench.kernels.logistic import exponential
from neurobench.kernels.vectors import FLOAT, FUSED, INDEX, load, ordered_sums, prefetch, spread

FEATURES = 32  # x and the weights are padded to a multiple of this many columns
CLASSES = 5  # the weights are padded to a multiple of this many rows: sums that do not wait for each other
LANES = 16  # lanes of a sum over features
CHUNKS = 32  # parts of the samples, each with a separate gradient, whatever the number of threads: fixes sums' order
_ROWS = 16  # samples whose two products are computed while they are in cache; 8 and 32 were slower
_TOGETHER, _TILE = (2, 32) if WIDE else (1, 16)  # samples per dot product, features per outer one: by registers
_FAR = np.float32(-80.0)  # its exponential is negligible next to 1


@njit(parallel=True, cache=True, fastmath={"contract"}, error_model="numpy")
def cross_entropy(x, y, weight, bias):
    """Sum over samples of -log softmax(x weight' + bias)[y], and its derivatives with respect to weight and bias.

    x (N, F), weight (C', F), bias (C,), all float32 and contiguous, zero-padded to multiples of FEATURES and CLASSES;
    y (N,) int64 in [0, C).   -> float64, (C', F) float64, (C,) float64; the same bits whatever the number of threads.
    """
    features = x.shape[1]
    losses, gradients = np.zeros(CHUNKS), np.zeros((CHUNKS, weight.shape[0], features), np.float32)
    bias_gradients = np.zeros((CHUNKS, len(bias)), np.float32)
    for chunk in prange(CHUNKS):
        scores = np.empty((_ROWS, weight.shape[0]), np.float32)
        last = len(x) * (chunk + 1) // CHUNKS
        for first in range(len(x) * chunk // CHUNKS, last, _ROWS):
            rows = min(_ROWS, last - first)
            _scores(x, first, rows, weight, scores)
            losses[chunk] += _residuals(scores, bias, y, first, rows)
            _collect(x, first, rows, scores, gradients[chunk], bias_gradients[chunk])
    loss, gradient, bias_gradient = 0.0, np.zeros((weight.shape[0], features)), np.zeros(len(bias))
    for chunk in range(CHUNKS):
        loss += losses[chunk]
        gradient += gradients[chunk]
        bias_gradient += bias_gradients[chunk]
    return loss, gradient, bias_gradient


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _scores(x, first, rows, weight, scores):
    """scores (_ROWS, C') = x[first : first + rows] weight'; rows beyond these are arbitrary."""
    for c in range(0, weight.shape[0], CLASSES):
        for i in range(0, rows, _TOGETHER):
            _dots(x, first + i, first + rows - 1, weight, c, scores, i)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _residuals(scores, bias, y, first, rows):
    """Replace scores by softmax(scores + bias) - onehot(y), 0 in rows beyond `rows`. Returns the cross-entropy."""
    n_classes, loss, product = len(bias), 0.0, 1.0
    for i in range(rows):
        row = scores[i]
        largest = row[0] + bias[0]
        for c in range(n_classes):
            row[c] += bias[c]
            largest = max(largest, row[c])
        loss += np.float64(largest) - np.float64(row[y[first + i]])
        for c in range(n_classes):
            row[c] = max(row[c] - largest, _FAR)
        row[n_classes:] = _FAR
    scores[rows:] = _FAR
    flat = scores.ravel()
    for k in range(len(flat)):
        flat[k] = exponential(flat[k])
    for i in range(rows):
        row = scores[i]
        total = np.float32(0.0)
        for c in range(n_classes):
            total += row[c]
        product *= np.float64(total)  # at most the number of classes: a float64 can hold a product of _ROWS of them
        for c in range(n_classes):
            row[c] /= total
        row[y[first + i]] -= np.float32(1.0)
    scores[rows:] = 0
    return loss + np.log(product)


@njit(cache=True, fastmath={"contract"}, error_model="numpy")
def _collect(x, first, rows, residuals, gradient, bias_gradient):
    """gradient (C', F) += residuals' x[first : first + rows], and bias_gradient (C,) += the sums of residuals.

    Meanwhile the next samples are prefetched, a few cache lines per tile, which no processor does by itself.
    """
    n_classes, features = gradient.shape
    ahead, end = (first + _ROWS) * features, min(first + 2 * _ROWS, len(x)) * features
    lines = _ROWS * CLASSES * _TILE // (LANES * n_classes) + 1  # per tile
    for c in range(0, n_classes, CLASSES):
        for f in range(0, features, _TILE):
            for _ in range(lines):
                if ahead < end:
                    prefetch(x, ahead)
                    ahead += LANES
            _add_outer_products(x, first, first + rows - 1, residuals, c, f, gradient)
    for i in range(rows):
        for c in range(len(bias_gradient)):
            bias_gradient[c] += residuals[i, c]


@intrinsic
def _dots(typingctx: Any, x: Any, first: Any, last: Any, weight: Any, c: Any, scores: Any, i: Any) -> Any:
    """scores[i + k, c : c + CLASSES] = weight[c : c + CLASSES] x[min(first + k, last)] for k < _TOGETHER."""
    index = types.int64
    return types.void(x, index, index, weight, index, scores, index), _dots_code


def _dots_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    x, weight, scores = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 3, 5))
    first, last, c, i = args[1], args[2], args[4], args[6]
    features, width = (cgutils.unpack_tuple(builder, each.shape)[1] for each in (x, scores))
    samples = _beginnings(builder, first, last, _TOGETHER, features)
    classes = [builder.mul(builder.add(c, ir.Constant(INDEX, k)), features) for k in range(CLASSES)]

    def terms(place: Any, lanes: int) -> list[Any]:
        rows = [load(builder, weight, builder.add(each, place), lanes) for each in classes]
        some = [load(builder, x, builder.add(each, place), lanes) for each in samples]
        return [builder.fmul(a, row, flags=FUSED) for a in some for row in rows]

    sums = ordered_sums(builder, features, LANES, [ir.Constant(FLOAT, 0.0)] * (CLASSES * _TOGETHER), terms)
    for n, total in enumerate(sums):
        row, column = (builder.add(at, ir.Constant(INDEX, k)) for at, k in zip((i, c), divmod(n, CLASSES), strict=True))
        builder.store(total, builder.gep(scores.data, [builder.add(builder.mul(row, width), column)]))
    return context.get_dummy_value()


@intrinsic
def _add_outer_products(
    typingctx: Any, x: Any, first: Any, last: Any, residuals: Any, c: Any, f: Any, gradient: Any
) -> Any:
    """gradient[c : c + CLASSES, f : f + _TILE] += residuals[:, c : c + CLASSES]' x[first :, f : f + _TILE], over _ROWS
    samples, where sample `last` of x also stands for all after it."""
    index = types.int64
    return types.void(x, index, index, residuals, index, index, gradient), _add_outer_products_code


def _add_outer_products_code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
    x, residuals, gradient = (context.make_array(signature.args[at])(context, builder, args[at]) for at in (0, 3, 6))
    first, last, c, f = args[1], args[2], args[4], args[5]
    features, width = (cgutils.unpack_tuple(builder, each.shape)[1] for each in (x, residuals))
    classes = [builder.add(c, ir.Constant(INDEX, k)) for k in range(CLASSES)]
    places = [builder.add(builder.mul(each, features), f) for each in classes]
    sums = [load(builder, gradient, place, _TILE) for place in places]
    for i, sample in enumerate(_beginnings(builder, first, last, _ROWS, features)):
        some = load(builder, x, builder.add(sample, f), _TILE)
        for k, each in enumerate(classes):
            at = builder.add(builder.mul(ir.Constant(INDEX, i), width), each)
            factor = spread(builder, builder.load(builder.gep(residuals.data, [at])), _TILE)
            sums[k] = builder.fadd(sums[k], builder.fmul(factor, some, flags=FUSED), flags=FUSED)
    for place, total in zip(places, sums, strict=True):
        at = builder.gep(gradient.data, [place])
        builder.store(total, builder.bitcast(at, total.type.as_pointer()), align=4)
    return context.get_dummy_value()


def _beginnings(builder: ir.IRBuilder, first: Any, last: Any, count: int, width: Any) -> list[Any]:
    """Flat indices at which rows first, first + 1 ... of a matrix begin; row `last` replaces all rows after it."""
    rows = (builder.add(first, ir.Constant(INDEX, k)) for k in range(count))
    return [builder.mul(builder.select(builder.icmp_signed("<", row, last), row, last), width) for row in rows]
