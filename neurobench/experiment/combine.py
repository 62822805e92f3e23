"""Check that individually valid sections are compatible: data through encoders to a model on its devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Generic, TypeVar, get_args

import yaml

from neurobench.config.errors import UserError, did_you_mean
from neurobench.config.schema import Root, Scale, Training
from neurobench.config.spec import Spec
from neurobench.config.targets import config_packages
from neurobench.data.dataset import DatasetSpec, Layout
from neurobench.data.encoders import Auto, EncoderSpec, chain
from neurobench.devices.spec import DeviceSpec
from neurobench.experiment.trackers import TrackerSpec
from neurobench.models.learner import ModelSpec, Task

T = TypeVar("T", bound=Spec)


@dataclass(frozen=True)
class Named(Generic[T]):
    """A spec with the name of its section."""

    name: str
    spec: T


@dataclass(frozen=True)
class Backend:
    """A backend with the devices that it offers."""

    name: str
    offers: tuple[str, ...]
    specs: Mapping[str, DeviceSpec]  # of the devices that were requested


@dataclass(frozen=True)
class Parts:
    """The sections of a configuration, each valid by itself."""

    run: Root
    training: Training
    scale: Scale
    model: Named[ModelSpec]
    wiring: Mapping[str, str]  # field of the model -> name of its device in the backend
    dataset: Named[DatasetSpec]
    encoder: Named[EncoderSpec]
    backend: Backend
    trackers: tuple[TrackerSpec, ...]


@dataclass(frozen=True)
class Combination:
    """Parts that are compatible."""

    encoders: tuple[EncoderSpec, ...]
    task: Task
    devices: Mapping[str, DeviceSpec]  # field of the model -> device


def combine(parts: Parts) -> Combination | list[str]:
    """Combine the parts; or return why they are incompatible, as sentences."""
    model, wiring, dataset, encoder, backend = parts.model, parts.wiring, parts.dataset, parts.encoder, parts.backend
    faults = missing_devices(model.name, wiring, backend)
    shape, layout = dataset.spec.shape, dataset.spec.layout
    if layout not in (layouts := get_args(Layout)):  # of a user's class, where nothing else checks it
        hint = did_you_mean(str(layout), layouts)
        return [*faults, f"dataset={dataset.name}: layout={layout!r} is not one of {', '.join(layouts)}.{hint}"]
    steps = chain(encoder.spec, layout, shape, model.spec.reads)
    if isinstance(steps, str):
        remedy = "" if isinstance(encoder.spec, Auto) else " Leave out encoder=... for the default."
        faults.append(f"model={model.name}, dataset={dataset.name}: encoder={encoder.name} {steps}.{remedy}")
    if faults or isinstance(steps, str):
        return faults
    for step in steps:
        layout, shape = step.yields, step.shape(shape)
    task = Task(layout, shape, dataset.spec.n_classes)
    devices = {field: backend.specs[name] for field, name in wiring.items()}
    try:
        demand = model.spec.demand(task)
    except UserError as error:
        return [f"model={model.name}, dataset={dataset.name}: {error}"]
    refusals = [refused for device in devices.values() if (refused := device.refuse(demand))]
    faults = [f"model={model.name}, backend={backend.name}: {refused}" for refused in refusals]
    return faults or Combination(tuple(steps), task, devices)


def missing_devices(model: str, wiring: Mapping[str, str], backend: Backend) -> list[str]:
    """Faults for devices that the model needs and the backend does not offer."""
    faults = []
    for device in sorted(set(wiring.values()) - set(backend.offers)):
        others = [f"backend={name}" for name, offers in backends().items() if device in offers]
        remedy = f" Try {' or '.join(others)}." if others else ""
        offered = ", ".join(backend.offers) or "nothing"
        faults.append(f"model={model} needs a '{device}'; backend={backend.name} offers {offered}.{remedy}")
    return faults


@cache
def backends() -> dict[str, tuple[str, ...]]:
    """Name of each backend of this package or of a plugin -> the devices that it offers."""
    offers: dict[str, tuple[str, ...]] = {}
    for package in config_packages():
        folder = files(package).joinpath("backend")
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name) if folder.is_dir() else ():
            if file.name.endswith(".yaml"):
                keys = yaml.safe_load(file.read_text("utf-8"))
                names = tuple(str(key) for key in keys if key not in ("name", "defaults"))
                offers[file.name.removesuffix(".yaml")] = names
    return offers
