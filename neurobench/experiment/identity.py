"""Which runs are the same: a hash of what is computed, blind to where and how."""

import hashlib
import json
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from neurobench.config.schema import RUNTIME_KEYS
from neurobench.config.targets import find_target
from neurobench.experiment.plan import AUTO, ENCODER, needed_devices


def science(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration less its runtime keys, and less the devices that the model does not use.

    So a device that is added to a backend leaves the identity of other models' runs as it was.
    """
    used = set(needed_devices(config).values())
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    kept = {str(key): value for key, value in plain.items() if key not in RUNTIME_KEYS}
    kept["backend"] = {key: value for key, value in kept["backend"].items() if key == "name" or key in used}
    if kept.get(ENCODER) == AUTO:
        del kept[ENCODER]  # it does nothing where it is not needed, and follows from data and model where it is
    if kept["training"].get("goal") is None:
        kept["training"].pop("goal", None)  # a key that came after runs were made: without a goal they are the same
    for section in (kept["model"], kept["dataset"], *kept["backend"].values()):
        _drop_later(section)
    return kept


def _drop_later(section: Any) -> None:
    """A class may name fields that it got after runs were made (`later: ClassVar`). At their defaults they compute
    what was computed before, so those runs keep their identity."""
    if not isinstance(section, dict) or "_target_" not in section:
        return
    target = find_target(section["_target_"])
    for name in getattr(target, "later", ()):
        if name in section and section[name] == getattr(target, name):
            del section[name]


def config_hash(config: DictConfig, with_seed: bool = True) -> str:
    """12 hex digits. Without the seed, the repetitions of one setting share a hash, also where another key follows
    the seed (`chip_seed: ${seed}`)."""
    plain = science(config if with_seed else cast(DictConfig, OmegaConf.merge(config, {"seed": 0})))
    if not with_seed:
        plain.pop("seed")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
