"""The Dynex tutorial's network as on its page, in plain numpy with numpy's random numbers: the reference for the fast
learner. No seed gives the same run as that learner; runs with any seeds are draws of one distribution.

    python -m tests.models.qrbm.plain_dynex 4 > tests/models/qrbm/plain_dynex.jsonl    # a minute per seed, one core

Shares no code with `neurobench.models.qrbm` and `neurobench.kernels`. Its one device state, which starts 1 of 60,001
updates, is drawn at random: the device is not accessible, and the state makes no measurable difference.
"""

import json
import sys
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from neurobench.config.targets import load
from neurobench.data.specs import MNIST
from tests.specs import spec

LR, MOMENTUM, DECAY, HIDDEN, BATCHES = 0.05, 0.9, 1.00005, 300, 6


class Machine(NamedTuple):
    W: np.ndarray  # (V, H)
    a: np.ndarray  # (V,)
    b: np.ndarray  # (H,)
    error: float  # mean over all updates of the mean squared error per pixel


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def trained(x: np.ndarray, random: np.random.Generator) -> Machine:
    """Train for one epoch over x (N, V) in {0, 1}: update 0 on all images, then one per image, in shuffled order."""
    n, visible = x.shape
    W = random.normal(0, 0.001, (visible, HIDDEN)).astype(np.float32)
    a, b = np.zeros(visible, np.float32), np.zeros(HIDDEN, np.float32)
    dW, da, db = np.zeros_like(W), np.zeros_like(a), np.zeros_like(b)
    p, lr = sigmoid(b + x @ W), np.float32(LR)
    error = float(((x - sigmoid(a + p @ W.T)) ** 2).mean())
    state = random.random(visible) < 0.5
    h = random.random(HIDDEN) < sigmoid(b + state.astype(np.float32) @ W)
    v = (random.random(visible) < sigmoid(a + W @ h.astype(np.float32))).astype(np.float32)
    q = sigmoid(b + v @ W)
    dW += lr * (x.T @ p / n - np.outer(v, q))
    da += lr * (x.mean(0) - v)
    db += lr * (p.mean(0) - q)
    W, a, b = W + dW, a + da, b + db
    for row in random.permutation(n):
        lr /= np.float32(DECAY)
        v0 = x[row]
        p0 = sigmoid(b + v0 @ W)
        h0 = (random.random(HIDDEN, np.float32) < p0).astype(np.float32)
        q = sigmoid(a + W @ h0)
        error += float(((v0 - q) ** 2).mean())
        v1 = (random.random(visible, np.float32) < q).astype(np.float32)
        p1 = sigmoid(b + v1 @ W)
        h1 = (random.random(HIDDEN, np.float32) < p1).astype(np.float32)
        v2 = (random.random(visible, np.float32) < sigmoid(a + W @ h1)).astype(np.float32)
        dW *= np.float32(MOMENTUM)
        dW[v0 > 0] += lr * p0
        dW[v2 > 0] -= lr * p1
        da = np.float32(MOMENTUM) * da + lr * (v0 - v2)
        db = np.float32(MOMENTUM) * db + lr * (p0 - p1)
        W += dW
        a, b = a + da, b + db
    return Machine(W, a, b, error / (n + 1))


def figures(seed: int) -> dict[str, float]:
    """Figures that the tutorial prints, and those of the same classifiers on images that they were not fitted on."""
    splits = load(MNIST.opens)(spec("dataset/mnist", validation=0), 0)
    (x, y), (tx, ty) = (((part.x.flatten(1) > 128 / 255).float().numpy(), part.y.numpy())
                        for part in (splits.train, splits.test))  # fmt: skip
    random = np.random.default_rng(seed)
    machine = trained(x, random)
    p = sigmoid(machine.b + tx @ machine.W)
    t = p * (random.random(p.shape) < p)
    few = LogisticRegression(max_iter=10_000).fit(t[:150], ty[:150])
    whole = LogisticRegression(max_iter=100).fit(sigmoid(machine.b + x @ machine.W), y)
    return {
        "seed": seed,
        "sme": machine.error / BATCHES,
        "lr_150_fit_and_scored": float(few.score(t[:150], ty[:150])),
        "lr_150_on_the_other_9850": float(few.score(t[150:], ty[150:])),
        "test_accuracy": float(whole.score(p, ty)),
    }


if __name__ == "__main__":
    for seed in range(int(sys.argv[1])):
        print(json.dumps(figures(seed)), flush=True)
