import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurobench.config.bounds import BoundsError
from neurobench.data.yin_yang import BOUNDARY, CELLS, Shape, YinYangStream, class_table, classify
from tests.data.plain_yin_yang import class_of, plain_draw
from tests.specs import spec

PUBLISHED = np.load(Path(__file__).parent / "yinyang.npz")  # output of the published generator


@pytest.mark.parametrize("seed", [42, 41, 40])
def test_the_published_samples_are_reproduced_bit_for_bit(seed):
    stream = YinYangStream(seed)
    samples, labels = stream.draw(1000)
    assert np.array_equal(samples, PUBLISHED[f"seed{seed}_samples"])
    assert np.array_equal(labels, PUBLISHED[f"seed{seed}_labels"])
    assert stream.points.words == PUBLISHED[f"seed{seed}_words"][-1]
    assert (samples.dtype, labels.dtype) == (np.float32, np.int64)


def test_drawing_sample_by_sample_uses_as_many_random_words_as_published():
    stream = YinYangStream(42)
    for k in range(1000):
        samples, labels = stream.draw(1)
        assert np.array_equal(samples[0], PUBLISHED["seed42_samples"][k])
        assert labels[0] == PUBLISHED["seed42_labels"][k]
        assert stream.points.words == PUBLISHED["seed42_words"][k]


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(0.1, 0.5), (0.2, 0.5), (0.02, 0.5), (0.05, 0.3), (0.123, 0.4567)]),
    st.lists(st.integers(0, 60), min_size=1, max_size=5),
)
def test_any_seed_radii_and_pieces_give_the_samples_of_the_plain_loop(seed, radii, pieces):
    stream = YinYangStream(seed, *radii)
    drawn = [stream.draw(n) for n in pieces]
    samples, labels = plain_draw(np.random.RandomState(seed), sum(pieces), *radii)
    assert np.array_equal(np.concatenate([part[0] for part in drawn]), samples)
    assert np.array_equal(np.concatenate([part[1] for part in drawn]), labels)


def test_samples_do_not_depend_on_how_many_random_words_are_fetched_at_a_time(monkeypatch):
    """Fetches are small, so that goals and points of one sample are split between fetches in every way."""
    monkeypatch.setattr("neurobench.data.yin_yang.LEAST", 5)
    monkeypatch.setattr("neurobench.data.yin_yang.MOST", 7)
    samples, labels = YinYangStream(42).draw(1000)
    assert np.array_equal(samples, PUBLISHED["seed42_samples"])
    assert np.array_equal(labels, PUBLISHED["seed42_labels"])


@pytest.mark.parametrize("radii", [(0.1, 0.5), (0.03, 0.2)])
def test_points_are_classified_according_to_the_definition(radii):
    shape = Shape(*radii)
    x, y = np.random.default_rng(0).random((2, 20_000)) * 2 * shape.r_big
    expected = [class_of(*point, *radii) for point in zip(x, y, strict=True)]
    assert classify(shape, x, y).tolist() == [3 if known is None else known for known in expected]


@pytest.mark.parametrize("radii", [(0.1, 0.5), (0.2, 0.5), (0.001, 0.5), (0.03, 0.2)])
def test_every_point_of_a_cell_has_the_class_of_its_cell(radii):
    shape = Shape(*radii)
    table = class_table(shape)
    assert (table == BOUNDARY).mean() < 0.05
    cells = np.flatnonzero(table != BOUNDARY)
    random = np.random.default_rng(0)
    for corner in [(0, 0), (0, 1), (1, 0), (1, 1), None]:
        within = random.random((len(cells), 2)) if corner is None else np.array(corner) * (1 - 2**-40)
        place = (np.stack(np.divmod(cells, CELLS), axis=1) + within) / CELLS * 2 * shape.r_big
        assert np.array_equal(classify(shape, *place.T), table[cells])


