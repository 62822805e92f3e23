"""Complete plan of a run: read once from its configuration, checked, and never read again; and its hash.

`run` and every other verb parse before anything is computed; parsing touches neither data nor torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from neurobench.config.errors import ConfigError
from neurobench.config.resolve import OPTIONAL, SECTIONS, Plain, follows_seed, foreign_faults, resolved
from neurobench.config.schema import Root, Row, Scale, Table, Training
from neurobench.config.secrets import scrubbed
from neurobench.config.sections import Reader, quiet, unknown_key, uses
from neurobench.config.spec import Record, Spec
from neurobench.data.dataset import DatasetSpec
from neurobench.data.encoders import EncoderSpec
from neurobench.devices.spec import DeviceSpec
from neurobench.experiment import host_energy
from neurobench.experiment.combine import Backend, Named, Parts, combine, missing_devices
from neurobench.experiment.identity import identity, own_code
from neurobench.experiment.memory import memory_fault
from neurobench.experiment.trackers import TrackerSpec
from neurobench.models.learner import ModelSpec, Seeds, Task

AUTO = {"name": "auto", "_target_": "neurobench.data.encoders.Auto"}
ROOT = ("name", "seed", "device", "threads", "kernels", "outputs", "resume", "figures", "host_energy", "wait")


@dataclass(frozen=True)
class Plan:
    """Plan of a run. `config`: its resolved configuration, plain values; device fields are `${backend.NAME}`."""

    run: Root
    model_name: str
    dataset_name: str
    backend_name: str
    model: ModelSpec
    dataset: DatasetSpec
    encoders: tuple[EncoderSpec, ...]
    task: Task
    devices: Mapping[str, DeviceSpec]  # field of the model -> device
    wiring: Mapping[str, str]  # field of the model -> name of that device in the backend
    training: Training  # with as many epochs as the scale allows
    scale: Scale
    trackers: tuple[TrackerSpec, ...]
    config: Plain
    config_hash: str  # of what is computed
    setting_hash: str  # the same without the seed: repetitions share it
    overrides: tuple[str, ...] = field(default=(), compare=False)  # the words that it was composed from, if known

    @property
    def start_from(self) -> str | None:
        """File or run from which the model starts, if it names one."""
        return getattr(self.model, "init_from", None)

    @property
    def would_start_from_itself(self) -> bool:
        """Whether `start_from` is a name that means a run of this plan once one has ended: "latest", or the plan's."""
        return self.start_from in ("latest", self.run.name)

    @property
    def root(self) -> str | None:
        """Absolute path of the data, or of the camera from which they are emulated; None if they ship with the package
        or follow from the configuration alone."""
        return getattr(self.dataset, "root", None) or getattr(self.dataset, "camera", None)

    @property
    def choices(self) -> dict[str, Any]:
        """Keys by which tables of runs are joined; `encoders` are those in use, whatever was chosen."""
        return {
            "model": self.model_name,
            "dataset": self.dataset_name,
            "backend": self.backend_name,
            "encoder": _name(self.config, "encoder"),
            "encoders": [type(step).__name__ for step in self.encoders],
            "scale": self.scale.name,
            "overrides": [scrubbed(word) for word in self.overrides],
        }

    @property
    def label(self) -> str:
        return f"{self.model_name} on {self.dataset_name}, backend {self.backend_name}, scale {self.scale.name}"

    @property
    def own_code(self) -> dict[str, str]:
        """Module of user code that is used -> sha256 of its text."""
        return own_code([self.model, self.dataset, *self.encoders, *self.devices.values(), *self.trackers])

    @cached_property
    def seeds(self) -> Seeds:
        """Independent streams for data, initial values, training and device, all from the root seed."""
        return spawn(self.run.seed)

    def resumed(self) -> Plan:
        """Copy of this plan that resumes the newest unfinished run of this configuration."""
        return self._with(resume=True)

    def taken_up(self, outputs: str, wait: bool) -> Plan:
        """Copy of this plan that resumes below `outputs`; `wait`: wait for devices that answer later."""
        return self._with(resume=True, outputs=outputs, wait=wait)

    def anew(self, outputs: str) -> Plan:
        """Copy of this plan for a new folder below `outputs`."""
        return self._with(resume=False, outputs=outputs)

    def _with(self, **changes: Any) -> Plan:
        return replace(self, run=replace(self.run, **changes), config={**self.config, **changes})


def parse(
    config: DictConfig, overrides: Sequence[str] = (), setting_hash: str | None = None, to_run: bool = True,
    here: bool = True,
) -> Plan:  # fmt: skip
    """Parse a composed or stored configuration into a plan. Raises ConfigError with every fault at once.

    `overrides`: what it was composed from, for the record. `setting_hash`: of a stored one, in which values that follow
    the seed have been resolved. `to_run`: False only to read results computed by it, or to compute its hash. `here`:
    False if another machine will run it, which checks its memory itself.
    """
    plain = resolved(config)
    with quiet():
        parts = read(plain, to_run)
        combination = combine(parts)
        if isinstance(combination, list):
            raise ConfigError(combination)
        parameters = (parts.model.name, parts.model.spec, parts.dataset.spec, combination.task)
        if to_run and here and (fault := memory_fault(*parameters)):
            raise ConfigError([fault])
        if setting_hash is None:
            setting = parts
            if parts.run.seed != 0 and follows_seed(config):
                setting = read(resolved(cast(DictConfig, OmegaConf.merge(config, {"seed": 0}))), to_run)
            setting_hash = _hash(setting, combination.encoders, None)
    epochs = min(parts.training.epochs, parts.scale.epochs or parts.training.epochs)
    return Plan(
        run=parts.run,
        model_name=parts.model.name,
        dataset_name=parts.dataset.name,
        backend_name=parts.backend.name,
        model=parts.model.spec,
        dataset=parts.dataset.spec,
        encoders=combination.encoders,
        task=combination.task,
        devices=combination.devices,
        wiring=parts.wiring,
        training=replace(parts.training, epochs=epochs),
        scale=parts.scale,
        trackers=parts.trackers,
        config=plain,
        config_hash=_hash(parts, combination.encoders, parts.run.seed),
        setting_hash=setting_hash,
        overrides=tuple(overrides),
    )


