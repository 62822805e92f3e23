"""Specs for tests, with the values of the shipped YAML: `spec("model/qrbm", n_hidden=3)`."""

import re
from pathlib import Path
from typing import Any

import yaml

from neurobench.config.spec import Spec
from neurobench.config.targets import load

CONF = Path(__file__).parents[1] / "conf"


def values(file: str, key: str | None = None) -> dict[str, Any]:
    """Section that a YAML file declares: for `backend/sim` the device with this key, otherwise the only section."""
    plain = yaml.load((CONF / f"{file}.yaml").read_text(), _Loader)
    section = plain[key] if key else plain.get(file.partition("/")[0], plain)
    return {name: _wired(value) for name, value in section.items() if name != "name"}


def spec(file: str, key: str | None = None, **changes: Any) -> Any:
    """Spec of the class that a YAML section names, with some fields changed."""
    fields = {**values(file, key), **changes}
    made = load(fields.pop("_target_"))(**fields)
    assert isinstance(made, Spec)
    return made


def _wired(value: Any) -> Any:
    """Replace a reference by the device's key, as parsing does: `${backend.sampler}` -> "sampler"."""
    return value.removeprefix("${backend.").removesuffix("}") if isinstance(value, str) else value


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Loader that reads YAML as OmegaConf does: 1e-4 is a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*)(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)
