"""A scikit-learn classifier that learns as a model does: the class below those that `api.estimator` makes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from omegaconf import OmegaConf
from rich.console import Console
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from neurobench.api.overrides import UNUSED, override_words, plain
from neurobench.api.torch_state import usual_torch
from neurobench.config.errors import ConfigError, UserError
from neurobench.config.overrides import keys_of, parse_word
from neurobench.data.dataset import DataError
from neurobench.experiment.plan import Plan, parse
from neurobench.experiment.request import plan_of
from neurobench.models.learner import Divergence
from neurobench.process import stops_as_usual

# Parameters of every estimator besides the model's own; epochs and batch_size are added with the model's defaults.
COMMON: Mapping[str, Any] = {
    "backend": "sim",
    "seed": 0,  # root of every random stream
    "threads": 1,  # of torch, numba and BLAS, and so they stay after `fit`
    "device": "auto",
    "validation": 0.0,  # fraction of the samples held out of training, for choices that a model bases on it
    "scaling": True,  # scale to [0, 1] by the range of the training samples; False: they are in [0, 1] already
    "overrides": (),  # keys other than parameters, as on the command line: ("backend.sampler.sweeps=10",)
}
SCHEDULE = ("epochs", "batch_size")
ROOT = ("backend", "seed", "threads", "device")  # parameters of COMMON that are keys of the configuration


@lru_cache(maxsize=256)
def planned(
    words: tuple[str, ...], config_dir: str | None, layout: str, shape: tuple[int, ...], n_classes: int
) -> Plan:
    """Plan of an estimator, cached since a grid search requests it again and again. Raises ConfigError."""
    target = f"neurobench.data.custom.memory.{'Vectors' if layout == 'vector' else 'Images'}"
    dataset = {"name": "arrays", "_target_": target, "sizes": list(shape), "classes": n_classes}
    return plan_of(words, config_dir, dataset)[0]


class Classifier(ClassifierMixin, BaseEstimator):
    """Classifier that learns as a model of neurobench does.

    After `fit`: classes_ (C,), n_features_in_, learner_ (see `neurobench.models.learner.Learner`), plan_, and history_,
    a row per epoch.
    """

    model: ClassVar[str]
    config_dir: ClassVar[str | None]
    defaults: ClassVar[Mapping[str, Any]]
    own: ClassVar[tuple[str, ...]]  # parameters of the model itself
    remake: ClassVar[Callable[[str, str | None], Classifier]]  # an unfitted estimator of a model and its config_dir

    @usual_torch()
    @stops_as_usual()
    def fit(self, X: Any, y: Any) -> Classifier:
        """Train on numbers X (N, D), (N, H, W) or (N, C, H, W) and labels y (N,) of any kind. Raises ValueError."""
        from neurobench.data.custom.arrays import has_channels_last

        try:
            self._require_sound()
        except UserError as error:
            raise ValueError(str(error)) from error
        self.__dict__.pop("learner_", None)  # an estimator whose second fit does not end is not fitted at all
        X, y = validate_data(self, _with_channel(X), y, dtype=np.float64, allow_nd=True)
        check_classification_targets(y)
        if has_channels_last(X.shape[1:]):
            words = f"X {X.shape} is read as images of {X.shape[1]} channels, (N, C, H, W)"
            warnings.warn(f"{words}. If its channels are last: np.moveaxis(X, 3, 1)", stacklevel=3)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs at least two classes; y has one class, {self.classes_.tolist()[0]!r}")
        try:
            self._learn(X, labels)
        except (UserError, DataError, Divergence) as error:
            raise ValueError(str(error)) from error
        return self

    @usual_torch()
    @stops_as_usual()
    def decision_function(self, X: Any) -> np.ndarray:
        """Scores (N, C), highest for the predicted class; for two classes (N,), above 0 for the second."""
        from neurobench.data.encoders import TEST
        from neurobench.experiment.evaluate import scores_of
        from neurobench.experiment.samples import encoded, samples

        check_is_fitted(self, "learner_")
        X = validate_data(self, _with_channel(X), dtype=np.float64, allow_nd=True, reset=False)
        if X.shape[1:] != (fitted := self.plan_.dataset.shape):  # the check above compares only the first number
            raise ValueError(f"X has samples of shape {X.shape[1:]}, but this estimator was fitted to {fitted}")
        try:
            x = encoded(samples(self._samples(X)), self.plan_.encoders, TEST)
            scores = scores_of(self.learner_, x, len(self.classes_)).double().numpy()
        except UserError as error:
            raise ValueError(str(error)) from error
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Predicted labels (N,)."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(1)
        return self.classes_[chosen]

    def _measure_range(self, X: np.ndarray) -> None:
        """Range of the training samples: one per feature; for images one for all pixels."""
        axis = 0 if X.ndim == 2 else None
        self.low_, self.span_ = X.min(axis), np.ptp(X, axis)

    def _samples(self, X: np.ndarray) -> np.ndarray:
        """Samples scaled to [0, 1]; values outside the range of the training samples are clipped to it."""
        if not self.scaling:
            return X
        scaled = (X - self.low_) / np.where(self.span_ > 0, self.span_, 1)
        return np.clip(scaled, 0, 1)

    def _learn(self, X: np.ndarray, labels: np.ndarray) -> None:
        import torch

        from neurobench.data.dataset import hold_out
        from neurobench.experiment.build import build_learner, pick_device, require_memory
        from neurobench.experiment.loop import Interrupted
        from neurobench.experiment.progress import meter_for
        from neurobench.experiment.reload import find_initial
        from neurobench.experiment.samples import encoded, held_out_splits, kind, samples
        from neurobench.experiment.threads import pin_threads, threads_of
        from neurobench.experiment.training import training_loop
        from neurobench.metrics.costs import Ledger

        y, n_held_out = torch.from_numpy(labels), int(self.validation * len(labels))
        of_sample = kind(samples(np.zeros((1, *X.shape[1:]))))
        plan = planned(self._words(len(y) - n_held_out), self.config_dir, *of_sample, len(self.classes_))
        pin_threads(threads_of(plan))
        self._measure_range(X[hold_out(len(y), n_held_out, plan.seeds.data)[0]] if n_held_out else X)
        x = samples(self._samples(X))
        splits = held_out_splits(encoded(x, plan.encoders), y, n_held_out, plan.seeds.data)
        require_memory(plan, splits)
        if absent := set(labels) - set(splits.train.y.tolist()):
            names = ", ".join(str(self.classes_[label]) for label in sorted(absent))
            fault = f"validation={self.validation} holds out all samples of class {names}, which cannot be learned"
            warnings.warn(fault, stacklevel=3)
        ledger = Ledger()
        learner = build_learner(plan, pick_device(plan.run.device, plan.model, plan.training.batch_size), ledger)
        meter = meter_for(Console(quiet=True))
        loop = training_loop(plan, learner, splits, meter, ledger, initial=find_initial(plan))
        try:
            loop.run()
        except Interrupted:
            raise KeyboardInterrupt from None
        learner.finalize(splits.train, splits.validation, loop.record)
        self.learner_, self.plan_, self.history_ = learner, plan, loop.record.epochs

    def _require_sound(self) -> None:
        """Check what no configuration checks, only in `fit`, as scikit-learn requires. Raises ConfigError."""
        faults = [*self._fraction_faults()]
        if not isinstance(self.scaling, bool | np.bool_):
            faults.append(f"scaling={self.scaling!r} is neither True nor False")
        if isinstance(self.overrides, list | tuple):
            faults += [fault for word in override_words(self.overrides, {}) for fault in self._override_faults(word)]
        else:
            faults.append(f"overrides={self.overrides!r} is not a list or tuple: write overrides=('key=value',)")
        if faults:
            raise ConfigError(faults)

    def _fraction_faults(self) -> Iterator[str]:
        if isinstance(self.validation, bool | np.bool_) or not isinstance(
            self.validation, int | float | np.integer | np.floating
        ):
            yield f"validation={self.validation!r} is not a number: it is a fraction of the samples, in [0, 1)"
        elif not 0 <= self.validation < 1:
            yield f"validation={self.validation!r} is not in [0, 1): it is a fraction of the samples"

    def _override_faults(self, word: str) -> Iterator[str]:
        """Faults of an override that would be ignored, since a parameter or the samples determine its key."""
        override = parse_word(word)
        if override is None:  # reported when it is composed
            return
        faults = dict.fromkeys(fault for key in keys_of(override) for fault in self._key_faults(key))
        yield from (f"overrides: {word}{fault}" for fault in faults)

    def _key_faults(self, key: str) -> Iterator[str]:
        parameters = self._keys()
        if key in parameters:
            yield f": this is a parameter of the estimator. Write {parameters[key]}=... instead"
        elif key == "model":
            yield f": this estimator is for model={self.model}. Create another: estimator('NAME')"
        for name, reason in UNUSED.items():
            if key == name or key.startswith(f"{name}."):
                yield f": {reason}. Leave it out"
        for name in self._changed():
            if key.startswith(f"model.{name}."):
                yield f" belongs to the parameter {name}, which is also set. Set it there"

    def _changed(self) -> list[str]:
        """Parameters of the model itself that differ from its defaults. Raises UserError."""
        return [key for key in self.own if plain(key, getattr(self, key)) != plain(key, self.defaults[key])]

    def _keys(self) -> dict[str, str]:
        """Key of the configuration -> the parameter that sets it."""
        model = {f"model.{name}": name for name in self.own}
        return {**model, **{f"training.{name}": name for name in SCHEDULE}, **{name: name for name in ROOT}}

    def _words(self, n_train: int) -> tuple[str, ...]:
        """Overrides for what differs from the model's defaults; a batch never exceeds the number of samples."""
        values = {key: plain(key, getattr(self, key)) for key in self.defaults}
        if isinstance(batch := values["batch_size"], int):
            values["batch_size"] = min(batch, n_train)
        said = {*self._changed(), *SCHEDULE, *ROOT}
        keys = {key: values[name] for key, name in self._keys().items() if name in said}
        return tuple(override_words([f"model={self.model}", *self.overrides], keys))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the model's name: its class is created anew, and the learner restored from its state."""
        from neurobench.api.pickled import state_of

        state = dict(vars(self))
        if "learner_" in state:
            state["learner_"], state["plan_"] = state_of(self.learner_), self.plan_.config
        return self.remake, (self.model, self.config_dir), state

    @usual_torch()
    def __setstate__(self, state: dict[str, Any]) -> None:
        from neurobench.api.pickled import restored

        self.__dict__.update(state)
        if "learner_" in state:
            self.plan_ = parse(OmegaConf.create(state["plan_"]))
            self.learner_ = restored(self.plan_, state["learner_"])


def _with_channel(X: Any) -> Any:
    """Images (N, H, W), which may be a list of images, as (N, 1, H, W)."""
    if isinstance(X, list | tuple) and len(X) and np.ndim(X[0]) == 2:
        X = np.asarray(X)
    return X[:, None] if getattr(X, "ndim", None) == 3 else X
