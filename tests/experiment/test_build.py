"""Choice of CPU or GPU for a run."""

import pytest

from neurobench.experiment.build import pick_device
from tests.specs import spec


def test_auto_chooses_a_gpu_only_for_models_and_batch_sizes_that_gain_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert pick_device("auto", spec("model/slayer_snn"), 32).type == "cuda"
    assert pick_device("auto", spec("model/eprop_rsnn"), 1000).type == "cpu"
    assert pick_device("cuda", spec("model/eprop_rsnn"), 1000).type == "cuda"
    assert pick_device("cpu", spec("model/slayer_snn"), 32).type == "cpu"
    assert pick_device("auto", spec("model/qrbm"), 64).type == "cpu"
    assert pick_device("auto", spec("model/qrbm"), 512).type == "cuda"
