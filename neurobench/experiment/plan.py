"""The one check that decides whether a configuration can run. It touches neither data nor torch.

`run` calls it before anything is computed, `list` calls it for each model, dataset and backend, `validate` calls
it and stops there.
"""

import dataclasses
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.bounds import BoundsError
from neurobench.config.compose import unknown_key
from neurobench.config.errors import ConfigError, UserError
from neurobench.config.schema import Root, Row, Scale, Table, Training
from neurobench.config.targets import TargetRefused, config_packages, find_target
from neurobench.data.encoders import Encoder, chain
from neurobench.models.learner import Task

SECTIONS: dict[str, type] = {"training": Training, "scale": Scale}
TARGETS = ("model", "dataset", "backend")
ENCODER = "encoder"  # a target too; runs of before it was there have none
AUTO = {"name": "auto", "_target_": "neurobench.data.encoders.Auto"}
DEVICE = re.compile(r"^\$\{backend\.(\w+)\}$")


def require(config: DictConfig) -> None:
    """Raise ConfigError with every fault of the configuration."""
    faults = check(config)
    if faults:
        raise ConfigError(faults)


def check(config: DictConfig) -> list[str]:
    """Every fault of a composed configuration, as sentences; empty where it can run."""
    faults = _unresolvable(config)
    if faults:
        return faults
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    known = [field.name for field in dataclasses.fields(Root)]
    for key in plain:
        if key not in (*known, *SECTIONS, *TARGETS, ENCODER, "logger", "table"):
            faults.append(unknown_key(str(key), "", str(key), [*known, *SECTIONS, *TARGETS, ENCODER], config))
    top = {key: _resolved(config, key) for key in known if key in plain}
    faults += _record_faults(Root, top, "", config)
    for section, record in SECTIONS.items():
        faults += _record_faults(record, _resolved(config, section), section, config)
    if plain.get("table") is not None:
        faults += _table_faults(_resolved(config, "table"), config)
    for name, values in (_resolved(config, "logger") or {}).items():
        faults += _target_faults(f"logger.{name}", values, {}, config)
    misfits = _device_faults(config)
    faults += dataset_faults(config)
    faults += _target_faults(ENCODER, encoder_of(config), {}, config)
    needs = needed_devices(config)
    # A device that the backend lacks is told by the sentence about the fit, which says what to do.
    faults += _target_faults("model", _without(config, "model", needs), dict.fromkeys(needs), config)
    for device in sorted(set(needs.values())):
        if device in config.backend:
            faults += device_faults(config, device)
    return faults + misfits if faults else fit(config)


def dataset_faults(config: DictConfig) -> list[str]:
    return _target_faults("dataset", _resolved(config, "dataset"), {}, config)


def device_faults(config: DictConfig, device: str) -> list[str]:
    return _target_faults(f"backend.{device}", _resolved(config.backend, device), {}, config)


class ModelPart(NamedTuple):
    """A model's section without faults."""

    name: str
    needs: Mapping[str, str]  # field -> device
    record: Any  # without devices


class DatasetPart(NamedTuple):
    name: str
    record: Any


class BackendPart(NamedTuple):
    name: str
    devices: Mapping[str, Any]  # each device that it offers -> its record, which is made of those that are needed alone


class EncoderPart(NamedTuple):
    name: str
    auto: bool
    record: Any


def fit(config: DictConfig) -> list[str]:
    """What keeps sections that are sound, each by itself, from running together."""
    model = model_part(config)
    return fit_of(model, dataset_part(config), backend_part(config, model.needs.values()), encoder_part(config))


def fit_of(model: ModelPart, dataset: DatasetPart, backend: BackendPart, encoder: EncoderPart) -> list[str]:
    """The same of parts."""
    misfits = [_no_device(model.name, device, backend) for device in _missing(model, backend)]
    way = way_between(model, dataset, encoder)
    if isinstance(way, str):
        way_out = "" if encoder.auto else " Leave out encoder=... for the default."
        misfits.append(f"model={model.name}, dataset={dataset.name}: encoder={encoder.name} {way}.{way_out}")
    if misfits or isinstance(way, str):
        return misfits
    return _size_faults(model, dataset, backend, way)


def model_part(config: DictConfig) -> ModelPart:
    needs = needed_devices(config)
    record = _made(_without(config, "model", needs), dict.fromkeys(needs))
    return ModelPart(str(config.model.get("name")), needs, record)


