"""Models as scikit-learn classifiers, for grid searches, pipelines and cross-validation."""

from __future__ import annotations

from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from neurobench.api.classifier import COMMON, SCHEDULE, Classifier, planned
from neurobench.api.overrides import folder_of
from neurobench.config.errors import ConfigError, did_you_mean
from neurobench.config.targets import own_folders


def estimator(model: str, *, config_dir: str | Path | None = None, **parameters: Any) -> Classifier:
    """Return a scikit-learn classifier that learns as the model does: `estimator("qrbm", n_hidden=300).fit(X, y)`.

    `parameters`: those of the model (conf/model, with their defaults), `epochs`, `batch_size` and COMMON.
    X are vectors (N, D), or images (N, H, W) or (N, C, H, W); they are encoded for models that read another layout.

    Raises ConfigError if there is no such model; `fit` raises ValueError with sentences on what cannot be run.
    """
    return classifier(model, folder_of(config_dir))(**parameters)


def classifier(model: str, config_dir: str | None = None) -> type[Classifier]:
    """Class of a model's estimators, whose signature lists the parameters, as scikit-learn requires. It is created
    anew if one of the user's YAML files has been edited."""
    files = [file for folder in own_folders(config_dir) for file in sorted(folder.glob("*/*.yaml"))]
    return _classifier(model, config_dir, tuple((file, file.stat().st_mtime_ns) for file in files))


@cache
def _classifier(model: str, config_dir: str | None, edition: tuple[tuple[Path, int], ...]) -> type[Classifier]:
    planned.cache_clear()  # from another edition, perhaps
    plan = planned((f"model={model}",), config_dir, "vector", (2,), 2)
    parameters = {
        key: value for key, value in plan.config["model"].items() if key not in ("name", "_target_", *plan.wiring)
    }
    names = {*SCHEDULE, *COMMON, *dir(Classifier), *Classifier.__annotations__}
    if taken := [key for key in parameters if key in names]:
        raise ConfigError(
            [f"model.{key}: every estimator has a parameter {key}; rename the model's key" for key in taken]
        )
    schedule = {key: plan.config["training"][key] for key in SCHEDULE}
    defaults = {key: _default(value) for key, value in {**parameters, **schedule, **COMMON}.items()}
    words = [Parameter(key, Parameter.KEYWORD_ONLY, default=value) for key, value in defaults.items()]
    signature = Signature([Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *words])

    def __init__(self: Classifier, **parameters: Any) -> None:
        for key in parameters:
            if key not in defaults:
                hint = did_you_mean(key, defaults) or f" There is {', '.join(defaults)}."
                raise TypeError(f"{key}: the estimator of model={model} has no such parameter.{hint}")
        self.__dict__.update({**defaults, **parameters})

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    fields = {
        "__init__": __init__, "__doc__": Classifier.__doc__, "__module__": Classifier.__module__,
        "model": model, "config_dir": config_dir, "defaults": defaults, "own": tuple(parameters),
        "remake": staticmethod(_blank),
    }  # fmt: skip
    return type(f"{model.title().replace('_', '')}Classifier", (Classifier,), fields)


def forget() -> None:
    """Clear the cached classes and plans, whose code may have been edited since."""
    _classifier.cache_clear()
    planned.cache_clear()


def _default(value: Any) -> Any:
    """Default as a hashable value, as scikit-learn requires: a list as a tuple; a section as None, which leaves it
    unchanged."""
    if isinstance(value, dict):
        return None
    return tuple(_default(item) for item in value) if isinstance(value, list) else value


def _blank(model: str, config_dir: str | None) -> Classifier:
    """Unfitted estimator. Pickles contain this function's name."""
    return classifier(model, config_dir)()
