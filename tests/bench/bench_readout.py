"""Speed of the QRBM's readout and of scikit-learn's logistic regression, to the same minimum, alternating in one run.

    python tests/bench/bench_readout.py [--threads 1] [--rounds 3]

55,000 binary MNIST images, 300 hidden units with random weights, their probabilities and fields: 600 features. Both
start at zeros and stop when no derivative exceeds 1e-4, after 200 iterations at most. The reference is a pass over the
samples: its two products (features times weights, residuals times features) at the rate of a large product of the same
library.
"""

import statistics
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import pinned

options = pinned.options(__doc__)  # before the import of libraries that read their number of threads only once

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from neurobench.kernels.host import WIDTH  # noqa: E402
from neurobench.kernels.softmax import cross_entropy  # noqa: E402
from neurobench.models.common import readout  # noqa: E402
from neurobench.models.qrbm.classifier import both, random_rbm, visible  # noqa: E402
from neurobench.storage.provenance import provenance  # noqa: E402
from tests.specs import spec  # noqa: E402

L2, ITERATIONS, CLASSES = 3e-5, 200, 10


def main() -> None:
    seconds = partial(pinned.seconds, threads=options.threads)
    splits = spec("dataset/mnist", validation=5000).load(seed=0)
    rbm = random_rbm((784, 300), 0.05, 0, torch.device("cpu"))
    f, y = both(rbm, visible(splits.train.x, 128 / 255)), splits.train.y  # type: ignore[arg-type]
    held, held_y = both(rbm, visible(splits.validation.x, 128 / 255)), splits.validation.y  # type: ignore[arg-type]
    x = ((f - f.mean(0)) / (f.std(0, correction=0) + 1e-3)).numpy()
    theirs = LogisticRegression(C=1 / (2 * L2 * len(y)), max_iter=ITERATIONS)
    fitted: list[readout.Readout] = []
    padded, weight = np.zeros((len(x), 608), np.float32), np.zeros((10, 608), np.float32)
    padded[:, :600] = x
    one_pass, square = (padded, y.numpy(), weight, np.zeros(CLASSES, np.float32)), torch.rand(1000, 1000)
    cross_entropy(*one_pass)  # compile or load the kernel

    works: dict[str, Callable[[], object]] = {
        "ours": lambda: fitted.append(readout.fit(f, y, CLASSES, L2, ITERATIONS)),
        "scikit-learn": lambda: theirs.fit(x, y.numpy()),
        "a pass, ours": lambda: cross_entropy(*one_pass),
        "its products in numpy": lambda: (x @ weight[:, :600].T, (x[:, :CLASSES].T @ x)),
        "as many in a square product": lambda: square @ square,
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    warnings.filterwarnings("ignore", "lbfgs failed to converge")
    for _ in range(options.rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    medians = {name: statistics.median(each) for name, each in taken.items()}
    medians["as many in a square product"] *= 4 * x.size * CLASSES / (2 * len(square) ** 3)

    cpu = provenance("cpu", options.threads)["processor"]
    print(f"{cpu}, registers of {WIDTH} bits, {options.threads} thread(s), medians of {options.rounds}")
    for name, middle in medians.items():
        print(f"{name:28} {1000 * middle:9.1f} ms   [{', '.join(f'{1000 * each:.1f}' for each in taken[name])}]")
    means = torch.from_numpy(theirs.predict(((held - fitted[0].mean) / fitted[0].scale).numpy()))
    print(
        f"held out: ours {100 * readout.accuracy(fitted[0], held, held_y):.2f} %, scikit-learn "
        f"{100 * float((means == held_y).double().mean()):.2f} %, {theirs.n_iter_[0]} iterations; "
        f"ours is {medians['scikit-learn'] / medians['ours']:.2f} times as fast, a pass takes "
        f"{medians['a pass, ours'] / medians['its products in numpy']:.2f} of its products in numpy and "
        f"{medians['a pass, ours'] / medians['as many in a square product']:.2f} of as many in a square product"
    )


if __name__ == "__main__":
    main()