def dataset_part(config: DictConfig) -> DatasetPart:
    return DatasetPart(str(config.dataset.get("name")), _made(_resolved(config, "dataset"), {}))


def backend_part(config: DictConfig, needed: Iterable[str]) -> BackendPart:
    there = [str(key) for key in config.backend if key != "name"]
    made = {name: _made(_resolved(config.backend, name), {}) if name in needed else None for name in there}
    return BackendPart(str(config.backend.get("name")), made)


def encoder_part(config: DictConfig) -> EncoderPart:
    values = encoder_of(config)
    return EncoderPart(str(values.get("name")), values["_target_"] == AUTO["_target_"], _made(values, {}))


def way_between(model: ModelPart, dataset: DatasetPart, encoder: EncoderPart) -> Sequence[Encoder] | str:
    """The encoders between data and model, or why there is no way."""
    return chain(encoder.record, dataset.record.layout, dataset.record.shape, model.record.reads)


def encoder_of(config: DictConfig) -> dict[str, Any]:
    """The encoder's section."""
    return _resolved(config, ENCODER) or AUTO


def way_of(config: DictConfig) -> Sequence[Encoder] | str:
    """The encoders between data and model of a configuration whose sections have no faults, or why there is no way."""
    reads = find_target(config.model.get("_target_")).reads  # type: ignore[attr-defined]
    dataset = _made(_resolved(config, "dataset"), {})
    return chain(_made(encoder_of(config), {}), dataset.layout, dataset.shape, reads)


def needed_devices(config: DictConfig) -> dict[str, str]:
    """Field of the model -> device of the backend, as the YAML wires them with `${backend.x}`."""
    plain = OmegaConf.to_container(config.model, resolve=False)
    assert isinstance(plain, dict)
    found = {str(key): DEVICE.match(value) for key, value in plain.items() if isinstance(value, str)}
    return {key: match[1] for key, match in found.items() if match}


def _unresolvable(config: DictConfig) -> list[str]:
    """Interpolations and missing values that no check can look behind, `${backend.x}` of the model aside."""
    faults = [f"{key} is not a section of keys" for key in (*SECTIONS, *TARGETS) if not _is_section(config, key)]
    if faults:
        return faults
    spared = {f"model.{key}" for key in needed_devices(config)}
    for path, value in _leaves(config):
        if path in spared:
            continue
        if value == "???":
            faults.append(f"{path} has no value; set it with {path}=...")
        elif isinstance(value, str) and "${" in value:
            try:
                OmegaConf.select(config, path, throw_on_missing=True)
            except (OmegaConfBaseException, ValueError) as error:
                faults.append(f"{path}={value} cannot be resolved: {str(error).splitlines()[0]}")
    return faults


def _is_section(config: DictConfig, key: str) -> bool:
    try:
        return isinstance(config.get(key), DictConfig)
    except OmegaConfBaseException:
        return False


def _leaves(config: DictConfig, prefix: str = "") -> list[tuple[str, Any]]:
    plain = OmegaConf.to_container(config, resolve=False)
    found: list[tuple[str, Any]] = []

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, f"{path}.{key}" if path else str(key))
        else:
            found.append((path, value))

    walk(plain, prefix)
    return found


