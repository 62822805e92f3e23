"""Hydra's access to YAML files of packages: each is parsed once, and the cells of conf/matrix are experiments.

Hydra itself parses a dozen files anew for each configuration that it composes: most of the cost of composing.
"""

from __future__ import annotations

import builtins
import io
import pickle
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from neurobench.config.errors import ConfigError
from neurobench.config.targets import config_packages

SCHEME, OWN = "cached", "own"
Plain = dict[str, Any]


class PackageSource(ConfigSource):
    """YAML files of a package. A file of its folder `matrix` contains several experiments: its key `mnist` in
    `qrbm.yaml` is experiment=matrix_qrbm_mnist."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider=provider, path=path)
        self.path = self.path.replace("/", ".").rstrip(".")

    @staticmethod
    def scheme() -> str:
        return SCHEME

    def load_config(self, config_path: str) -> ConfigResult:
        if (cell := _cell(self.path, config_path)) is not None:
            return ConfigResult(self.provider, self.full_path(), OmegaConf.create(cell), {"package": "_global_"})
        file = _folder(self.path).joinpath(self._normalize_file_name(config_path))
        if not file.is_file():
            raise ConfigLoadError(f"Config not found : {config_path}")
        config, header = pickle.loads(_as_read(str(file), file.read_text("utf-8")))
        return ConfigResult(self.provider, self.full_path(), config, header)

    def available(self) -> bool:
        try:
            return _folder(self.path).joinpath("__init__.py").is_file()
        except (ValueError, TypeError, ModuleNotFoundError):
            return False

    def is_group(self, config_path: str) -> bool:
        return self.available() and _folder(self.path).joinpath(config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        if not self.available():
            return False
        file = _folder(self.path).joinpath(self._normalize_file_name(config_path))
        return file.is_file() or _cell(self.path, config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> builtins.list[str]:
        names: list[str] = []
        for entry in _folder(self.path).joinpath(config_path).iterdir():
            self._list_add_result(names, f"{config_path}/{entry.name}".lstrip("/"), entry.name, results_filter)
        holds_cells = config_path == "experiment" and results_filter != ObjectType.GROUP
        return sorted({*names, *(matrix_cells(self.path) if holds_cells else ())})


class OwnFolder(ConfigSource):
    """YAML files of a user's folder. Hydra's source of files does not see the `@package` of one with a byte order mark,
    as editors on Windows write it, and does not name one that is not UTF-8."""

    @staticmethod
    def scheme() -> str:
        return OWN

    def load_config(self, config_path: str) -> ConfigResult:
        file = Path(self.path, self._normalize_file_name(config_path))
        try:
            text = file.read_text("utf-8-sig")
        except OSError as error:
            raise ConfigLoadError(f"{file} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigLoadError(f"{file} is not UTF-8 text at byte {error.start}; save it as UTF-8") from error
        config, header = pickle.loads(_as_read(str(file.absolute()), text))
        return ConfigResult(self.provider, self.full_path(), config, header)

    def available(self) -> bool:
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        return Path(self.path, config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        return Path(self.path, self._normalize_file_name(config_path)).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> builtins.list[str]:
        names: list[str] = []
        for entry in Path(self.path, config_path).iterdir():
            self._list_add_result(names, f"{config_path}/{entry.name}".lstrip("/"), entry.name, results_filter)
        return sorted({*names})


class CachedPackages(SearchPathPlugin):
    """Plugin that makes Hydra read its own files and those of neurobench and its plugins through `PackageSource`.
    Packages of other programs that use Hydra in this process are not affected."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        ours = {f"pkg://{package}": f"{SCHEME}://{package}" for package in ("hydra.conf", *config_packages())}
        for element in search_path.get_path():
            element.path = ours.get(element.path or "", element.path)


def register_sources() -> None:
    """Register these sources with Hydra. To be called before it is initialised; any number of times."""
    for plugin in (PackageSource, OwnFolder, CachedPackages):
        Plugins.instance().register(plugin)


def plain_file(path: str) -> tuple[Any, str | None] | None:
    """Contents of the file at a path, "model/qrbm", in the first package that has one, not to be modified, and its
    `@package`; None if no package has one."""
    for package in config_packages():
        if (cell := _cell(package, path)) is not None:
            return cell, "_global_"
        file = _folder(package).joinpath(f"{path}.yaml")
        if file.is_file():
            return _plain(str(file), file.read_text("utf-8"))
    return None


@lru_cache
def _folder(package: str) -> Traversable:
    return files(package)


def matrix_cells(package: str) -> dict[str, dict[str, Any]]:
    """Name of each experiment in a package's folder `matrix` -> its contents.

    Raises ConfigError if a file is not YAML, or contains anything but experiments.
    """
    folder = _folder(package).joinpath("matrix")
    files_of_cells = [file for file in folder.iterdir() if file.name.endswith(".yaml")] if folder.is_dir() else []
    return {
        f"matrix_{file.name.removesuffix('.yaml')}_{dataset}": cell
        for file in files_of_cells
        for dataset, cell in _cells(str(file), file.read_text("utf-8")).items()
    }


def _cell(package: str, path: str) -> Plain | None:
    """Experiment of the folder `matrix`, by its path as an experiment."""
    group, _, name = path.removesuffix(".yaml").rpartition("/")
    cell = matrix_cells(package).get(name) if group == "experiment" and name.startswith("matrix_") else None
    return None if cell is None else {"name": f"{name}_${{backend.name}}", **cell}


@lru_cache
def _cells(path: str, text: str) -> dict[str, dict[str, Any]]:
    try:
        cells = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: {' '.join(str(error).split())}"]) from None
    if cells is None:
        return {}
    if not isinstance(cells, dict):
        raise ConfigError([f"{path} is not a section with a key for each data set"])
    empty = [dataset for dataset, cell in cells.items() if not isinstance(cell, dict)]
    if empty:
        raise ConfigError([f"{path}: {dataset} is not a section: an experiment's keys" for dataset in empty])
    return cells


@lru_cache(maxsize=512)
def _as_read(path: str, text: str) -> bytes:
    """Configuration and its header, pickled, since Hydra removes the defaults from what it receives."""
    stream = io.StringIO(text)
    stream.name = path  # named in syntax errors
    return pickle.dumps((OmegaConf.load(stream), ConfigSource._get_header_dict(text)))


@lru_cache(maxsize=512)
def _plain(path: str, text: str) -> tuple[Any, str | None]:
    config, header = pickle.loads(_as_read(path, text))
    return OmegaConf.to_container(config, resolve=False), header["package"]
