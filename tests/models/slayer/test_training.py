"""Parts of training beside the spikes: recordings are shifted, the learning rate follows its schedule."""

import math
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from neurobench.data.dataset import Batch
from neurobench.data.events import Events
from neurobench.experiment import evaluate
from neurobench.models.learner import Divergence, Step
from neurobench.models.slayer import learner as module
from tests.models.slayer.conftest import learner
from tests.models.slayer.conftest import recordings as bundled

Y = torch.arange(4)


def recordings(moved: tuple[int, int] = (0, 0)) -> Events:
    """Four recordings of 400 events each, at least three pixels from the edges, shifted by `moved`."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randint(3, 31, (2, 1600), generator=draw)
    t = torch.randint(0, 300_000, (4, 400), generator=draw).sort(1).values.flatten().int()
    p = torch.randint(0, 2, (1600,), generator=draw).byte()
    return Events(t, (x + moved[0]).byte(), (y + moved[1]).byte(), p, 400 * torch.arange(5), (2, 34, 34))


def updated(x: Events, **settings: Any) -> list[torch.Tensor]:
    """The weights after one update."""
    one = learner(lr=0.01, dropout=0.0, angle=0.0, **settings)
    one.learn(Batch(x, Y), Step(0, 9, 0))
    return [layer.v for layer in one.layers]


def alike(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_learning_with_augmentation_equals_learning_from_shifted_recordings() -> None:
    """Shifted by 2 pixels right and down and by nothing else, whatever is drawn."""
    augmented = updated(recordings(), augment=True, shift=(2, 2))
    assert alike(augmented, updated(recordings((2, 2)), augment=False))
    assert not alike(augmented, updated(recordings(), augment=False))


def test_measuring_uses_neither_augmentation_nor_dropout() -> None:
    one = learner(augment=True, shift=(2, 2), angle=0.0, dropout=0.5)
    still = learner(augment=False, dropout=0.0)
    assert one.measure(Batch(recordings(), Y)) == still.measure(Batch(recordings(), Y))


def test_the_loss_as_lava_prints_it_is_that_of_batches_of_32_however_many_samples_run_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A GPU runs 128."""
    batch, one = bundled().train.batch(slice(70)), learner()
    small = one.measure(batch)
    monkeypatch.setattr(one, "_blocks", lambda n: [slice(0, n)])
    large = one.measure(batch)
    assert large.extra["lava_loss"] == pytest.approx(small.extra["lava_loss"], rel=1e-6)
    assert large.loss == pytest.approx(small.loss, rel=1e-6)
    parts = [one.measure(bundled().train.batch(slice(first, min(first + 32, 70)))) for first in (0, 32, 64)]
    wanted = sum(size * part.loss for size, part in zip((32, 32, 6), parts, strict=True))
    assert small.extra["lava_loss"] == pytest.approx(wanted, rel=1e-6)


def test_the_loss_as_lava_prints_it_does_not_depend_on_how_many_samples_are_measured_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split, one = bundled().train.head(70), learner()
    whole = one.measure(split.batch(slice(None))).extra["lava_loss"] / 70
    for size in (50, 64, 1000):  # 50: as 1000 is of the tutorial's 10,000, no multiple of 32
        monkeypatch.setattr(evaluate, "BATCH", size)
        assert evaluate.mean_sums(one, split)["lava_loss"] == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("n", [7, 10])
def test_rates_of_updates_are_those_of_torchs_schedulers(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    def update(layer: Any, quantized: Any, gradient: Any, moments: Any, lr: float, k: int, spec: Any) -> float:
        rates.append(lr)
        return 0.0

    monkeypatch.setattr(module, "update", update)
    for schedule in ("cosine", "constant"):
        rates.clear()
        one = learner(hidden=(3,), lr=0.02, lr_schedule=schedule)
        one.engine.gradients = lambda *_: [None, None]
        for k in range(n):
            one.learn(Batch(recordings(), Y), Step(k, n, 0))
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.02)
        scheduler = CosineAnnealingLR(optimizer, T_max=n)
        for k in range(n):
            wanted = scheduler.get_last_lr()[0] if schedule == "cosine" else 0.02
            assert rates[2 * k : 2 * k + 2] == pytest.approx([wanted] * 2), "of both layers"
            optimizer.step()
            scheduler.step()


def test_a_gradient_that_is_not_finite_stops_training_and_names_its_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([1.0, math.inf])
    monkeypatch.setattr(module, "update", lambda *_: next(sizes))
    one = learner(hidden=(3,))
    with pytest.raises(Divergence, match="at update 4: the gradient of layer 2 is not finite"):
        one.learn(Batch(recordings(), Y), Step(4, 9, 0))