def _resolved(config: DictConfig, key: str) -> Any:
    value = config.get(key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _without(config: DictConfig, section: str, keys: Mapping[str, str]) -> dict[str, Any]:
    kept = OmegaConf.masked_copy(config, [section])
    plain = {}
    for key in kept[section]:
        if key not in keys:
            plain[str(key)] = _resolved(config[section], str(key))
    return plain


def _record_faults(record: type, values: Any, owner: str, config: DictConfig) -> list[str]:
    """Unknown and missing keys of a record, then what its own constructor has to say."""
    if not isinstance(values, dict):
        return [f"{owner}={values!r} is not a section of keys"]
    prefix = f"{owner}." if owner else ""
    fields = {field.name: field for field in dataclasses.fields(record) if field.init}
    faults = [
        unknown_key(f"{prefix}{key}", owner, str(key), list(fields), config) for key in values if key not in fields
    ]
    missing = [name for name, field in fields.items() if name not in values and _required(field)]
    faults += [f"{prefix}{name} is missing" for name in missing]
    if missing:
        return faults
    try:
        with warnings.catch_warnings(action="ignore"):  # a warning is told once, by the run
            record(**{key: value for key, value in values.items() if key in fields})
    except BoundsError as error:
        faults += [f"{prefix}{field}{sentence}" for field, sentence in error.faults]
    return faults


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _target_faults(owner: str, values: Any, devices: Mapping[str, Any], config: DictConfig) -> list[str]:
    """A section that names a class: `name` is for folders and tables, the rest are the class's fields."""
    if not isinstance(values, dict) or "_target_" not in values:
        return [f"{owner} names no class: it has no _target_"]
    try:
        target = find_target(values["_target_"])
    except TargetRefused as refusal:
        return [f"{owner}.{refusal}"]
    fields = {key: value for key, value in values.items() if key not in ("_target_", "name")}
    return _record_faults(target, {**fields, **devices}, owner, config)


def _table_faults(values: Any, config: DictConfig) -> list[str]:
    faults = _record_faults(Table, values, "table", config)
    if faults:
        return faults
    for number, row in enumerate(values["rows"]):
        faults += _record_faults(Row, row, f"table.rows.{number}", config)
    return faults


def _device_faults(config: DictConfig) -> list[str]:
    """What the model needs and the backend does not offer."""
    backend = BackendPart(str(config.backend.get("name")), {str(key): None for key in config.backend if key != "name"})
    model = ModelPart(str(config.model.get("name")), needed_devices(config), None)
    return [_no_device(model.name, device, backend) for device in _missing(model, backend)]


def _missing(model: ModelPart, backend: BackendPart) -> list[str]:
    return sorted(set(model.needs.values()) - backend.devices.keys())


def _no_device(model: str, device: str, backend: BackendPart) -> str:
    offers = ", ".join(backend.devices) or "nothing"
    others = [name for name, there in backends().items() if device in there]
    way_out = f" Try {' or '.join(f'backend={name}' for name in others)}." if others else ""
    return f"model={model} needs a '{device}'; backend={backend.name} offers {offers}.{way_out}"


def _size_faults(model: ModelPart, dataset: DatasetPart, backend: BackendPart, way: Sequence[Encoder]) -> list[str]:
    """Models that are too big for a device. Only for a configuration without any other fault.

    A model's recipe may tell its `layers(shape)`, units for samples of that shape, or raise UserError; a device's
    recipe may have a `misfit(*layers)`, the sentence why these do not fit, or None; a model's recipe a
    `misfit(dataset)`, why these data are not for it, and an `unfit(**devices)`, sentences why it is not for them.
    """
    recipe, data = model.record, dataset.record
    layout, shape = data.layout, data.shape
    for step in way:
        layout, shape = step.yields, step.shape(shape)
    task = Task(layout, shape, data.n_classes)
    refused = recipe.misfit(task) if hasattr(recipe, "misfit") else None
    if refused:
        return [f"model={model.name}, dataset={dataset.name}: {refused}"]
    if hasattr(recipe, "for_task"):  # a recipe that leaves settings open until it knows the task
        recipe = recipe.for_task(task)
    if not hasattr(recipe, "layers"):
        return []
    try:
        layers = recipe.layers(shape)
    except UserError as error:
        return [str(error)]
    devices = [backend.devices[name] for name in sorted(set(model.needs.values()))]
    found = [device.misfit(*layers) for device in devices if hasattr(device, "misfit")]
    if hasattr(recipe, "unfit"):
        found += recipe.unfit(**{field: backend.devices[device] for field, device in model.needs.items()})
    return [f"model={model.name}, backend={backend.name}: {sentence}" for sentence in found if sentence]


def _made(values: Any, devices: Mapping[str, Any]) -> Any:
    """The record that a section without faults names."""
    fields = {key: value for key, value in values.items() if key not in ("_target_", "name")}
    with warnings.catch_warnings(action="ignore"):
        return find_target(values["_target_"])(**fields, **devices)


@cache
def backends() -> dict[str, tuple[str, ...]]:
    """Name of each backend that ships or that a plugin brings -> the devices that it offers."""
    found = {}
    for package in config_packages():
        folder = files(package).joinpath("backend")
        if folder.is_dir():
            for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
                if file.name.endswith(".yaml"):
                    keys = OmegaConf.create(file.read_text())
                    found[file.name.removesuffix(".yaml")] = tuple(
                        str(key) for key in keys if key not in ("name", "defaults")
                    )
    return found
