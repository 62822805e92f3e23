"""Promises of the overview: it says of each combination what `run` would say."""

from collections.abc import Sequence
from itertools import product

import pytest
from omegaconf import DictConfig, OmegaConf

from neurobench.config.compose import Composer, composer
from neurobench.experiment.catalogue import Cell, catalogue, matrix
from neurobench.experiment.plan import faults_of


@pytest.fixture(scope="module")
def compose() -> Composer:  # type: ignore[misc]
    with composer() as compose_:
        yield compose_


@pytest.fixture(scope="module")
def cells(compose: Composer) -> list[Cell]:
    return matrix(compose, catalogue())


def test_every_combination_is_there_once(cells: list[Cell]) -> None:
    there = catalogue()
    assert [(cell.model, cell.dataset, cell.backend) for cell in cells] == list(
        product(there["model"], there["dataset"], there["backend"])
    )


def test_a_cell_is_judged_as_hydra_would_compose_it(compose: Composer, cells: list[Cell]) -> None:
    faults = {(cell.model, cell.dataset, cell.backend): cell.faults for cell in cells}
    alone_of = {model: OmegaConf.to_container(compose([f"model={model}"])) for model in catalogue()["model"]}
    there = catalogue()
    # Each file takes part at least once: what it may write outside its own section is seen by then.
    picked = [(model, "yin_yang", "sim") for model in there["model"]]
    picked += [("qrbm", dataset, "sim") for dataset in there["dataset"]]
    picked += [("qrbm", "mnist", backend) for backend in there["backend"]]
    for model, dataset, backend in picked:
        config = compose([f"model={model}", f"dataset={dataset}", f"backend={backend}"])
        assert faults[model, dataset, backend] == tuple(faults_of(config))
        alone, together = alone_of[model], OmegaConf.to_container(config)
        assert isinstance(alone, dict)
        assert isinstance(together, dict)
        assert {key: alone[key] for key in alone if key not in ("dataset", "backend")} == {
            key: together[key] for key in together if key not in ("dataset", "backend")
        }


def test_a_model_alone_brings_its_own_data_set_and_the_command_line_wins(compose: Composer) -> None:
    assert compose(["model=qrbm"]).dataset.name == "mnist"
    assert compose(["model=toy"]).dataset.name == "yin_yang"
    assert compose(["model=toy", "dataset=mnist"]).dataset.name == "mnist"
    assert compose(["dataset=mnist", "model=toy"]).dataset.name == "mnist"


@pytest.mark.parametrize("model", catalogue()["model"])
def test_a_model_runs_alone(model: str, compose: Composer) -> None:
    assert faults_of(compose([f"model={model}"])) == []


def test_a_section_with_a_fault_is_told_in_each_of_its_cells(compose: Composer) -> None:
    """A data set, a device and a model whose files came with a value out of range; the others are not held up."""
    bad = {"dataset=mnist": "dataset.no_key", "backend=sim_tabu": "backend.sampler.no_key", "model=qrbm": "model.lr"}

    def spoiled(overrides: Sequence[str]) -> DictConfig:
        config = compose(overrides)
        OmegaConf.set_struct(config, False)
        for group, places in (("dataset", config.get("all_dataset")), ("backend", config.get("all_backend"))):
            for values in (places or {}).values():
                if values.name == "mnist" and group == "dataset":
                    values.no_key = 1
                if values.name == "sim_tabu" and group == "backend":
                    values.sampler.no_key = 1
        if "model=qrbm" in overrides:
            config.model.lr = -1.0
        return config

    for cell in matrix(spoiled, catalogue()):
        told = " ".join(cell.faults)
        assert (bad["dataset=mnist"] in told) == (cell.dataset == "mnist"), cell
        assert (bad["model=qrbm"] in told) == (cell.model == "qrbm"), cell
        if cell.backend == "sim_tabu" and cell.model == "qrbm":
            assert bad["backend=sim_tabu"] in told
