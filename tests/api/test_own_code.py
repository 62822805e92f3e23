"""Promise of `allow`: a notebook runs custom code, and its new text after an edit, also in sweeps and estimators."""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

import neurobench as nb
from neurobench.config import targets

CODE = """
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neurobench.config.bounds import Bound
from neurobench.models.learner import ModelSpec, Sums


@dataclass(frozen=True)
class Constant(ModelSpec):
    opens: ClassVar[str] = "constant_answer.Learner"
    reads: ClassVar[tuple[str, ...]] = ("vector",)

    bias: Annotated[float, Bound(0)]


class Learner:
    ANSWER = 0

    def __init__(self, spec, task, seeds, devices, device):
        self.task = task

    def start(self, train, initial): ...

    def learn(self, batch, at):
        return Sums()

    def measure(self, batch):
        return Sums()

    def finalize(self, train, validation, record):
        return {"answer": self.ANSWER}

    def predict(self, x):
        import torch

        return torch.eye(self.task.n_classes)[[self.ANSWER] * len(x)]

    def state_dict(self):
        return {}

    def load_state_dict(self, state): ...
"""
YAML = """
# @package _global_
model:
  name: constant
  _target_: constant_answer.Constant
  bias: 0.0
"""


@pytest.fixture
def own(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File of a custom model whose name is free, with its YAML file next to it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(targets, "ALLOWED", targets.ALLOWED)
    monkeypatch.setenv(targets.ALLOW, "")
    monkeypatch.delitem(sys.modules, "constant_answer", raising=False)
    (here / "model").mkdir()
    (here / "model" / "constant.yaml").write_text(YAML.lstrip())
    file = here / "constant_answer.py"
    monkeypatch.setitem(targets.PLUGIN_FILES, "constant_answer", file)  # removed again at the end
    return file


def test_an_estimator_has_the_defaults_of_a_yaml_file_that_was_edited_since_the_last_one(own: Path) -> None:
    own.write_text(CODE.lstrip())
    nb.allow(own)
    for text, bias in ((YAML, 0.0), (YAML.replace("0.0", "0.25"), 0.25)):
        (own.parent / "model" / "constant.yaml").write_text(text.lstrip())
        made = nb.estimator("constant")
        assert made.bias == bias
        assert made.fit([[0.0], [1.0]], ["a", "b"]).plan_.model.bias == bias


def test_processes_of_scikit_learn_are_started_anew_after_code_was_allowed(own: Path) -> None:
    own.write_text(CODE.lstrip())
    before = get_reusable_executor(max_workers=1).submit(os.getpid).result()
    nb.allow(own)
    executor = get_reusable_executor(max_workers=1)
    assert executor.submit(os.getpid).result() != before
    assert str(own) in executor.submit(os.environ.get, targets.ALLOW).result()


def test_a_key_of_a_custom_model_that_every_estimator_has_is_refused(own: Path) -> None:
    own.write_text(CODE.lstrip().replace("bias", "validation"))
    (own.parent / "model" / "constant.yaml").write_text(YAML.lstrip().replace("bias", "validation"))
    nb.allow(own)
    with pytest.raises(nb.ConfigError, match="model.validation: every estimator has a parameter validation; rename"):
        nb.estimator("constant")


def test_allowed_custom_code_runs_and_after_an_edit_its_new_text_runs(own: Path) -> None:
    words = ("model=constant", "dataset=yin_yang", "scale=smoke")
    with pytest.raises(nb.UserError, match=r"plugin .*constant_answer\.py: there is no such Python file"):
        nb.allow(own)
    runs = []
    for answer, half in ((0, 0), (1, 2)):  # both files are edited
        text = f"from half_answer import HALF\n\n    ANSWER = HALF + {answer - half}"
        own.write_text(CODE.lstrip().replace("ANSWER = 0", text))
        own.with_name("half_answer.py").write_text(f"HALF = {half}")
        nb.allow(own)
        runs.append(nb.run(*words, progress=False))
        assert runs[-1].metrics["answer"] == answer
        assert f"--plugin={own}" in runs[-1].folder.record()["command"]
        (swept,) = nb.sweep(*words, seed=[1], workers=1, progress=False)
        assert swept.metrics["answer"] == answer
        assert nb.estimator("constant").fit([[0.0], [1.0]], ["a", "b"]).predict([[0.5]]) == ["ab"[answer]]
    with pytest.warns(UserWarning, match="constant_answer, half_answer have changed since .* was made"):
        runs[0].predict(np.zeros((1, 4)))
    with warnings.catch_warnings(action="error"):
        runs[1].predict(np.zeros((1, 4)))
