"""Promises of the config hash: what is computed decides, and runs keep their identity when a class grows."""

from dataclasses import dataclass

import pytest

from neurobench.config.compose import composer
from neurobench.config.errors import ConfigError
from neurobench.config.spec import Record
from neurobench.experiment.plan import Plan, identity, parse


def plan(*words: str) -> Plan:
    with composer() as compose:
        return parse(compose(["model=qrbm", *words]))


def test_where_and_how_a_run_is_computed_does_not_decide() -> None:
    plain = plan().config_hash
    for word in (
        "outputs=elsewhere",
        "threads=2",
        "name=x",
        "resume=true",
        "figures=pdf",
        "~figures",
        "logger=tensorboard",
        "backend.mac.gain=0.01",
    ):
        assert plan(word).config_hash == plain, word
    for word in ("seed=1", "model.lr=0.06", "training.epochs=2", "dataset.validation=100", "backend.sampler.steps=2"):
        assert plan(word).config_hash != plain, word


def test_figures_are_png_where_a_configuration_of_before_says_nothing_and_no_other_format_is_taken() -> None:
    assert plan().run.figures == plan("~figures").run.figures == "png"
    assert plan("figures=svg").run.figures == "svg"
    with pytest.raises(ConfigError, match="figures='jpg' is not one of png, pdf, svg"):
        plan("figures=jpg")


def test_an_encoder_counts_by_what_it_does_not_by_how_it_was_chosen() -> None:
    by_default, by_name = plan("dataset=nmnist"), plan("dataset=nmnist", "encoder=counts")
    assert by_default.config_hash == by_name.config_hash
    assert plan("encoder=auto").config_hash == plan().config_hash


def test_repetitions_share_a_setting_also_where_another_key_follows_the_seed() -> None:
    with composer() as compose:
        plans = [parse(compose(["experiment=hxtorch_yin_yang", f"seed={seed}"])) for seed in (3, 4)]
    assert plans[0].setting_hash == plans[1].setting_hash
    assert plans[0].config_hash != plans[1].config_hash
    assert [each.config["backend"]["mac"]["chip_seed"] for each in plans] == [3, 4]


def test_a_stored_configuration_has_the_identity_of_the_run_that_stored_it() -> None:
    from omegaconf import OmegaConf

    before = plan("seed=7", "scale=quick")
    after = parse(OmegaConf.create(before.config), before.setting_hash)
    assert (after.config_hash, after.setting_hash, after.config) == (
        before.config_hash,
        before.setting_hash,
        before.config,
    )


def test_a_field_with_a_default_counts_only_where_it_differs_from_it() -> None:
    @dataclass(frozen=True)
    class Before(Record):
        n: int

    @dataclass(frozen=True)
    class After(Record):
        n: int
        later: int = 5

    After.__qualname__ = Before.__qualname__  # the class as it was, and as it grew
    training, scale = plan().training, plan().scale
    hashes = [identity({"model": each}, training, scale, 0) for each in (Before(1), After(1), After(1, 5), After(1, 6))]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
