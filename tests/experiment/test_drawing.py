"""Each figure of each model gives the same files when it is rendered by a second process."""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from neurobench.experiment import execute as module
from neurobench.experiment.execute import execute
from neurobench.experiment.request import plan_of
from neurobench.figures import second_process as process_module
from neurobench.figures.drawing import Drawing
from neurobench.figures.second_process import PROGRAM, Files, Renderer, second_process
from neurobench.figures.style import files_of

MODELS = ("slayer_snn", "eprop_rsnn", "qrbm", "hxtorch_mlp", "hybrid_qcnn", "eventprop_snn")


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    """A second process at the priority of the tests: on busy cores its own would take a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process_module, "PROGRAM", f"import os; del os.nice; {PROGRAM}")
        with second_process(True) as started:
            assert started is not None
            yield started


@pytest.mark.parametrize("model", MODELS)
def test_figures_rendered_by_a_second_process_are_bit_identical(
    model: str, renderer: Renderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = {}

    def both(
        figures: Iterable[tuple[str, Figure | bytes | Drawing]], vector: str, _: object
    ) -> Iterator[tuple[str, Files]]:
        for name, figure in list(figures):
            if isinstance(figure, bytes):
                continue
            there = renderer.submit(pickle.loads(pickle.dumps(figure)), vector).result().files
            same[name] = there == (here := files_of(figure, vector))
            yield name, here

    monkeypatch.setattr(module, "rendered_files", both)
    few = ("scale=smoke", "scale.train=40", "scale.test=20")
    words = [f"model={model}", "backend=mock", *few, f"outputs={tmp_path}"]
    execute(plan_of(words, None)[0], Console(quiet=True))
    assert len(same) > 2
    assert same == dict.fromkeys(same, True)
