"""Fitting: the search finds known minima, the path of a known camera is found again."""

from itertools import islice

import numpy as np
import torch

from neurobench.data.camera import Camera, read
from neurobench.data.camera_fit import BENDS, VARIED, moved, unlikeness
from neurobench.data.camera_likeness import pairs, summary
from neurobench.data.camera_path import BIN, BINS, fit_path
from neurobench.data.cma import minimise
from neurobench.data.mnist import read as read_mnist
from neurobench.data.mnist_files import checked_root


def test_the_search_finds_the_minimum_of_a_turned_and_stretched_bowl():
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    bowl = turn @ np.diag(10.0 ** np.arange(6)) @ turn.T  # axes 300 times as long as others
    at = np.arange(6.0)
    *_, last = islice(minimise(lambda x: float((x - at) @ bowl @ (x - at)), np.zeros(6), 1.0, seed=1), 400)
    assert np.abs(last.mean - at).max() < 1e-3
    again = next(minimise(lambda x: float((x - at) @ bowl @ (x - at)), np.zeros(6), 1.0, seed=1))
    assert again.best == next(minimise(lambda x: float((x - at) @ bowl @ (x - at)), np.zeros(6), 1.0, seed=1)).best


def test_the_path_of_a_known_camera_is_found_in_its_events():
    _, made = pairs(train=True, n=40)
    with checked_root(None) as root:
        images = read_mnist(root, True)[0][:40].float() / 255
    camera = read(None)
    found = fit_path(made, images, steps=60, batch=12)["corner"].numpy()
    edges = np.arange(BINS + 1) * float(BIN)
    lag = 2800.0  # us: the low-pass in the light, which the path takes over
    true = np.stack([np.interp(edges - lag, camera.knots, axis) for axis in (camera.row, camera.column)], 1)
    moving = slice(4, 58)  # at rest nothing tells where the view is
    assert np.abs(found - true)[moving].mean() < 0.25


def test_what_is_varied_is_what_moves():
    camera = read(None)
    size = len(VARIED) + 4 + 2 * len(BENDS)
    still = moved(camera, np.zeros(size))
    assert np.allclose(still.row, camera.row)
    assert still.gamma == camera.gamma
    one = np.zeros(size)
    one[list(VARIED).index("blur")] = 2.0
    one[-1] = 1.0
    other = moved(camera, one)
    assert np.isclose(other.blur, camera.blur * np.exp(2 * VARIED["blur"]))
    assert np.isclose(other.column[-1] - camera.column[-1], 0.12)
    assert isinstance(other, Camera)


def test_unlikeness_grows_with_what_is_wrong():
    real, made = pairs(train=True, n=30)
    own = summary(real)
    assert unlikeness(own, own) == 0
    near = unlikeness(own, summary(made))
    turned = torch.arange(30).roll(1)
    assert 0 < near < 0.7 * unlikeness(own, summary(made[turned]))
