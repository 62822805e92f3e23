"""A data set's function must return what models rely on; anything else is refused with a sentence, not a traceback."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from neurobench.api import datasets, encoders
from neurobench.config.errors import UserError
from neurobench.data.dataset import DataError, Split, Splits
from neurobench.data.encoders import Flat, Latency
from neurobench.data.events import Events
from neurobench.data.form import require_form
from neurobench.experiment.build import load_splits
from neurobench.experiment.samples import samples
from tests.data.test_custom import plan
from tests.draws import uniform

SHAPE = (1, 4, 4)


def images(n: int = 6) -> Split:
    return Split(uniform(n, *SHAPE), torch.arange(n) % 2, torch.arange(n))


def made(split: Any) -> Splits:
    return Splits(images(), images(0), split, source="mine", sha256="", evaluated_on="")


def changed(**fields: Any) -> Split:
    return replace(images(), **fields)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a tuple": (lambda: (1, 2), "test set: is a tuple; expected a Split"),
    "float64": (lambda: changed(x=uniform(6, *SHAPE).double()), r"x is a tensor of float64 \(6, 1, 4, 4\)"),
    "grey levels": (lambda: changed(x=torch.ones(6, *SHAPE) * 255), r"x has values in \[255, 255\]; scale them"),
    "rounding": (lambda: changed(x=torch.full((6, *SHAPE), 1 + 2**-23)), r"\[1\.00000012, 1\.00000012\];.* and clip"),
    "an empty row": (lambda: changed(x=torch.zeros(0), y=torch.zeros(0).long()), r"x is a tensor of float32 \(0,\)"),
    "nothing": (lambda: changed(x=None, y=torch.zeros(0).long()), "x is a NoneType"),
    "negative": (lambda: changed(x=-torch.ones(6, *SHAPE)), r"x has values in \[-1, -1\]"),
    "another shape": (
        lambda: changed(x=uniform(6, 4, 4)),
        r"\(6, 4, 4\); expected a tensor of float32 \(N, 1, 4, 4\)",
    ),
    "NumPy": (lambda: changed(x=images().x.numpy()), "x is a ndarray"),  # type: ignore[union-attr]
    "labels in a list": (lambda: changed(y=[0, 1] * 3), "y is a list; expected a tensor of int64"),
    "float labels": (lambda: changed(y=torch.zeros(6)), r"y is a tensor of float32 \(6,\)"),
    "one-hot labels": (lambda: changed(y=torch.eye(6).long()), r"y is a tensor of int64 \(6, 6\)"),
    "few labels": (lambda: changed(y=torch.zeros(5).long()), "x has 6 samples, y 5 and ids 6"),
    "few ids": (lambda: changed(ids=torch.arange(2)), "x has 6 samples, y 6 and ids 2"),
    "recordings": (lambda: changed(x=recordings()), "x is a Events; expected a tensor of float32"),
}


def recordings(**fields: Any) -> Events:
    """Two recordings, of two events and one."""
    t, x, y, p = torch.tensor([3, 9, 0]).int(), *(torch.tensor([0, 1, 1]).byte() for _ in range(3))
    return replace(Events(t, x, y, p, torch.tensor([0, 2, 3]), (2, 2, 2)), **fields)


@pytest.mark.parametrize(("make", "sentence"), REFUSED.values(), ids=list(REFUSED))
def test_samples_of_another_form_than_declared_are_refused(make: Callable[[], Any], sentence: str) -> None:
    require_form(made(images()), "image", SHAPE, 2)
    for splits in (made(make()), replace(made(images()), others={"test": make()})):
        with pytest.raises(DataError, match=f"mine: test set: .*{sentence.removeprefix('test set: ')}"):
            require_form(splits, "image", SHAPE, 2)


def test_all_faults_of_all_splits_are_named_at_once() -> None:
    both = replace(made(changed(y=None)), train=changed(x=None))
    with pytest.raises(DataError, match=r"training set: x is a NoneType.*; test set: y is a NoneType"):
        require_form(both, "image", SHAPE, 2)
    with pytest.raises(DataError, match="the function of the data set returned a NoneType; expected Splits"):
        require_form(None, "image", SHAPE, 2)


@pytest.mark.parametrize("classes", [("one",), ("one", "two", "three"), (0, 1)])
def test_classes_have_one_name_each_or_none(classes: Any) -> None:
    for named in ((), ("one", "two")):
        require_form(replace(made(images()), classes=named), "image", SHAPE, 2)
    with pytest.raises(DataError, match=r"mine: classes are .*; expected 2 names, or \(\)"):
        require_form(replace(made(images()), classes=classes), "image", SHAPE, 2)


EVENTS: dict[str, tuple[dict[str, Any], str]] = {
    "another sensor": ({"sensor": (2, 3, 3)}, r"a sensor of \(2, 3, 3\); expected \(2, 2, 2\)"),
    "times of 64 bits": ({"t": torch.tensor([3, 9, 0])}, r"t is a tensor of int64 \(3,\); expected rows of int32"),
    "few columns": ({"x": torch.zeros(2).byte()}, "t, x, y and p have 3, 2, 3 and 3 events"),
    "a column outside": ({"x": torch.tensor([0, 2, 1]).byte()}, "an event has x=2, outside the sensor"),
    "a polarity of 2": ({"p": torch.tensor([0, 2, 1]).byte()}, "an event has p=2, outside the sensor"),
    "out of order": ({"t": torch.tensor([9, 3, 0]).int()}, "the times of a recording are negative or not in order"),
    "a negative time": ({"t": torch.tensor([-3, 3, 0]).int()}, "the times of a recording are negative or not in"),
    "a short start": ({"start": torch.tensor([0, 1, 2])}, "start does not ascend from 0 to the 3 events"),
}


@pytest.mark.parametrize(("fields", "sentence"), EVENTS.values(), ids=list(EVENTS))
def test_recordings_whose_events_no_kernel_could_index_are_refused(fields: dict[str, Any], sentence: str) -> None:
    def splits(x: Events) -> Splits:
        part = Split(x, torch.arange(2), torch.arange(2))
        return Splits(part, part, part, source="mine", sha256="", evaluated_on="")

    require_form(splits(recordings()), "events", (2, 2, 2), 2)
    require_form(splits(recordings(start=torch.tensor([0, 0, 3]), t=torch.arange(3).int())), "events", (2, 2, 2), 2)
    with pytest.raises(DataError, match=sentence):
        require_form(splits(recordings(**fields)), "events", (2, 2, 2), 2)


def test_recordings_to_be_predicted_or_encoded_are_checked_likewise() -> None:
    assert len(encoders.counts(recordings())) == 2
    for fields, sentence in EVENTS.values():
        if "sensor" not in fields:
            with pytest.raises(UserError, match=f"recordings: .*{sentence}"):
                samples(recordings(**fields))


def test_the_form_is_checked_wherever_a_data_set_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurobench.data.yin_yang.load", lambda spec, seed: made(images()))
    with pytest.raises(DataError, match=r"mine: training set: x is a tensor of float32 \(6, 1, 4, 4\); .*\(N, 4\)"):
        datasets.load("yin_yang")
    with pytest.raises(DataError, match="mine: training set: x is a tensor"):
        load_splits(plan("model=mlp", "dataset=yin_yang"))


def test_the_form_of_what_an_encoder_returns_is_checked_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(spec: Any, returned: Any) -> None:
        monkeypatch.setattr(spec.opens, lambda spec, x, ids: returned)
        spec.encode(uniform(2, 2, 2, 2), torch.arange(2))

    latency, flat = Latency(window=50, repeats=1, cells=1, dimmest=0.1), Flat()
    encode(latency, recordings())
    for fields, sentence in EVENTS.values():
        with pytest.raises(DataError, match=f"encoder Latency: .*{sentence}"):
            encode(latency, recordings(**fields))
    encode(flat, uniform(2, 8))
    for returned, sentence in (
        (uniform(2, 8) + 1, r"x has values in \[1"),
        (uniform(2, 8).double(), r"x is a tensor of float64"),
        (uniform(2, 7), r"\(2, 7\); expected a tensor of float32 \(N, 8\)"),
        (uniform(3, 8), "x has 3 samples; expected 2"),
        (uniform(2, 8) * torch.nan, "x contains NaN"),
    ):
        with pytest.raises(DataError, match=f"encoder Flat: .*{sentence}"):
            encode(flat, returned)
