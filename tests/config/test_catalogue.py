"""Promises of the overview: it says of each combination what `run` would say."""

from itertools import product

import pytest
from omegaconf import OmegaConf

from neurobench.config.catalogue import catalogue, matrix
from neurobench.config.check import check
from neurobench.config.compose import Composer, composer


@pytest.fixture(scope="module")
def compose() -> Composer:  # type: ignore[misc]
    with composer() as compose_:
        yield compose_


def test_every_combination_is_there_once(compose: Composer) -> None:
    there = catalogue()
    cells = [(cell.model, cell.dataset, cell.backend) for cell in matrix(compose)]
    assert cells == list(product(there["model"], there["dataset"], there["backend"]))


def test_a_cell_is_judged_as_hydra_would_compose_it(compose: Composer) -> None:
    cells = {(cell.model, cell.dataset, cell.backend): cell.faults for cell in matrix(compose)}
    there = catalogue()
    # Each model with each data set on one backend, and each backend once: what a file may write is seen by then.
    picked = [(m, d, "sim") for m in there["model"] for d in there["dataset"]]
    picked += [("qrbm", "mnist", b) for b in there["backend"]]
    for model, dataset, backend in picked:
        config = compose([f"model={model}", f"dataset={dataset}", f"backend={backend}"])
        assert cells[model, dataset, backend] == tuple(check(config))
        put_together = compose([f"model={model}"])
        put_together.dataset = compose([f"dataset={dataset}"]).dataset
        put_together.backend = compose([f"backend={backend}"]).backend
        assert OmegaConf.to_container(put_together) == OmegaConf.to_container(config)


def test_a_model_alone_brings_its_own_data_set_and_the_command_line_wins(compose: Composer) -> None:
    assert compose(["model=qrbm"]).dataset.name == "mnist"
    assert compose(["model=toy"]).dataset.name == "yin_yang"
    assert compose(["model=toy", "dataset=mnist"]).dataset.name == "mnist"
    assert compose(["dataset=mnist", "model=toy"]).dataset.name == "mnist"


@pytest.mark.parametrize("model", catalogue()["model"])
def test_a_model_runs_alone(model: str, compose: Composer) -> None:
    assert check(compose([f"model={model}"])) == []