def faults_of(config: DictConfig) -> list[str]:
    """Reasons why a configuration cannot run; empty if it can."""
    try:
        parse(config)
    except ConfigError as error:
        return error.faults
    return []


def read(plain: Plain, to_run: bool = True) -> Parts:
    """Read every section into its record. Raises ConfigError with all their faults."""
    reader = Reader(plain)
    reader.faults += foreign_faults(plain)
    known = [*ROOT, *SECTIONS, *OPTIONAL]
    reader.faults += [unknown_key(key, "", key, known, plain) for key in plain if key not in known]
    run = reader.record(Root, {key: plain[key] for key in ROOT if key in plain}, "")
    training = reader.record(Training, plain["training"], "training")
    scale = reader.record(Scale, plain["scale"], "scale")
    if plain.get("table") is not None:  # it is checked here and used elsewhere
        table = reader.record(Table, plain["table"], "table")
        for number, row in enumerate(table.rows if table else ()):
            reader.record(Row, row, f"table.rows.{number}")
    loggers = plain.get("logger") or {}
    trackers = {name: reader.spec("tracker", TrackerSpec, values, f"logger.{name}") for name, values in loggers.items()}
    dataset = reader.spec("dataset", DatasetSpec, plain["dataset"], "dataset")  # type: ignore[type-abstract]
    encoder = reader.spec("encoder", EncoderSpec, plain.get("encoder") or AUTO, "encoder")
    model = reader.spec("model", ModelSpec, plain["model"], "model")
    wiring = reader.wiring  # even if the model has faults: the devices that it names are checked with it
    section = plain["backend"]
    offers = tuple(key for key in section if key != "name")
    devices = {
        name: reader.spec("device", DeviceSpec, section[name], f"backend.{name}")
        for name in sorted(set(wiring.values()))
        if name in offers
    }
    specs = {name: device for name, device in devices.items() if device is not None}
    backend = Backend(_name(plain, "backend"), offers, specs)
    if to_run and training is not None and training.keep_best and model is not None and not model.leaves:
        reader.faults.append(
            "training.keep_best=true stores the best network as a file, of which "
            f"model={_name(plain, 'model')} writes none; training.patience returns to the best state"
        )
    if to_run:
        opened = {f"backend.{name}": spec for name, spec in specs.items()}
        followers = {f"logger.{name}": tracker for name, tracker in trackers.items() if tracker}
        reader.faults += _absent_extras(plain, {**opened, **followers})
    if model is not None:
        kinds = uses(type(model))
        reader.faults += [
            f"model.{field} takes a {kinds[field]}; backend.{name} is a {specs[name].kind}"
            for field, name in wiring.items()
            if name in specs and specs[name].kind != kinds[field]
        ]
    if reader.faults:
        raise ConfigError([*reader.faults, *missing_devices(_name(plain, "model"), wiring, backend)])
    # Without faults none of them is None.
    assert run is not None
    assert training is not None
    assert scale is not None
    assert model is not None
    assert dataset is not None
    assert encoder is not None
    return Parts(
        run=run,
        training=training,
        scale=scale,
        model=Named(_name(plain, "model"), model),
        wiring=wiring,
        dataset=Named(_name(plain, "dataset"), dataset),
        encoder=Named(_name(plain, "encoder"), encoder),
        backend=backend,
        trackers=tuple(tracker for tracker in trackers.values() if tracker),
    )


def _absent_extras(plain: Plain, specs: Mapping[str, Spec]) -> list[str]:
    """Packages that this run needs and that are not installed, as sentences. specs: by the path of their section."""
    faults = [
        f"{'.'.join(filter(None, (path, field)))}{sentence}"
        for path, spec in specs.items()
        for field, sentence in spec.absent_extras()
    ]
    energy = host_energy.extra_fault() if plain.get("host_energy") is True else None
    return [*faults, energy] if energy else faults


def _hash(parts: Parts, encoders: tuple[EncoderSpec, ...], seed: int | None) -> str:
    devices = {f"device {name}": device for name, device in parts.backend.specs.items()}
    specs = {"dataset": parts.dataset.spec, "encoders": encoders, "model": parts.model.spec, **devices}
    return identity(cast(dict[str, Record | Sequence[Record]], specs), parts.training, parts.scale, seed)


def _name(plain: Plain, section: str) -> str:
    return str((plain.get(section) or AUTO).get("name"))


def spawn(root: int) -> Seeds:
    """Independent seeds for data, init, training and device (numpy `SeedSequence.spawn`)."""
    import numpy as np  # importing it takes longer than making a plan

    words = [child.generate_state(1, np.uint64)[0] >> np.uint64(1) for child in np.random.SeedSequence(root).spawn(4)]
    data, init, training, device = (int(word) for word in words)
    return Seeds(data=data, init=init, training=training, device=device)
