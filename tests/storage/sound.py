"""Contents of the files of a sound run, for tests that need such a run without training one."""

from typing import Any


def sound_result(accuracy: float = 0.9, **changed: Any) -> dict[str, Any]:
    """Contents of result.json."""
    plain = {
        "schema": 2, "name": "toy", "model": "toy", "dataset": "yin_yang", "backend": "sim", "scale": "paper",
        "seed": 0, "metrics": {"test_accuracy": accuracy}, "intervals": {"test_accuracy": [accuracy, accuracy]},
        "undefined": {}, "seconds": {}, "config_hash": "c" * 12, "setting_hash": "s" * 12,
        "data": {"n_test": 10, "evaluated_on": "the official test set", "sha256": "0" * 64},
    }  # fmt: skip
    return {**plain, **changed}


def sound_checkpoint(**learner: Any) -> dict[str, Any]:
    """Contents of checkpoint.pt."""
    return {"format": 2, "position": {}, "record": {}, "costs": {}, "learner": learner, "best": None}
