"""An experiment may say what it cuts below paper scale: `${paper:FULL,CUT}`."""

import pytest
from omegaconf import OmegaConf

from neurobench.config.compose import as_yaml, composer
from neurobench.experiment.identity import config_hash


def composed(*overrides):
    with composer() as compose:
        return compose(["experiment=matrix_slayer_nmnist_mock", *overrides])


@pytest.mark.parametrize(("scale", "train", "epochs"), [("paper", None, 8), ("quick", 6500, 3), ("smoke", 6500, 3)])
def test_the_full_schedule_is_run_at_paper_scale_alone(scale, train, epochs):
    config = composed(f"scale={scale}")
    assert (config.dataset.train, config.training.epochs) == (train, epochs)


def test_an_override_wins_at_every_scale():
    assert {composed(f"scale={scale}", "training.epochs=2").training.epochs for scale in ("paper", "quick")} == {2}


def test_what_a_scale_cuts_is_part_of_the_identity():
    """The same schedule is the same run whether it was cut by the file or by hand, and another one is another."""
    quick = composed("scale=quick")
    by_hand = composed("scale=quick", "dataset.train=6500")
    assert config_hash(quick) == config_hash(by_hand)
    full = composed("scale=paper")
    full.scale = quick.scale
    assert config_hash(full) == config_hash(quick), "a setting is hashed for the scale that it is given"
    assert config_hash(composed("scale=paper")) != config_hash(quick)


def test_a_saved_configuration_keeps_what_it_cut(tmp_path):
    """Written out, so that any reader of YAML sees it; a reference from one section to another stays one."""
    for scale, epochs in (("quick", 3), ("paper", 8)):
        config = composed(f"scale={scale}")
        (tmp_path / "config.yaml").write_text(as_yaml(config))
        kept = OmegaConf.load(tmp_path / "config.yaml")
        plain = OmegaConf.to_container(kept, resolve=False)
        assert (plain["training"]["epochs"], plain["model"]["core"]) == (epochs, "${backend.core}")
        assert "${paper:" not in (tmp_path / "config.yaml").read_text()
        assert config_hash(kept) == config_hash(config)
