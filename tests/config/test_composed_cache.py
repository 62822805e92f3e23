"""Promises of cached configurations: they equal what Hydra composes, and are valid only while files are unchanged."""

import sys
from pathlib import Path

import pytest
from hydra import compose as compose_with_hydra
from hydra import initialize, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from neurobench.config import compose, composed_cache, sources
from neurobench.config.compose import composer
from neurobench.config.errors import ConfigError

ORDERS = (
    ("model=mlp", "scale=smoke", "seed=3", "training.epochs=2"),
    ("training.epochs=2", "scale=smoke", "training.epochs=4", "name='x y'", "model=mlp"),
    ("~figures", "seed=3"),
    ("training={epochs:4}", "name=${seed}", "seed=null"),
)


@pytest.mark.parametrize("words", ORDERS)
def test_a_cached_configuration_with_overrides_equals_what_hydra_composes(words: tuple[str, ...]) -> None:
    with composer():
        for _ in range(2):
            (kept, _section), (anew, _section) = (composed_cache.composed(words, kept) for kept in (True, False))
            assert OmegaConf.to_yaml(kept) == OmegaConf.to_yaml(anew)
            assert OmegaConf.is_struct(kept) == OmegaConf.is_struct(anew)
            kept.seed = 99  # changes the caller's copy alone


@pytest.mark.parametrize("words", [("model.nope=1",), ("seed.x=1",), ("nope=1",)])
def test_an_override_of_an_unknown_key_is_refused_with_hydras_message(words: tuple[str, ...]) -> None:
    with composer():
        said = []
        for kept in (True, False):
            with pytest.raises(Exception, match="Could not override|Error merging override") as caught:
                composed_cache.composed(words, kept)
            said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_yaml_file_that_has_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "yaml_of_a_test"
    (package / "scale").mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    packages = ("neurobench.conf", package.name)
    for module in (composed_cache, compose):
        monkeypatch.setattr(module, "config_packages", lambda: packages)
    for name in ("first", "second name"):
        (package / "scale" / "mine.yaml").write_text(f"name: {name}\n")
        with composer() as compose_:
            assert compose_(["scale=mine"]).scale.name == name


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of another program's package of YAML files."""
    folder = tmp_path / "another" / "conf"
    (folder / "matrix").mkdir(parents=True)
    for place in (folder.parent, folder):
        (place / "__init__.py").touch()
    (folder / "config.yaml").write_text("defaults: [{matrix: some}]\n")
    (folder / "matrix" / "some.yaml").write_text("rows: [1, 2]\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("another", "another.conf"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    sources._folder.cache_clear()
    return folder


def test_the_configuration_of_another_program_is_composed_by_hydra_alone(package: Path) -> None:
    (package / "matrix" / "other.yaml").write_text("- 1\n")
    sources.register_sources()
    with initialize(version_base="1.3", config_path=None):
        for element in GlobalHydra.instance().config_loader().get_search_path().get_path():
            assert element.path == "cached://hydra.conf" or not element.path.startswith("cached://")
    with initialize_config_module("another/conf", version_base="1.3"):
        assert compose_with_hydra("config", ["+x=3"]) == {"matrix": {"rows": [1, 2]}, "x": 3}
        assert compose_with_hydra("config", ["matrix=other"]).matrix == [1]


def test_a_package_source_may_be_written_with_slashes(package: Path) -> None:
    assert sources.PackageSource("test", "cached://another/conf/").load_config("config").config.defaults


def test_a_folder_without_init_py_is_not_available_as_a_package_source(package: Path) -> None:
    source = sources.PackageSource("test", "cached://another.conf")
    assert source.available()
    (package / "__init__.py").unlink()
    assert not source.available()


def test_changed_matrix_cells_are_read_again_and_malformed_ones_are_refused(package: Path) -> None:
    cells, source = package / "matrix" / "some.yaml", sources.PackageSource("test", "cached://another.conf")
    (package / "matrix" / "__init__.py").touch()
    for text, names in (("a: {x: 1}", ["matrix_some_a"]), ("a: {}\nb: {x: 1}", ["matrix_some_a", "matrix_some_b"])):
        cells.write_text(text)
        assert list(sources.matrix_cells("another.conf")) == names
        assert all(source.load_config(f"experiment/{name}").config for name in names)
    cells.write_text("# nothing yet")
    assert sources.matrix_cells("another.conf") == {}
    faults = {"a:": "a is not a section", "[1]": "is not a section with a key", "a: [": "some.yaml: while parsing"}
    for text, sentence in faults.items():
        cells.write_text(text)
        with pytest.raises(ConfigError, match=sentence):
            source.is_config("experiment/matrix_some_a")
