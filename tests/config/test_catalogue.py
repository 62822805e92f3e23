"""Promises of the catalogue: it names the same faults of each combination as `run`."""

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


def test_the_matrix_contains_every_combination_once(cells: list[Cell]) -> None:
    there = catalogue()
    assert [(cell.model, cell.dataset, cell.backend) for cell in cells] == list(
        product(there["model"], there["dataset"], there["backend"])
    )


def test_a_cell_has_the_faults_of_the_configuration_that_hydra_composes(compose: Composer, cells: list[Cell]) -> None:
    faults = {(cell.model, cell.dataset, cell.backend): cell.faults for cell in cells}
    alone_of = {model: OmegaConf.to_container(compose([f"model={model}"])) for model in catalogue()["model"]}
    there = catalogue()
    # Each file takes part at least once, so that keys that it sets outside its own section are noticed.
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


def test_a_model_chooses_its_default_data_set_unless_the_command_line_does(compose: Composer) -> None:
    assert compose(["model=qrbm"]).dataset.name == "mnist"
    assert compose(["model=toy"]).dataset.name == "yin_yang"
    assert compose(["model=toy", "dataset=mnist"]).dataset.name == "mnist"
    assert compose(["dataset=mnist", "model=toy"]).dataset.name == "mnist"


@pytest.mark.parametrize("model", catalogue()["model"])
def test_every_model_is_valid_without_further_overrides(model: str, compose: Composer) -> None:
    assert faults_of(compose([f"model={model}"])) == []


def test_a_fault_in_a_file_is_named_in_each_of_its_cells(compose: Composer) -> None:
    """A data set and a device with an unknown key, a model with a value out of range, a data set that names an
    environment variable which is not set; other cells are not affected."""
    bad = {"dataset=mnist": "dataset.no_key", "backend=sim_tabu": "backend.sampler.no_key", "model=qrbm": "model.lr"}

    def spoiled(overrides: Sequence[str]) -> DictConfig:
        config = compose(overrides)
        OmegaConf.set_struct(config, False)
        for group, places in (("dataset", config.get("all_dataset")), ("backend", config.get("all_backend"))):
            for values in (places or {}).values():
                if values.name == "mnist" and group == "dataset":
                    values.no_key = 1
                if values.name == "yin_yang":
                    values.r_big = "${oc.env:NOT_SET}"
                if values.name == "sim_tabu" and group == "backend":
                    values.sampler.no_key = 1
        if "model=qrbm" in overrides:
            config.model.lr = -1.0
        return config

    for cell in matrix(spoiled, catalogue()):
        told = " ".join(cell.faults)
        assert ("NOT_SET" in told) == (cell.dataset == "yin_yang"), cell
        if cell.dataset == "yin_yang":  # without its section the others cannot be checked
            continue
        assert (bad["dataset=mnist"] in told) == (cell.dataset == "mnist"), cell
        assert (bad["model=qrbm"] in told) == (cell.model == "qrbm"), cell
        if cell.backend == "sim_tabu" and cell.model == "qrbm":
            assert bad["backend=sim_tabu"] in told
