"""YAML files of packages, as Hydra asks for them: each cached as read, and the cells of conf/matrix as experiments.

Hydra reads a dozen files anew for each configuration that it composes, which takes it most of the time.
"""

from __future__ import annotations

import builtins
import io
import pickle
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

SCHEME = "package"


class PackageSource(ConfigSource):
    """The YAML files of a package. A file of its folder `matrix` holds several experiments: its key `mnist` in
    `qrbm.yaml` is experiment=matrix_qrbm_mnist."""

    @staticmethod
    def scheme() -> str:
        return SCHEME

    def load_config(self, config_path: str) -> ConfigResult:
        if cell := self._cell(config_path):
            name = config_path.removesuffix(".yaml").rpartition("/")[2]
            config = OmegaConf.create({"name": f"{name}_${{backend.name}}", **cell})
            return ConfigResult(self.provider, self.full_path(), config, {"package": "_global_"})
        file = _folder(self.path).joinpath(self._normalize_file_name(config_path))
        if not file.is_file():
            raise ConfigLoadError(f"Config not found : {config_path}")
        config, header = pickle.loads(_as_read(str(file), file.read_text("utf-8")))
        return ConfigResult(self.provider, self.full_path(), config, header)

    def available(self) -> bool:
        try:
            return _folder(self.path).is_dir()
        except (ValueError, TypeError, ModuleNotFoundError):
            return False

    def is_group(self, config_path: str) -> bool:
        return self.available() and _folder(self.path).joinpath(config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        if not self.available():
            return False
        file = _folder(self.path).joinpath(self._normalize_file_name(config_path))
        return file.is_file() or self._cell(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> builtins.list[str]:
        names: list[str] = []
        for entry in _folder(self.path).joinpath(config_path).iterdir():
            self._list_add_result(names, f"{config_path}/{entry.name}".lstrip("/"), entry.name, results_filter)
        holds_cells = config_path == "experiment" and results_filter != ObjectType.GROUP
        return sorted({*names, *(matrix_cells(self.path) if holds_cells else ())})

    def _cell(self, config_path: str) -> dict[str, Any] | None:
        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        return matrix_cells(self.path).get(name) if group == "experiment" else None


class CachedPackages(SearchPathPlugin):
    """What Hydra itself and neurobench bring is read by way of `PackageSource`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for element in search_path.get_path():
            element.path = (element.path or "").replace("pkg://", f"{SCHEME}://")


@lru_cache
def _folder(package: str) -> Traversable:
    return files(package)


@lru_cache
def matrix_cells(package: str) -> dict[str, dict[str, Any]]:
    """Name of each experiment that a package's folder `matrix` holds -> what it says."""
    folder = _folder(package).joinpath("matrix")
    cells = {}
    for file in folder.iterdir() if folder.is_dir() else ():
        read = yaml.load(file.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        model = file.name.removesuffix(".yaml")
        cells.update({f"matrix_{model}_{dataset}": cell for dataset, cell in read.items()})
    return cells


@lru_cache(maxsize=512)
def _as_read(path: str, text: str) -> bytes:
    """A configuration and its header, pickled: Hydra takes the defaults out of what it is given."""
    stream = io.StringIO(text)
    stream.name = path  # which a fault of its syntax says
    return pickle.dumps((OmegaConf.load(stream), ConfigSource._get_header_dict(text)))


for plugin in (PackageSource, CachedPackages):
    Plugins.instance().register(plugin)
