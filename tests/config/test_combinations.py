"""Six models, three kinds of data, two backends: each combination is accepted as a user types it."""

from collections.abc import Iterator
from itertools import product

import pytest

from neurobench.config.compose import Composer, composer
from neurobench.experiment.plan import parse
from neurobench.models.learner import Task
from neurobench.models.qcnn.spec import HybridQCNN

MODELS = ("qrbm", "hxtorch_mlp", "slayer_snn", "eprop_rsnn", "hybrid_qcnn", "eventprop_snn")


@pytest.fixture(scope="module")
def compose() -> Iterator[Composer]:
    with composer() as compose_:
        yield compose_


@pytest.mark.parametrize(("model", "dataset"), list(product(MODELS, ("mnist", "nmnist", "yin_yang"))))
def test_each_of_six_models_accepts_each_data_set_on_backends_sim_and_mock(
    model: str, dataset: str, compose: Composer
) -> None:
    for backend in ("sim", "mock"):
        plan = parse(compose([f"model={model}", f"dataset={dataset}", f"backend={backend}"]))
        assert (plan.model_name, plan.dataset_name, plan.backend_name) == (model, dataset, backend)


@pytest.mark.parametrize(
    ("words", "classes", "expected"),
    [
        ([], 2, ("binary", ("sigmoid",), 1, 0, 0.004, "constant", 0.001)),
        ([], 3, ("linear", ("tanh", "mlp"), 8, 1, 0.008, "one_cycle", 0.0)),
        ([], 10, ("linear", ("tanh", "mlp"), 8, 1, 0.008, "one_cycle", 0.0)),
        (["model.head=linear"], 2, ("linear", ("tanh", "mlp"), 8, 1, 0.008, "one_cycle", 0.0)),
        (["model.head=tanh", "model.n_qubits=32"], 10, ("tanh", ("mlp",), 32, 0, 0.008, "one_cycle", 0.0)),
        (["model.head=sigmoid", "model.lr=0.1"], 2, ("sigmoid", (), 1, 0, 0.1, "constant", 0.001)),
    ],
)
def test_the_head_of_the_hybrid_network_follows_the_number_of_classes_unless_it_is_set(
    words: list[str], classes: int, expected: tuple, compose: Composer
) -> None:
    plan = parse(compose(["model=hybrid_qcnn", *words]))
    assert isinstance(plan.model, HybridQCNN)
    spec = plan.model.for_task(Task("image", (1, 28, 28), classes))
    names = ("head", "classical", "n_qubits", "depth", "lr", "schedule", "weight_decay")
    assert tuple(getattr(spec, name) for name in names) == expected
    assert spec.for_task(Task("image", (1, 28, 28), classes)) == spec, "nothing is left open"
