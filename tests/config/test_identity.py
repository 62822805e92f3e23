"""Promises of the config hash: it depends on what is computed alone, and does not change when a class gains a field."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from neurobench.config import targets
from neurobench.config.compose import composer
from neurobench.config.errors import ConfigError
from neurobench.config.own_code import digests
from neurobench.config.spec import Record
from neurobench.experiment.identity import identity
from neurobench.experiment.plan import Plan, parse


def plan(*words: str) -> Plan:
    with composer() as compose:
        return parse(compose(["model=qrbm", *words]))


def test_the_config_hash_ignores_where_and_how_a_run_is_computed() -> None:
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


def test_figures_are_png_also_without_the_key_and_an_unknown_format_is_refused() -> None:
    assert plan().run.figures == plan("~figures").run.figures == "png"
    assert plan("figures=svg").run.figures == "svg"
    with pytest.raises(ConfigError, match="figures='jpg' is not one of png, pdf, svg"):
        plan("figures=jpg")


def test_the_config_hash_is_the_same_for_an_encoder_chosen_by_default_or_by_name() -> None:
    by_default, by_name = plan("dataset=nmnist"), plan("dataset=nmnist", "encoder=counts")
    assert by_default.config_hash == by_name.config_hash
    assert plan("encoder=auto").config_hash == plan().config_hash


def test_repetitions_share_a_setting_hash_even_if_another_key_follows_the_seed() -> None:
    with composer() as compose:
        plans = [parse(compose(["experiment=hxtorch_yin_yang", f"seed={seed}"])) for seed in (3, 4)]
    assert plans[0].setting_hash == plans[1].setting_hash
    assert plans[0].config_hash != plans[1].config_hash
    assert [each.config["backend"]["mac"]["chip_seed"] for each in plans] == [3, 4]


def test_a_stored_configuration_has_the_hashes_of_the_run_that_stored_it() -> None:
    from omegaconf import OmegaConf

    before = plan("seed=7", "scale=quick")
    after = parse(OmegaConf.create(before.config), before.setting_hash)
    assert (after.config_hash, after.setting_hash, after.config) == (
        before.config_hash,
        before.setting_hash,
        before.config,
    )


def test_a_new_field_changes_the_config_hash_only_if_it_differs_from_its_default() -> None:
    @dataclass(frozen=True)
    class Before(Record):
        n: int

    @dataclass(frozen=True)
    class After(Record):
        n: int
        later: int = 5

    After.__qualname__ = Before.__qualname__  # the same class before and after it gained a field
    training, scale = plan().training, plan().scale
    hashes = [identity({"model": each}, training, scale, 0) for each in (Before(1), After(1), After(1, 5), After(1, 6))]
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]


def test_the_text_of_custom_code_is_that_of_a_module_and_of_those_next_to_it_that_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it imports them, in a function too, or names them as `opens` does; no library, and nothing unused."""
    texts = {
        "mine_2": "import torch, parts_2.deep\nclass Mine:\n    opens = 'learner_2.Learner'\n",
        "learner_2": "def learn():\n    from parts_2 import layers\n",
        "unused_2": "",
        "parts_2.__init__": "",
        "parts_2.layers": "from .wide import Wide\nfrom . import mine_2",
        "parts_2.wide": "this is no Python",
        "parts_2.deep": "import mine_2, neurobench.models",
    }
    for name, text in texts.items():
        file = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(targets, "ALLOWED", ("mine_2",))
    found = digests("mine_2")
    used = {name.removesuffix(".__init__"): text for name, text in texts.items() if name != "unused_2"}
    assert found == {name: hashlib.sha256(text.encode()).hexdigest() for name, text in used.items()}
    assert next(iter(found)) == "mine_2"
    assert digests("learner_2") == {}, "it is not allowed"
