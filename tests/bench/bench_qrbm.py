"""Time of an epoch of the QRBM and of scikit-learn's BernoulliRBM, alternating in one run: medians, ratios, accuracies.

    python tests/bench/bench_qrbm.py [--threads 1] [--rounds 3]

60,000 binary MNIST images, 300 hidden units. Each machine's hidden probabilities are then classified by the same
logistic regression, scored on the full official test set. The reference is the dense arithmetic of an epoch: the five
matrix products of a batch of 100, 600 times; an epoch should take at most 1.05 times as long. The kernels are compiled,
and that is timed, before.

Two threads need two idle cores. If other processes use them too, the QRBM soon switches to one thread
(`neurobench.kernels.adaptive_threads`), because two are then no faster.
"""

import statistics
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import pinned

options = pinned.options(__doc__)  # before the import of libraries that read their number of threads only once

import torch  # noqa: E402
from sklearn.neural_network import BernoulliRBM  # noqa: E402

from neurobench.models.common import readout  # noqa: E402
from neurobench.models.learner import Seeds, Step, Task  # noqa: E402
from neurobench.models.qrbm.classifier import visible  # noqa: E402
from neurobench.models.qrbm.learner import QRBMLearner  # noqa: E402
from tests.bench.machine import print_machine  # noqa: E402
from tests.specs import spec  # noqa: E402

BATCH, HIDDEN, CPU = 100, 300, torch.device("cpu")


def main() -> None:
    print_machine()
    seconds = partial(pinned.seconds, threads=options.threads)
    splits = spec("dataset/mnist", validation=0).load(seed=0)
    train, test = splits.train, splits.test
    assert isinstance(train.x, torch.Tensor)
    assert isinstance(test.x, torch.Tensor)
    x, x_test = (visible(split.x, 128 / 255) for split in (train, test))
    updates = len(train) // BATCH

    def ours(seed: int) -> QRBMLearner:
        sampler = spec("backend/sim", "sampler").open(0, CPU)
        task, seeds = Task("image", (1, 28, 28), 10), Seeds(seed, seed, seed, seed)
        learner = QRBMLearner(spec("model/qrbm", n_hidden=HIDDEN), task, seeds, {"sampler": sampler}, CPU)
        learner.start(train, None)
        return learner

    def epoch(learner: QRBMLearner, seed: int) -> None:
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
        for k in range(updates):
            learner.learn(train.batch(order[k * BATCH : (k + 1) * BATCH]), Step(k, updates, 0))

    def products() -> None:
        """Compute the five dense products v W, h W', u W, v'p, u'q sixty times."""
        W, v, h = torch.rand(784, HIDDEN), torch.rand(BATCH, 784), torch.rand(BATCH, HIDDEN)
        up, down, step = torch.empty(BATCH, HIDDEN), torch.empty(BATCH, 784), torch.empty(784, HIDDEN)
        for _ in range(60):
            torch.mm(v, W, out=up)
            torch.mm(h, W.t(), out=down)
            torch.mm(v, W, out=up)
            torch.mm(v.t(), h, out=step)
            torch.mm(v.t(), h, out=step)

    print(f"first update, kernels compiled or loaded: {seconds(lambda: epoch_of_one(ours(9), train)):.2f} s")
    times: dict[str, list[float]] = {"ours, batch 100": [], "sklearn, batch 100": [], "sklearn, batch 10": []}
    limit, accuracies = [], {name: [] for name in times}
    for turn in range(options.rounds):
        learner = ours(turn)
        theirs = {
            "sklearn, batch 100": BernoulliRBM(HIDDEN, batch_size=100, n_iter=1, random_state=turn),
            "sklearn, batch 10": BernoulliRBM(HIDDEN, n_iter=1, random_state=turn),
        }
        times["ours, batch 100"].append(seconds(lambda learner=learner, turn=turn: epoch(learner, turn)))
        limit.append(10 * seconds(products))
        features = {"ours, batch 100": [torch.sigmoid(learner.rbm.b + v @ learner.rbm.W) for v in (x, x_test)]}
        for name, machine in theirs.items():
            times[name].append(seconds(lambda machine=machine: machine.fit(x.numpy())))
            features[name] = [torch.from_numpy(machine.transform(v.numpy())).float() for v in (x, x_test)]
        for name, (f, f_test) in features.items():
            fitted = readout.fit(f, train.y, 10, l2=1e-4, iterations=200)
            accuracies[name].append(100 * readout.accuracy(fitted, f_test, test.y))

    print(f"{options.threads} thread(s), {options.rounds} rounds, seeds 0 to {options.rounds - 1}; medians")
    base, own = statistics.median(times["ours, batch 100"]), statistics.median(accuracies["ours, batch 100"])
    for name, taken in times.items():
        middle, accuracy = statistics.median(taken), statistics.median(accuracies[name])
        print(
            f"{name:20} {middle:6.2f} s an epoch ({middle / base:4.1f} x ours)"
            f"   {accuracy:.2f} % ({accuracy - own:+.2f})   [{', '.join(f'{value:.2f}' for value in taken)}]"
        )
    dense = statistics.median(limit)
    print(f"five dense products  {dense:6.2f} s an epoch; ours takes {base / dense:.2f} of that")


def epoch_of_one(learner: QRBMLearner, train: object) -> None:
    learner.learn(train.batch(torch.arange(BATCH)), Step(0, 1, 0))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
