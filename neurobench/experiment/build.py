"""From a checked configuration to the objects that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from neurobench.config.errors import UserError
from neurobench.config.targets import find_target
from neurobench.data.dataset import DatasetSpec, Splits
from neurobench.data.encoders import EncoderSpec, encoded
from neurobench.experiment.plan import needed_devices, way_of
from neurobench.metrics.costs import Costs
from neurobench.metrics.energy import SIMULATED, Energies
from neurobench.models.learner import Learner, Model, Seeds, Task

if TYPE_CHECKING:
    import torch

    from neurobench.experiment.callbacks import Watcher


def build_dataset(config: DictConfig) -> DatasetSpec:
    return instantiate(_fields(config.dataset), _convert_="all")


def load_splits(config: DictConfig, dataset: DatasetSpec, seed: int) -> Splits:
    """The data as the model will see them: as much as the scale allows, through the encoders between the two."""
    return encoded(dataset.load(seed).limited(config.scale.train, config.scale.test), _way(config))


def _way(config: DictConfig) -> Sequence[EncoderSpec]:
    way = way_of(config)
    if isinstance(way, str):
        raise UserError(f"encoder={config.encoder.name} {way}.")
    return way


def build_learner(
    config: DictConfig, dataset: DatasetSpec, seeds: Seeds, device: torch.device, costs: Costs | None = None
) -> Learner:
    """The model with its devices, each opened once: two fields that name one device share it.

    What is asked of them is added up in `costs`.
    """
    needs = needed_devices(config)
    opened = {
        name: instantiate(_fields(config.backend[name]), _convert_="all").open(seeds.device, device)
        for name in sorted(set(needs.values()))
    }
    if costs is not None:
        for name, there in opened.items():
            costs.watch(name, there)
    # Devices are handed over as objects: Hydra would make a second one from `${backend.x}`.
    plain = OmegaConf.masked_copy(config.model, [str(key) for key in config.model if key not in needs])
    plain._set_parent(config)  # so that a model's key can refer to the run's: ${seed}
    wired = {field: opened[name] for field, name in needs.items()}
    OmegaConf.set_readonly(plain, False)
    model: Model = instantiate(_fields(plain), **wired, _convert_="all")
    layout, shape = dataset.layout, dataset.shape
    for step in _way(config):
        layout, shape = step.yields, step.shape(shape)
    task = Task(layout=layout, shape=shape, n_classes=dataset.n_classes)
    return model.build(task, seeds, device)


def energies(config: DictConfig) -> Energies:
    """What is published of the energy of the devices that the model asks."""
    needed = sorted(set(needed_devices(config).values()))
    return {name: getattr(find_target(config.backend[name]._target_), "energy", SIMULATED) for name in needed}


def build_trackers(config: DictConfig) -> list[Watcher]:
    """Those that `logger` switches on."""
    sections = (config.get("logger") or {}).values()
    return [instantiate(_fields(section), _convert_="all").open(Path(config.outputs)) for section in sections]


def _fields(section: DictConfig) -> dict[str, Any]:
    """What the class is given: all keys but `name`, which is for folders and tables."""
    plain = OmegaConf.to_container(section, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items() if key != "name"}
