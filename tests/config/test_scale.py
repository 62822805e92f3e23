"""An experiment may cut values below paper scale, `${paper:FULL,CUT}`, and let values depend on another choice,
`${case:VALUE,{A:X,B:Y},Z}`."""

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from neurobench.config.compose import composer
from neurobench.experiment.plan import parse


def composed(*overrides):
    with composer() as compose:
        return compose(["experiment=matrix_slayer_nmnist", "backend=mock", *overrides])


@pytest.mark.parametrize(("scale", "train", "epochs"), [("paper", None, 8), ("quick", 6500, 3), ("smoke", 6500, 3)])
def test_the_full_schedule_is_used_at_paper_scale_only(scale, train, epochs):
    config = composed(f"scale={scale}")
    assert (config.dataset.train, config.training.epochs) == (train, epochs)


def test_an_override_wins_at_every_scale():
    assert {composed(f"scale={scale}", "training.epochs=2").training.epochs for scale in ("paper", "quick")} == {2}


def test_values_cut_by_a_scale_are_part_of_the_config_hash():
    """A schedule is the same run whether it was cut by the file or by an override; another schedule is another run."""
    quick = composed("scale=quick")
    by_hand = composed("scale=quick", "dataset.train=6500")
    assert parse(quick).config_hash == parse(by_hand).config_hash
    full = composed("scale=paper")
    full.scale = quick.scale
    assert parse(full).config_hash == parse(quick).config_hash, "a setting is hashed for the scale that it is given"
    assert parse(composed("scale=paper")).config_hash != parse(quick).config_hash


def test_a_plan_contains_the_values_cut_by_a_scale_as_plain_values():
    """This allows any YAML parser to read them; only a device stays a reference."""
    for scale, epochs in (("quick", 3), ("paper", 8)):
        config = parse(composed(f"scale={scale}")).config
        assert (config["training"]["epochs"], config["model"]["core"]) == (epochs, "${backend.core}")
        assert "${paper:" not in str(config)


def test_case_takes_the_named_choice_or_the_default_or_raises_with_the_known_choices():
    config = OmegaConf.create({"of": "b", "x": "${case:${of},{a:1,b:null},3}", "y": "${case:${of},{a:1}}"})
    assert config.x is None
    with pytest.raises(InterpolationResolutionError, match="b is not one of a"):
        _ = config.y
    config.of = "c"
    assert config.x == 3
