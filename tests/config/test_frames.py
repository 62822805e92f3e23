"""Promises of what is kept of composing: it is what Hydra composes, and it holds while the files are as they were."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from neurobench.config import compose, frames
from neurobench.config.compose import composer

ORDERS = (
    ("model=mlp", "scale=smoke", "seed=3", "training.epochs=2"),
    ("training.epochs=2", "scale=smoke", "training.epochs=4", "name='x y'", "model=mlp"),
    ("~figures", "seed=3"),
    ("training={epochs:4}", "name=${seed}", "seed=null"),
)


@pytest.mark.parametrize("words", ORDERS)
def test_what_is_kept_and_changed_is_what_hydra_composes_of_all_the_words(words: tuple[str, ...]) -> None:
    with composer():
        for _ in range(2):
            (kept, _section), (anew, _section) = (frames.composed(words, kept) for kept in (True, False))
            assert OmegaConf.to_yaml(kept) == OmegaConf.to_yaml(anew)
            assert OmegaConf.is_struct(kept) == OmegaConf.is_struct(anew)
            kept.seed = 99  # the caller's own


@pytest.mark.parametrize("words", [("model.nope=1",), ("seed.x=1",), ("nope=1",)])
def test_what_cannot_be_set_is_refused_in_hydras_words(words: tuple[str, ...]) -> None:
    with composer():
        said = []
        for kept in (True, False):
            with pytest.raises(Exception, match="Could not override|Error merging override") as caught:
                frames.composed(words, kept)
            said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_file_that_has_been_written_since_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "yaml_of_a_test"
    (package / "scale").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    packages = ("neurobench.conf", package.name)
    for module in (frames, compose):
        monkeypatch.setattr(module, "config_packages", lambda: packages)
    for name in ("first", "second name"):
        (package / "scale" / "mine.yaml").write_text(f"name: {name}\n")
        with composer() as compose_:
            assert compose_(["scale=mine"]).scale.name == name
