"""Script that prints the width of the registers in use and a digest of kernels' results computed in them."""

import hashlib
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from neurobench.kernels.cuba.product import COLUMNS, multiply, pack_transposed
from neurobench.kernels.host import WIDTH
from neurobench.kernels.rbm.cd_update import Rates, cd_update
from neurobench.kernels.rbm.gibbs import half_step, half_step_down
from neurobench.kernels.rbm.layers import Drawn, Pair
from neurobench.kernels.softmax import CLASSES, FEATURES, cross_entropy
from neurobench.problems.rbm import RBM

random = np.random.default_rng(0)
digest = hashlib.sha256()
for steps, inner, width in [(5, 9, 40), (8, 33, 20), (12, 10, 31), (13, 40, 33), (97, 65, 70)]:
    a, w = (random.standard_normal((size, inner)).astype(np.float32) for size in (steps, width))
    panels, out = np.empty((-(-width // COLUMNS), inner, COLUMNS), np.float32), np.empty((steps, width), np.float32)
    pack_transposed(w, panels)
    multiply(a, panels, out)
    digest.update(out.tobytes())
# Records of the types that models give to these kernels, so that both use the same compiled ones.
states, probabilities = ([random.random((20, size), np.float32) for _ in "vu"] for size in (50, 77))
pairs = [Pair((v < 0.3).astype(np.float32), p) for v, p in zip(states, probabilities, strict=True)]  # type: ignore[arg-type]
rbm, velocity = ([random.random(size).astype(np.float32) for size in [(50, 77), (50,), (77,)]] for _ in range(2))
machines = [RBM(*machine) for machine in (rbm, velocity)]  # type: ignore[arg-type]
total = cd_update(*pairs, Rates(*map(np.float32, (0.1, 0.1, 1e-3, 0.9))), 1, *machines)
for part in [*rbm, *velocity, np.float32(total)]:
    digest.update(part.tobytes())
rows = np.where(random.random((20, 50)) < 0.3, random.random((20, 50)), 0).astype(np.float32)
drawn, down = (Drawn(*(np.empty((20, size), np.float32) for _ in "ps")) for size in (77, 50))  # type: ignore[arg-type]
key = np.uint32(1), np.uint32(2)
half_step(rows, rbm[0], rbm[2], np.float32(0.7), key, 1, drawn)
half_step_down(drawn[1], rbm[0], rbm[1], np.float32(0.7), key, 1, down)
for part in (*drawn, *down):
    digest.update(part.tobytes())
x, weight, bias = (
    random.standard_normal(size).astype(np.float32) for size in [(99, 3 * FEATURES), (2 * CLASSES, 3 * FEATURES), 9]
)
for part in cross_entropy(x, random.integers(9, size=99), weight, bias):
    digest.update(np.float64(part).tobytes())
print(WIDTH, digest.hexdigest())
