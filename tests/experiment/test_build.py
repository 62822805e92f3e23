"""Choice of CPU or GPU for a run, and of models that move training samples only if that keeps their meaning."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurobench.experiment.build import build_learner, pick_device
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


def built(*words: str) -> Any:
    return build_learner(plan(*words), torch.device("cpu"), Ledger())


@pytest.mark.parametrize(
    ("words", "key", "still"),
    [
        (("model=slayer_snn", "dataset=yin_yang"), "augment", False),
        (("model=slayer_snn", "dataset=yin_yang", "encoder=rate"), "augment", False),
        (("model=eprop_rsnn", "dataset=yin_yang", "model.engine=minibatch", "model.shift=2"), "shift", 0),
    ],
)
def test_values_of_encoded_vectors_are_not_exchanged_by_moving_training_samples(
    words: tuple[str, ...], key: str, still: Any
) -> None:
    with pytest.warns(UserWarning, match=rf"model\.{key} is not applied: a shift would exchange the values"):
        learner = built(*words)
    assert getattr(learner.spec, key) == still


@pytest.mark.filterwarnings("error:.*not applied")
def test_recordings_and_encoded_images_are_moved_and_a_model_without_motion_needs_no_warning() -> None:
    assert built("model=slayer_snn", "dataset=nmnist").spec.augment
    assert built("model=slayer_snn", "dataset=mnist", "encoder=latency").spec.augment
    assert not built("model=slayer_snn", "dataset=yin_yang", "model.augment=false").spec.augment


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
    words = ("encoder=latency", f"dataset.root={tmp_path / 'a.npz'}", f"model.shift={shift}")
    built("model=slayer_snn", "dataset=npz", *words)
    assert [str(each.message) for each in recwarn] == [
        "model.shift=[-4, 3] moves training samples by up to 4 pixels on a sensor of 8 x 8; a smaller shift or "
        "model.augment=false may help"
    ] * far
