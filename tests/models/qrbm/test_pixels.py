"""Images downsampled to a chip's size, against the mean over each area."""

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


def test_halving_an_image_averages_blocks_of_two_by_two_pixels():
    x = uniform(3, 1, 6, 6)
    torch.testing.assert_close(averaged(x, 3), x.reshape(3, 1, 3, 2, 3, 2).mean((3, 5)))


@pytest.mark.parametrize("side", [1, 5, 13, 28])
def test_downsampling_to_any_side_averages_equal_areas(side: int):
    """Compared with an image enlarged until every area consists of whole pixels."""
    x = uniform(2, 1, 28, 28, dtype=torch.float64)
    fine = np.kron(x.numpy(), np.ones((1, 1, side, side)))
    expected = fine.reshape(2, 1, side, 28, side, 28).mean((3, 5))
    np.testing.assert_allclose(averaged(x, side), expected, atol=1e-12)


def test_pixels_are_averaged_before_the_threshold_is_applied():
    x = torch.tensor([[[[0.9, 0.0], [0.0, 0.9]]]])
    assert visible(x, 0.5, 1).tolist() == [[0.0]]
    assert visible(x, 0.4, 1).tolist() == [[1.0]]
    assert visible(x, None, 1)[0, 0] == pytest.approx(0.45)


def test_the_specs_demand_has_the_sizes_of_the_downsampled_and_hidden_layers():
    assert layers((1, 28, 28)) == (784, 300)
    assert layers((1, 28, 28), downsample=13, n_hidden=128) == (169, 128)


def test_downsampling_is_refused_beyond_the_images_size_and_for_vectors():
    with pytest.raises(UserError, match=r"model.downsample=29 is more than the 28 pixels that an image has"):
        layers((1, 28, 28), downsample=29)
    with pytest.raises(UserError, match=r"model.downsample=2 is for images; samples of shape \(4,\) are not images"):
        layers((4,), downsample=2)