@pytest.mark.parametrize("stream", ["compat", "fast"])
def test_classes_are_equally_frequent_and_points_are_uniform_within_them(stream):
    n, (r, R) = 30_000, (0.1, 0.5)
    samples, labels = YinYangStream(5, stream=stream).draw(n)
    assert np.allclose(samples[:, :2] + samples[:, 2:], 1, atol=1e-6)
    assert abs(np.bincount(labels) / n - 1 / 3).max() < 4 * math.sqrt(2 / 9 / n)
    x, y = samples[:, :2].T.astype(np.float64)
    known = classify(Shape(r, R), x, y)
    assert (known != labels).sum() <= 2  # points that the rounding to float32 moved over an edge
    dots = labels == 2
    assert abs((x[dots] > R).mean() - 0.5) < 4 / math.sqrt(dots.sum() * 4)
    centre = np.where(x[dots] > R, 1.5 * R, 0.5 * R)
    inner = np.hypot(x[dots] - centre, y[dots] - R) < r / 2
    assert abs(inner.mean() - 1 / 4) < 4 * math.sqrt(3 / 16 / dots.sum())


def test_fast_and_published_samples_share_a_distribution():
    """Compare counts in an 8 x 8 grid of each class by a two-sample chi-square (64 cells, limit far in the tail)."""
    counts = []
    for stream in ("compat", "fast"):
        samples, labels = YinYangStream(6, stream=stream).draw(60_000)
        cell = (samples[:, :2] * 8).astype(int).clip(0, 7) @ [8, 1]
        counts.append(np.bincount(labels * 64 + cell, minlength=192))
    both = counts[0] + counts[1]
    chi = ((counts[0] - counts[1])[both > 0] ** 2 / both[both > 0]).sum()
    freedom = (both > 0).sum()
    assert chi < freedom + 5 * math.sqrt(2 * freedom)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 6000), min_size=1, max_size=4))
def test_a_fast_stream_drawn_in_pieces_gives_the_same_samples(pieces):
    stream = YinYangStream(8, stream="fast")
    drawn = [stream.draw(n) for n in pieces]
    samples, labels = YinYangStream(8, stream="fast").draw(sum(pieces))
    assert np.array_equal(np.concatenate([part[0] for part in drawn]), samples)
    assert np.array_equal(np.concatenate([part[1] for part in drawn]), labels)


def test_the_data_set_contains_the_published_splits():
    splits = spec("dataset/yin_yang").load(seed=7)
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [5000, 1000, 1000]
    for split, seed in ((splits.train, 42), (splits.validation, 41), (splits.test, 40)):
        assert np.array_equal(split.x[:1000], PUBLISHED[f"seed{seed}_samples"])
        assert np.array_equal(split.y[:1000], PUBLISHED[f"seed{seed}_labels"])
    ids = torch.cat([splits.train.ids, splits.validation.ids, splits.test.ids])
    assert torch.equal(ids, torch.arange(7000))
    assert (splits.source, splits.evaluated_on) == ("generated", "1000 samples drawn with seed 40")
    assert spec("dataset/yin_yang", test=10_000).load(0).test.x[:1000].equal(splits.test.x)
    assert spec("dataset/yin_yang").load(8).sha256 == splits.sha256
    assert spec("dataset/yin_yang", stream="fast").load(7).sha256 != splits.sha256


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"r_small": 0.25}, "r_small=0.25 is not below half of r_big=0.5; the dots would not fit"),
        ({"r_small": 0}, "r_small=0 is not at least 0.001"),
        ({"r_small": 1e-6}, "r_small=1e-06 is not at least 0.001"),
        ({"r_small": math.nan}, "r_small=nan is not at least 0.001"),
        ({"r_big": 0.6}, r"r_big=0.6 is not in \(0, 0.5\]"),
        ({"test": 0}, "test=0 is not at least 1"),
        ({"validation": 0, "train": -5}, "train=-5 is not at least 1; validation=0 is not at least 1"),
        ({"validation_seed": 42}, "validation_seed=42 equals train_seed"),
        ({"test_seed": 41, "r_small": 0.3}, "r_small=0.3 .*; test_seed=41 equals validation_seed"),
        ({"train_seed": -1}, "train_seed=-1 is not in"),
        ({"stream": "quick"}, "stream='quick' is not one of compat, fast"),
    ],
)
def test_bad_values_are_refused_all_at_once(fields, sentence):
    with pytest.raises(BoundsError, match=sentence):
        spec("dataset/yin_yang", **fields)


def test_specs_of_data_sets_and_encoders_import_neither_torch_nor_numpy():
    names = ", ".join(f"neurobench.data.{name}" for name in ("specs", "encoders"))
    program = f"import sys, {names}; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
