"""Every pair of layouts has a chain of encoders, whose output follows their formulas."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

import neurobench as nb
from neurobench.data.dataset import Split, Splits
from neurobench.data.encoders import DEFAULTS, TEST, Auto, Flat, chain, encoded
from neurobench.data.events import Events
from neurobench.experiment.samples import as_read
from tests.data.test_custom import plan
from tests.draws import uniform
from tests.specs import spec

RATE = spec("encoder/rate")

LAYOUTS = {"vector": (4,), "image": (1, 28, 28), "events": (2, 34, 34)}


def recording(*events):
    """One recording of events (t, x, y, p)."""
    t, x, y, p = (torch.tensor(part) for part in zip(*events, strict=True))
    fields = (part.to(torch.uint8) for part in (x, y, p))
    return Events(t.to(torch.int32), *fields, torch.tensor([0, len(events)]), (2, 34, 34))


@pytest.mark.parametrize("reads", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_auto_finds_a_chain_of_encoders_between_any_two_layouts(layout, reads):
    steps = chain(Auto(), layout, LAYOUTS[layout], (reads,))
    assert not isinstance(steps, str)
    shape = LAYOUTS[layout]
    for step in steps:
        assert layout in step.reads
        assert step.misfit(shape) is None
        layout, shape = step.yields, step.shape(shape)
    assert layout == reads


def test_auto_encodes_mnist_by_the_camera_and_other_images_by_latency():
    assert chain(Auto(), "image", (1, 28, 28), ("events",)) == (spec("encoder/camera"),)
    assert chain(Auto(), "image", (3, 32, 32), ("events",)) == (spec("encoder/latency"),)
    assert (
        chain(Auto(), "image", (1, 300, 300), ("events",))
        == "a sensor has at most 256 rows and columns, not (1, 300, 300)"
    )


def test_auto_uses_the_values_of_the_encoders_configuration_files():
    files = ("latency", "camera", "counts", "raster", "square", "flat")
    used = {step for chains in DEFAULTS.values() for steps in chains for step in steps}
    assert used == {spec(f"encoder/{file}") for file in files}


def test_a_requested_encoder_is_used_or_refused_with_a_reason():
    assert chain(spec("encoder/rate"), "vector", (4,), ("events", "image")) == (spec("encoder/rate"),)
    assert chain(spec("encoder/raster"), "vector", (4,), ("events",)) == "yields image; the model reads events"
    assert chain(spec("encoder/counts", pool=34), "vector", (4,), ("image",)) == "reads events, not vector"
    assert "300 ms" in chain(spec("encoder/latency", window=200, repeats=2), "vector", (4,), ("events",))


def test_latency_of_a_single_cell_is_the_window_times_one_minus_the_value():
    x = torch.tensor([[1.0, 0.25, 0.05, 0.5]])
    events = spec("encoder/latency", window=100, repeats=2, cells=1).encode(x, torch.tensor([0]))
    told = list(zip(events.t.tolist(), events.y.tolist(), events.x.tolist(), strict=True))
    first = [(0, 0, 0), (50_000, 3, 0), (75_000, 1, 0)]  # 0.05 is too dim
    assert told == first + [(t + 100_000, row, column) for t, row, column in first]
    assert events.sensor == (1, 4, 1)


def test_latency_of_cells_grows_with_the_distance_from_their_centres():
    encoder = spec("encoder/latency", window=100, repeats=1, cells=5, dimmest=0.1)
    events = encoder.encode(torch.tensor([[0.5]]), torch.tensor([0]))
    late = {int(x): int(t) for x, t in zip(events.x, events.t, strict=True)}
    expected = {2: 0.0, 1: 1 - math.exp(-0.5), 3: 1 - math.exp(-0.5), 0: 1 - math.exp(-2), 4: 1 - math.exp(-2)}
    assert late == {x: round(t * 100_000) for x, t in expected.items()}


def test_an_images_channels_become_polarities_and_samples_stay_separate():
    x = torch.zeros(3, 2, 3, 4)
    x[0, 1, 2, 3], x[2, 0, 0, 1] = 1.0, 0.5
    events = spec("encoder/latency", window=10, repeats=1).encode(x, torch.arange(3))
    assert events.start.tolist() == [0, 1, 1, 2]
    assert [part.tolist() for part in (events.p, events.y, events.x, events.t)] == [[1, 0], [2, 0], [3, 1], [0, 5000]]


def test_rate_encoding_is_poisson_with_the_declared_rate_and_depends_on_the_samples_id():
    encoder = spec("encoder/rate", duration=300, rate=200, cells=1, dimmest=0)
    x = torch.tensor([[1.0, 0.5, 0.0]]).expand(300, 3)
    events = encoder.encode(x, torch.arange(300))
    n = torch.bincount(events.y.long(), minlength=3)
    for row, expected in enumerate((300 * 60, 300 * 30, 0)):
        assert abs(n[row] - expected) <= 4 * math.sqrt(expected)
    assert (events.t < 300_000).all()
    sample = events[7:8]
    assert (sample.t.diff() >= 0).all()
    again = encoder.encode(x[:1], torch.tensor([7]))
    assert torch.equal(again.t, sample.t)
    assert not torch.equal(encoder.encode(x[:1], torch.tensor([8])).t, sample.t)


@pytest.mark.parametrize(("duration", "steps"), [(0.5, 1), (10.7, 11), (10, 10)])
def test_spike_trains_have_the_declared_duration_if_it_is_no_whole_number_of_milliseconds(duration, steps):
    x = torch.ones(200, 1)
    events = spec("encoder/rate", duration=duration, rate=1000, cells=1).encode(x, torch.arange(200))
    assert 0 < events.t.max() < duration * 1000
    whole = spec("encoder/rate", duration=steps, rate=1000, cells=1).encode(x, torch.arange(200))
    assert torch.equal(events.t, whole.t[whole.t < duration * 1000])
    assert len(events.t) == pytest.approx(200 * duration, rel=0.15)


def test_event_counts_match_a_hand_computation():
    events = recording((0, 3, 2, 0), (1, 3, 2, 1), (99_999, 3, 2, 1), (100_000, 33, 33, 0), (300_000, 1, 1, 1))
    image = spec("encoder/counts", bins=3, length=300, pool=1, full=7).encode(events, torch.tensor([0]))
    expected = torch.zeros(1, 3, 34, 34)
    expected[0, 0, 2, 3], expected[0, 1, 33, 33] = math.log(4) / math.log(8), math.log(2) / math.log(8)
    assert torch.allclose(image, expected)  # the event at 300 ms is left out
    encoder = spec("encoder/counts", bins=1, length=301, polarities="kept", pool=17, full=1)
    kept = encoder.encode(events, torch.tensor([0]))
    assert kept.shape == (1, 2, 2, 2)
    assert kept[0].sum((1, 2)).tolist() == [2.0, 1.0]  # a full pixel is 1, however many events it has


def test_a_rasters_bar_is_at_the_position_of_the_value():
    x = torch.tensor([[0.0, 1.0, 1 / 27 * 13, 0.5]])
    image = spec("encoder/raster", side=28, width=0.05).encode(x, torch.tensor([0]))[0, 0]
    assert image.argmax(1).tolist() == [0] * 7 + [27] * 7 + [13] * 7 + [13] * 7
    assert image.max() <= 1
    assert image[3, 5] == pytest.approx(math.exp(-0.5 * (5 / 27 / 0.05) ** 2))


def test_encoded_splits_keep_their_order_and_say_that_they_are_emulated(cache):
    images = uniform(4, 1, 28, 28)
    split = Split(images, torch.tensor([3, 1, 2, 0]), torch.arange(4))
    others = {"more": split.head(3), "further": split.head(3)}
    splits = Splits(split, split.head(1), split.head(2), "bundled", "0", "the test set", others=others)
    flat = encoded(splits, (Flat(),))
    assert torch.equal(flat.train.x, images.flatten(1))
    assert not flat.emulated
    seen = encoded(splits, (spec("encoder/camera"),))
    assert (seen.emulated, seen.source) == (True, "bundled, emulated recordings of it")
    assert seen.evaluated_on == "emulated recordings of the test set"
    assert [len(each) for each in (seen.train, seen.validation, seen.test, seen.others["more"])] == [4, 1, 2, 3]
    assert torch.equal(seen.train.y, split.y)
    same = [split.x[0:1].t for split in (seen.train, seen.test, *seen.others.values())]  # the same image and id
    assert len(same[0]) > 100
    assert not any(torch.equal(one, other) for one, other in combinations(same, 2))  # but different noise


def test_a_held_out_sample_shares_its_noise_with_no_training_sample_of_the_same_id():
    x, y = torch.full((4, 3), 0.5), torch.arange(4) % 2
    train, held = (Split(x[:n], y[:n], first + torch.arange(n)) for n, first in ((4, 0), (2, 0)))
    made = encoded(Splits(train, held, held, "", "", ""), (RATE,))
    own = encoded(Splits(train, replace(held, ids=held.ids + 4), held, "", "", ""), (RATE,))
    trains = [each.x[0:1].t.tolist() for each in (made.train, made.validation, made.test)]
    assert len({*map(tuple, trains)}) == 3
    assert torch.equal(own.validation.x.t, RATE.encode(x[:2], torch.arange(4, 6)).t)


def test_samples_to_predict_are_encoded_like_test_samples_not_like_training_samples():
    x = uniform(5, 4)
    wanted = RATE.encode(x, TEST + torch.arange(5))
    read = as_read(x, plan("model=slayer_snn", "dataset=yin_yang", "encoder=rate"))
    assert torch.equal(read.t, wanted.t)
    X = np.linspace(0, 1, 20).reshape(5, 4)
    made = nb.estimator("eventprop_snn", epochs=1, scaling=False, overrides=("encoder=rate",)).fit(X, [0, 1, 0, 1, 0])
    seen, predict = [], made.learner_.predict
    made.learner_.predict = lambda x: seen.append(x) or predict(x)
    made.predict(X)
    assert torch.equal(seen[0].t, RATE.encode(torch.from_numpy(X).float(), TEST + torch.arange(5)).t)
