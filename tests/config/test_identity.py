"""Promises of the config hash: what is computed decides, and runs keep their identity when a class grows."""

from typing import Any

from neurobench.config.compose import composer
from neurobench.data.specs import MNIST
from neurobench.experiment.identity import config_hash, science


def test_where_and_how_a_run_is_computed_does_not_decide() -> None:
    with composer() as compose:
        plain = config_hash(compose(["model=qrbm"]))
        for word in ("outputs=elsewhere", "threads=2", "name=x", "resume=true", "logger=tensorboard"):
            assert config_hash(compose(["model=qrbm", word])) == plain
        for word in ("seed=1", "model.lr=0.06", "training.epochs=2", "dataset.validation=100"):
            assert config_hash(compose(["model=qrbm", word])) != plain


def test_a_later_field_counts_only_where_it_is_not_at_its_default() -> None:
    with composer() as compose:
        config = compose(["model=qrbm"])
        grown, changed = config_hash(config), config_hash(compose(["model=qrbm", "dataset.test_slice_bug=true"]))
        assert grown != changed
        told: dict[str, Any] = science(config)["dataset"]
        assert set(told) == {"name", "_target_", "digits", "validation", "root"}, "as before those fields came"
    assert set(MNIST.later) <= set(MNIST.__dataclass_fields__)
