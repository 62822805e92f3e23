# %% [markdown]
# # A model of your own
#
# A model consists of a *spec*, which declares its parameters with their bounds, and a *learner* that the spec names.
# Both are defined in one module; the YAML file is in a folder `model` next to it, and neurobench itself is not edited.
# This example classifies by the nearest class mean, a minimal learner. `neurobench/models/learner.py` defines the whole
# protocol.

# %%
import os
from pathlib import Path

import neurobench as nb

SCALE = os.environ.get("SCALE") or "quick"

MODULE = """
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.models.learner import ModelSpec, Sums


@dataclass(frozen=True)
class NearestMean(ModelSpec):
    opens: ClassVar[str] = "nearest_mean.Learner"
    reads: ClassVar[tuple[str, ...]] = ("vector", "image")

    shrink: Annotated[float, Bound(0, 1)]  # of each mean towards the mean of all classes


class Learner:
    def __init__(self, spec, task, seeds, devices, device):
        import torch

        self.spec, self.task = spec, task
        n_features = torch.Size(task.shape).numel()
        self.sums, self.n = torch.zeros(task.n_classes, n_features), torch.zeros(task.n_classes)

    def start(self, train, initial):
        pass

    def learn(self, batch, at):
        self.sums.index_add_(0, batch.y, batch.x.flatten(1))
        self.n += batch.y.bincount(minlength=self.task.n_classes)
        return Sums(correct=float((self.predict(batch.x).argmax(1) == batch.y).sum()))

    def measure(self, batch):
        return Sums(correct=float((self.predict(batch.x).argmax(1) == batch.y).sum()))

    def finalize(self, train, validation, record):
        return {}

    def predict(self, x):
        means = self.sums / self.n.clamp(min=1)[:, None]
        means = means + self.spec.shrink * (means.mean(0) - means)
        return 2 * x.flatten(1) @ means.T - (means**2).sum(1)  # -|x - mean|^2, less what all classes share

    def state_dict(self):
        return {"sums": self.sums, "n": self.n}

    def load_state_dict(self, state):
        self.sums, self.n = state["sums"].clone(), state["n"].clone()
"""

YAML = """
# @package _global_
# The nearest class mean
model:
  name: nearest_mean
  _target_: nearest_mean.NearestMean
  shrink: 0.0 # of each mean towards the mean of all classes
"""

Path("model").mkdir(exist_ok=True)
for file, text in {"nearest_mean.py": MODULE, "model/nearest_mean.yaml": YAML}.items():
    Path(file).write_text(text.lstrip())

# %% [markdown]
# A configuration cannot allow code: you do. After editing the file, run this cell again to load the new version.

# %%
nb.allow("nearest_mean.py")

# %% [markdown]
# The model runs on any data set that it can read, or that an encoder can convert, with all features of other runs.

# %%
run = nb.run("model=nearest_mean", "dataset=mnist", scale=SCALE)
run

# %%
events = nb.run("model=nearest_mean", "dataset=nmnist", scale=SCALE)
print(events)

# %% [markdown]
# A parameter outside its bounds is refused before anything is computed.

# %%
try:
    nb.run("model=nearest_mean", {"model.shrink": 2})
except nb.ConfigError as error:
    print(error)

# %% [markdown]
# The model is also available as a scikit-learn classifier.

# %%
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

X, y = load_digits(return_X_y=True)
search = GridSearchCV(nb.estimator("nearest_mean"), {"shrink": [0.0, 0.3, 0.6]}, cv=3).fit(X, y)
print(search.best_params_, f"{search.best_score_:.1%}")
