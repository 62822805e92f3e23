"""Fitting a camera: the search finds known minima, and known cameras are recovered from their events."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.data.camera.fit import (
    BENDS,
    BIN,
    BINS,
    VARIED,
    Pairs,
    fit,
    fit_path,
    minimise,
    moved,
    rounded,
    search,
    sooner,
    unlikeness,
)
from neurobench.data.camera.fit_sensor import background, lateness, pattern
from neurobench.data.camera.likeness import pairs, summary
from neurobench.data.camera.parameters import Camera, read
from neurobench.data.mnist import checked_root
from neurobench.data.mnist import read as read_mnist


def test_the_search_finds_the_minimum_of_a_turned_and_stretched_bowl():
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    bowl = turn @ np.diag(10.0 ** np.arange(6)) @ turn.T  # some axes are 300 times as long as others
    at = np.arange(6.0)

    def loss(x):
        return float((x - at) @ bowl @ (x - at))

    assert np.abs(minimise(loss, 6, rounds=300) - at).max() < 1e-3
    assert np.array_equal(minimise(loss, 6, rounds=5), minimise(loss, 6, rounds=5))


def test_without_cmaes_the_fit_says_what_to_install_before_any_data_are_read(monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    monkeypatch.setattr("neurobench.data.camera.fit.checked_root", lambda root: pytest.fail("data were read"))
    with pytest.raises(UserError, match=r"needs cmaes, .* pip install -e '\.\[camera-fit\]'"):
        fit()


def test_the_path_of_a_known_camera_is_recovered_from_its_events():
    _, made = pairs(train=True, n=40)
    with checked_root(None) as root:
        images = read_mnist(root, True)[0][:40].float() / 255
    camera = read(None)
    found = fit_path(made, images, steps=60, batch=12)["corner"].numpy()
    edges = np.arange(BINS + 1) * float(BIN)
    lag = 2800.0  # us: delay of the pixels' low-pass, which the fitted path includes
    true = np.stack([np.interp(edges - lag, camera.knots, axis) for axis in (camera.row, camera.column)], 1)
    moving = slice(4, 58)  # at rest no event shows where the view is
    assert np.abs(found - true)[moving].mean() < 0.25


@pytest.fixture(scope="module")
def shown():
    """Images without recordings."""
    with checked_root(None) as root:
        images = read_mnist(root, True)[0][1000:1060].numpy()
    return Pairs(None, images, list(range(1000, 1060)), np.zeros((60, 2)))


def test_the_delays_of_saccades_are_recovered_from_their_events(shown):
    camera = read(None)
    late = np.random.default_rng(0).normal(0, 3000, (60, 2))
    found = lateness(replace(shown, late=late).emulated(camera), shown.emulated(camera))
    assert np.abs(found - late).mean() < 500
    assert np.corrcoef(found.ravel(), late.ravel())[0, 1] > 0.97


def test_thresholds_of_pixels_are_recovered_from_their_numbers_of_events(shown):
    plain = replace(read(None), pattern=())
    true = np.random.default_rng(0).normal(0, 0.2, (2, 34, 34))
    known = replace(plain, pattern=tuple(map(tuple, true.reshape(2, -1).tolist())))
    real = shown.emulated(known)
    found = np.array(pattern(plain, real, shown.emulated).pattern).reshape(2, 34, 34)
    middle = slice(12, 22), slice(12, 22)  # the other pixels see little of 60 images
    for bit in (0, 1):
        assert np.corrcoef(found[bit][middle].ravel(), true[bit][middle].ravel())[0, 1] > 0.85


def test_background_rates_are_recovered_from_events_without_motion(shown):
    plain = replace(read(None), background=0.0, hot=())
    shares = np.ones((2, 1156))
    shares[0] = 0.25
    shares[1, 40] = 30.0
    known = replace(plain, background=4e-3, hot=tuple(map(tuple, shares.tolist())))
    found = background(plain, shown.emulated(known), shown.emulated)
    assert found.background == pytest.approx(known.background, rel=0.15)
    fitted = np.array(found.hot) / np.sum(found.hot) * shares.sum()
    assert fitted[1, 40] == pytest.approx(30, rel=0.25)
    assert fitted[0].mean() == pytest.approx(0.25, rel=0.2)


def test_the_search_improves_a_camera_with_wrong_parameters(shown):
    camera = read(None)
    few = Pairs(shown.emulated(camera)[:5], shown.images[:5], shown.ids[:5], shown.late[:5])
    wrong = replace(camera, brighter=camera.brighter * 1.15, darker=camera.darker * 0.9, blur=camera.blur * 1.2)

    def off(found):
        return unlikeness(summary(few.real), summary(few.emulated(found)))

    assert off(camera) == 0
    assert off(search(wrong, few, rounds=9)) < 0.8 * off(wrong)


def test_the_shipped_camera_is_already_rounded_and_its_path_can_be_moved_in_time():
    camera = read(None)
    assert rounded(camera) == camera
    late = sooner(camera, 1000.0)
    assert np.interp(50_000, camera.knots, late.row) == pytest.approx(
        np.interp(51_000, camera.knots, camera.row), abs=0.01
    )


def test_search_vector_0_is_the_camera_and_others_change_its_parameters_by_declared_amounts():
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


def test_unlikeness_is_0_for_equal_recordings_and_grows_with_the_mismatch():
    real, made = pairs(train=True, n=30)
    own = summary(real)
    assert unlikeness(own, own) == 0
    near = unlikeness(own, summary(made))
    turned = torch.arange(30).roll(1)
    assert 0 < near < 0.7 * unlikeness(own, summary(made[turned]))


def test_pairs_selected_from_a_first_one_on_equal_the_tail_of_all_pairs():
    whole, others = pairs(train=True, n=9), pairs(train=True, n=9, first=6)
    for one, other in zip(whole, others, strict=True):
        assert len(other) == 3
        assert torch.equal(one[6:9].t, other.t)
        assert torch.equal(one[6:9].p, other.p)
