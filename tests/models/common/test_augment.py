"""Images are shifted as a whole, by no more than the given number of pixels."""

import pytest
import torch
from torch import nn

from neurobench.models.common.moves import moved, moved_copies


def test_each_moved_image_is_the_original_shifted_by_at_most_two_pixels() -> None:
    x = torch.arange(2 * 16 * 16, dtype=torch.float32).reshape(2, 1, 16, 16) + 1
    found = moved(x, 2, seed=3)
    for before, after in zip(x[:, 0], found[:, 0], strict=True):
        wide = nn.functional.pad(before, (2,) * 4)
        assert any(torch.equal(after, wide[r : r + 16, c : c + 16]) for r in range(5) for c in range(5))
    assert not torch.equal(found, x)
    assert moved(x, 0, seed=3) is x


def test_shifts_are_uniform_over_both_axes_up_to_the_given_number_of_pixels() -> None:
    """A bright pixel in the middle of 5 x 5 shows where its image went: to each of 9 places in a ninth of the draws."""
    x = torch.zeros(9000, 1, 5, 5)
    x[:, :, 2, 2] = 1
    places = moved(x, 1, seed=0).mean(0)[0] * 9
    assert places[1:4, 1:4].flatten().tolist() == pytest.approx([1.0] * 9, abs=0.15)
    assert places.sum().item() == pytest.approx(9), "none further away"
    wide = torch.rand(3, 2, 4, 7, generator=torch.Generator().manual_seed(1))
    assert moved(wide, 1, seed=0).shape == wide.shape, "nor need images be square or grey"
    assert torch.equal(moved(wide, 1, seed=0), moved(wide, 1, seed=0))
    assert not torch.equal(moved(x, 1, seed=0), moved(x, 1, seed=1))


def test_copies_of_an_image_have_different_shifts_that_are_never_zero() -> None:
    x = torch.zeros(50, 1, 5, 5)
    x[:, :, 2, 2] = 1
    copies = list(moved_copies(x, 1, 8, seed=0))
    places = torch.ones(5, 5, dtype=torch.bool)
    places[1:4, 1:4] = False
    places[2, 2] = True
    every = torch.stack(copies).sum(0)[:, 0]
    assert all((image == ~places).all() for image in every), "eight copies: each of the eight places once"
    assert not torch.equal(copies[0][0], copies[0][1]) or not torch.equal(copies[0][0], copies[0][2])
    again = list(moved_copies(x, 1, 9, seed=0))
    assert torch.equal(again[8], copies[0]), "a ninth begins again"
    assert not torch.equal(next(moved_copies(x, 1, 1, seed=1)), copies[0])
