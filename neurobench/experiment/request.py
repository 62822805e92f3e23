"""Conversion of overrides, from the command line or from Python, to a plan, the same for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from neurobench.config.compose import altered, composer, explain, read
from neurobench.config.errors import ConfigError
from neurobench.config.overrides import parse_word
from neurobench.config.resolve import foreign_faults, resolved
from neurobench.config.sections import Reader
from neurobench.config.spec import Spec
from neurobench.data.dataset import DatasetSpec
from neurobench.data.encoders import EncoderSpec
from neurobench.experiment.plan import Plan, faults_of, parse

S = TypeVar("S", bound=Spec)


def plan_of(
    words: Sequence[str], config_dir: str | None = None, dataset: Mapping[str, Any] | None = None
) -> tuple[Plan, str | None]:
    """The plan, and a note for the user if the combination is no longer the experiment it names, or None.

    `dataset`: a section in place of the one that the words choose. Raises ConfigError with every fault at once.
    """
    overrides = accepted(words, config_dir)
    try:
        composed = _composed(overrides, config_dir)
        if dataset is not None:
            OmegaConf.set_struct(composed, False)
            composed.dataset = dataset
    except (HydraException, OmegaConfBaseException) as error:
        raise refusal(error, overrides, config_dir) from None
    other = altered(overrides, config_dir)
    try:
        return parse(composed, overrides), other
    except ConfigError as error:
        raise ConfigError(error.faults, other) from None


def dataset_of(words: Sequence[str], config_dir: str | None = None) -> DatasetSpec:
    """The data set that the words choose, whatever the rest. Raises ConfigError with every fault."""
    return _part("dataset", DatasetSpec, words, config_dir)  # type: ignore[type-abstract]


def encoder_of(words: Sequence[str], config_dir: str | None = None) -> EncoderSpec:
    """The encoder that the words choose, whatever the rest. Raises ConfigError with every fault."""
    return _part("encoder", EncoderSpec, words, config_dir)


def _part(section: str, base: type[S], words: Sequence[str], config_dir: str | None) -> S:
    overrides = accepted(words, config_dir)
    try:
        values = resolved(_composed(overrides, config_dir))
    except (HydraException, OmegaConfBaseException) as error:
        faults, _ = explain(overrides, config_dir)
        raise ConfigError(faults or [str(error).splitlines()[0]]) from None
    reader = Reader(values)
    reader.faults += foreign_faults({section: values[section]})
    spec = reader.spec(section, base, values[section], section)
    if spec is None or reader.faults:
        raise ConfigError(reader.faults)
    return spec


def _composed(overrides: Sequence[str], config_dir: str | None) -> DictConfig:
    """Compose overrides. Raises HydraException, also if a key has several values."""
    with composer(config_dir) as compose:
        for word in overrides:
            override = parse_word(word)
            if override is not None and override.is_sweep_override():
                raise HydraException(f"{word} has several values")
        return compose(overrides)


def accepted(words: Sequence[str], config_dir: str | None = None) -> list[str]:
    """Overrides as Hydra composes them. Raises ConfigError for those that Hydra would accept and then ignore."""
    overrides = read(words, config_dir)
    # Hydra accepts hydra.launcher=joblib (a dot) and ignores it.
    ignored = [word for word in overrides if word.lstrip("+").startswith(("hydra.launcher=", "hydra.sweeper="))]
    faults = [f"{word} would be ignored: a launcher is a group. Write {word.replace('.', '/', 1)}." for word in ignored]
    if faults:
        raise ConfigError(faults)
    return overrides


def refusal(
    error: Exception, overrides: Sequence[str], config_dir: str | None = None, several: bool = False
) -> ConfigError:
    """Error with all reasons why overrides do not compose, and the faults of the part that does.

    `error`: Hydra's error; `several`: a key may have a list of values.
    """
    faults, config = explain(overrides, config_dir, several)
    if config is not None:
        faults += [fault for fault in faults_of(config) if fault not in faults]
    return ConfigError(faults or [str(error).splitlines()[0]])
