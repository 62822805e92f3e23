"""Choice of CPU or GPU for a run, and of models that move training samples only if that keeps their meaning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from neurobench.data.dataset import Split, Splits
from neurobench.experiment.build import build_learner, load_splits, pick_device
from neurobench.experiment.progress import meter_for
from neurobench.experiment.training import training_loop
from neurobench.metrics.costs import Ledger
from neurobench.models.slayer.spikes import motion
from tests.data.test_custom import plan
from tests.specs import spec


def test_auto_chooses_a_gpu_only_for_models_and_batch_sizes_that_gain_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert pick_device("auto", spec("model/slayer_snn"), 32).type == "cuda"
    assert pick_device("auto", spec("model/eprop_rsnn"), 1000).type == "cpu"
    assert pick_device("cuda", spec("model/eprop_rsnn"), 1000).type == "cuda"
    assert pick_device("cpu", spec("model/slayer_snn"), 32).type == "cpu"
    assert pick_device("auto", spec("model/qrbm"), 64).type == "cpu"
    assert pick_device("auto", spec("model/qrbm"), 512).type == "cuda"
    assert pick_device("auto", spec("model/sklearn_rbm"), 1000).type == "cpu"
    assert pick_device("auto", spec("experiment/dynex_qrbm", "model"), 1000).type == "cpu"


COPIES = ("model.jitter=1", "model.readout_copies=2")


def built(*words: str) -> Any:
    return build_learner(plan(*words), torch.device("cpu"), Ledger())


def in_training(*words: str) -> None:
    """Build the loop that trains the model, with one sample."""
    one = Split(torch.zeros(1), torch.zeros(1).long(), torch.zeros(1).long())
    splits = Splits(one, one, one, source="", sha256="", evaluated_on="")
    training_loop(plan(*words, "scale=smoke"), object(), splits, meter_for(Console(quiet=True)), Ledger())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "key", "still"),
    [
        (("model=slayer_snn", "dataset=yin_yang"), "augment", False),
        (("model=slayer_snn", "dataset=yin_yang", "encoder=rate"), "augment", False),
        (("model=eprop_rsnn", "dataset=yin_yang", "model.engine=minibatch", "model.shift=2"), "shift", 0),
        (("model=cnn", "dataset=yin_yang"), "jitter", 0),
        (("model=hybrid_qcnn", "dataset=yin_yang", "model.jitter=1"), "jitter", 0),
        (("model=qrbm", "dataset=yin_yang", "encoder=raster", *COPIES), "readout_copies", 0),
    ],
)
@pytest.mark.filterwarnings("error")
def test_values_of_encoded_vectors_are_not_exchanged_by_moving_training_samples(
    words: tuple[str, ...], key: str, still: Any
) -> None:
    learner = built(*words)  # a trained one, too, which only predicts and warns of nothing
    assert getattr(learner.spec, key) == still
    with pytest.warns(UserWarning, match=rf"samples are not moved \(.*model\.{key}\): a shift would exchange the val"):
        in_training(*words)


@pytest.mark.parametrize(("values", "moved"), [(30, False), (36, True), (400, True), (401, False)])
def test_vectors_are_moved_as_images_only_if_they_may_be_the_pixels_of_one(
    values: int, moved: bool, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).random((20, values)), y=np.arange(20) % 2)
    words = ("dataset=npz", f"dataset.root={tmp_path / 'a.npz'}")
    assert bool(built("model=cnn", *words, "encoder=square").spec.jitter) == moved
    if values > 256:  # encoded as the events of a square image
        assert built("model=slayer_snn", *words).spec.augment == moved


@pytest.mark.filterwarnings("error")
def test_recordings_and_encoded_images_are_moved_and_a_model_without_motion_needs_no_warning() -> None:
    for words in (("model=slayer_snn", "dataset=nmnist"), ("model=slayer_snn", "dataset=mnist", "encoder=latency")):
        assert built(*words).spec.augment
        in_training(*words)
    assert built("model=cnn", "dataset=mnist").spec.jitter
    in_training("model=slayer_snn", "dataset=yin_yang", "model.augment=false")


def test_a_sensor_of_a_single_row_or_column_is_moved_along_it_alone() -> None:
    both = motion(50, 1, (-4, 3), 5.0, (2, 34, 34))
    row, column = motion(50, 1, (-4, 3), 5.0, (1, 1, 233)), motion(50, 1, (-4, 3), 5.0, (1, 233, 1))
    still = np.tile([1.0, 0.0], (50, 1))
    np.testing.assert_array_equal(row, np.column_stack([both[:, 0], np.zeros(50), still]))
    np.testing.assert_array_equal(column, np.column_stack([np.zeros(50), both[:, 1], still]))
    assert (both[:, 3] != 0).all()


@pytest.mark.parametrize(("side", "shift", "far"), [(8, "[-4,3]", True), (8, "[-2,2]", False), (28, "[-4,3]", False)])
def test_a_shift_by_more_than_a_quarter_of_the_sensor_is_reported(
    side: int, shift: str, far: bool, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, side, side), np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(20) % 2)
    words = "encoder=latency", "dataset=npz", f"dataset.root={tmp_path / 'a.npz'}", f"model.shift={shift}"
    made = plan("model=slayer_snn", *words)
    learner = build_learner(made, torch.device("cpu"), Ledger())
    assert not recwarn, "nothing is moved until training starts"
    learner.start(load_splits(made).train, None)
    assert [str(each.message) for each in recwarn] == [
        "model.shift=[-4, 3] moves training samples by up to 4 pixels on a sensor of 8 x 8; a smaller shift or "
        "model.augment=false may help"
    ] * far
