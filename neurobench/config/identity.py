"""Which runs are the same: a hash of what is computed, blind to where and how."""

import hashlib
import json
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from neurobench.config.check import needed_devices
from neurobench.config.schema import RUNTIME_KEYS


def science(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration less its runtime keys, and less the devices that the model does not use.

    So a device that is added to a backend leaves the identity of other models' runs as it was.
    """
    used = set(needed_devices(config).values())
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    kept = {str(key): value for key, value in plain.items() if key not in RUNTIME_KEYS}
    kept["backend"] = {key: value for key, value in kept["backend"].items() if key == "name" or key in used}
    return kept


def config_hash(config: DictConfig, with_seed: bool = True) -> str:
    """12 hex digits. Without the seed, the repetitions of one setting share a hash, also where another key follows
    the seed (`chip_seed: ${seed}`)."""
    plain = science(config if with_seed else cast(DictConfig, OmegaConf.merge(config, {"seed": 0})))
    if not with_seed:
        plain.pop("seed")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
