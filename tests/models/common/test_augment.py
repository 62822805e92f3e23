"""Images move as a whole, and by no more than they are told to."""

import torch
from torch import nn

from neurobench.models.common.training import moved


def test_moved_images_are_the_images_moved() -> None:
    x = torch.arange(2 * 16 * 16, dtype=torch.float32).reshape(2, 1, 16, 16) + 1
    found = moved(x, 2, seed=3)
    for before, after in zip(x[:, 0], found[:, 0], strict=True):
        wide = nn.functional.pad(before, (2,) * 4)
        assert any(torch.equal(after, wide[r : r + 16, c : c + 16]) for r in range(5) for c in range(5))
    assert not torch.equal(found, x)
    assert moved(x, 0, seed=3) is x
