"""Images brought down to a chip's size, against the mean over each area."""

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.models.learner import Task
from neurobench.models.qrbm.classifier import averaged, visible
from tests.draws import uniform
from tests.specs import spec


def layers(shape: tuple[int, ...], **changes: int) -> tuple[int, ...]:
    return spec("model/qrbm", **changes).demand(Task("image", shape, 10)).layers


def test_halving_takes_the_mean_of_two_by_two():
    x = uniform(3, 1, 6, 6)
    torch.testing.assert_close(averaged(x, 3), x.reshape(3, 1, 3, 2, 3, 2).mean((3, 5)))


@pytest.mark.parametrize("side", [1, 5, 13, 28])
def test_any_side_takes_the_mean_over_equal_areas(side: int):
    """Against an image blown up until every area is made of whole pixels."""
    x = uniform(2, 1, 28, 28, dtype=torch.float64)
    fine = np.kron(x.numpy(), np.ones((1, 1, side, side)))
    expected = fine.reshape(2, 1, side, 28, side, 28).mean((3, 5))
    np.testing.assert_allclose(averaged(x, side), expected, atol=1e-12)


def test_grey_comes_before_black_and_white():
    x = torch.tensor([[[[0.9, 0.0], [0.0, 0.9]]]])
    assert visible(x, 0.5, 1).tolist() == [[0.0]]
    assert visible(x, 0.4, 1).tolist() == [[1.0]]
    assert visible(x, None, 1)[0, 0] == pytest.approx(0.45)


def test_the_spec_knows_its_layers():
    assert layers((1, 28, 28)) == (784, 300)
    assert layers((1, 28, 28), downsample=13, n_hidden=128) == (169, 128)


def test_what_cannot_be_brought_down_is_refused():
    with pytest.raises(UserError, match=r"model.downsample=29 is more than the 28 pixels that an image has"):
        layers((1, 28, 28), downsample=29)
    with pytest.raises(UserError, match=r"model.downsample=2 is for images; samples of shape \(4,\) are none"):
        layers((4,), downsample=2)
