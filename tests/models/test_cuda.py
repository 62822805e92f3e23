"""Every model with code for CUDA learns there what it learns on the CPU, without a mix of devices. On a fake device:
see `tests.fake_cuda`."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from neurobench.data.dataset import Batch, Split
from neurobench.data.events import Events
from neurobench.experiment.plan import spawn
from neurobench.models.learner import Step, Task, TrainingRecord
from tests.fake_cuda import fake_cuda
from tests.specs import spec

N, CLASSES, STEPS = 16, 3, 2
SMALL = {"hidden": (6,), "length": 12.0, "delay": False, "max_delay": 0}
# name -> model, its layout, its device's field and file, settings
CASES: dict[str, tuple[str, str, Mapping[str, str], dict[str, Any]]] = {
    "mlp": ("mlp", "image", {}, {"hidden": 8}),
    "cnn": ("cnn", "image", {}, {}),
    "quantized_mlp": ("quantized_mlp", "image", {}, {}),
    "pixels_lr": ("pixels_lr", "image", {}, {}),
    "random_features": ("random_features", "image", {}, {"n_hidden": 5}),
    "qrbm": ("qrbm", "image", {"sampler": "sim"}, {"n_hidden": 5, "jitter": 1}),
    "qrbm, annealed and tuned": (
        "qrbm",
        "image",
        {"sampler": "mock"},
        {"n_hidden": 5, "negative": "device", "chains": 4, "fine_tune": 1, "features": "probability"},
    ),
    "hxtorch_mlp": ("hxtorch_mlp", "image", {"mac": "sim"}, {"hidden": 5}),
    "hxtorch_mlp, emulated": ("hxtorch_mlp", "image", {"mac": "mock"}, {"hidden": 5}),
    "hybrid_qcnn": ("hybrid_qcnn", "image", {"circuit": "sim"}, {"n_qubits": 2, "depth": 1}),
    "hybrid_qcnn, shots": (
        "hybrid_qcnn",
        "image",
        {"circuit": "sim"},
        {"n_qubits": 2, "depth": 1, "shots": 50, "gradient": "param_shift"},
    ),
    "hybrid_qcnn, emulated": ("hybrid_qcnn", "image", {"circuit": "mock"}, {"n_qubits": 2, "depth": 1}),
    "slayer_snn": ("slayer_snn", "events", {"core": "sim"}, SMALL),
    "slayer_snn, delays": (
        "slayer_snn",
        "events",
        {"core": "mock"},
        {**SMALL, "delay": True, "max_delay": 4, "loss": "max", "window": 4},
    ),
    "slayer_snn, convolutions": (
        "slayer_snn",
        "events",
        {"core": "sim"},
        {**SMALL, "convolutions": ("3c3", "2a"), "loss": "time"},
    ),
    "eprop_rsnn": ("eprop_rsnn", "events", {"learning_core": "sim"}, {"hidden": 6, "steps": 30, "window": 10}),
    "nir_graph": ("nir_graph", "events", {}, {"hidden": (6,), "length": 12.0}),
}


def samples(layout: str, task: Task) -> Any:
    draw = torch.Generator().manual_seed(0)
    if layout == "image":
        return torch.rand(N, *task.shape, generator=draw)
    n = 60  # events of a recording
    t = (12_000 * torch.rand(N, n, generator=draw)).int().sort(1).values.flatten()
    p, y, x = (torch.randint(0, side, (N * n,), generator=draw, dtype=torch.uint8) for side in task.shape)
    return Events(t, x, y, p, torch.arange(N + 1) * n, task.shape)  # type: ignore[arg-type]


def results(name: str, device: torch.device) -> list[float]:
    """Sums of two updates, of measuring, and the scores after a state was restored as from a checkpoint."""
    model, layout, wired, changes = CASES[name]
    task = Task(layout, (1, 28, 28) if layout == "image" else (2, 8, 8), CLASSES)  # type: ignore[arg-type]
    x, y = samples(layout, task), torch.arange(N) % CLASSES
    split = Split(x, y, torch.arange(N))
    devices = {key: spec(f"backend/{file}", key).open(0, device) for key, file in wired.items()}
    one, other = (spec(f"model/{model}", **changes).build(task, spawn(0), devices, device) for _ in range(2))
    one.start(split, None)
    found = []
    for k in range(STEPS):
        found += one.learn(Batch(x, y), Step(k, STEPS, k)).named().values()
    one.finalize(split, split, TrainingRecord())
    found += one.measure(Batch(x, y)).named().values()
    other.load_state_dict(on_cpu(one.state_dict()))
    scores, again = (each.predict(x).cpu() for each in (one, other))
    assert torch.equal(scores, again)
    return [*found, *scores.flatten().tolist()]


def on_cpu(state: Any) -> Any:
    """State as it is read from a checkpoint."""
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return [on_cpu(value) for value in state] if isinstance(state, list | tuple) else state


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_a_model_learns_on_cuda_what_it_learns_on_the_cpu_and_resumes_there(name: str) -> None:
    wanted = results(name, torch.device("cpu"))
    with fake_cuda() as device:
        found = results(name, device)
    assert found == pytest.approx(wanted, rel=1e-3, abs=5e-3)


def test_a_mix_of_devices_is_an_error_on_the_fake_device() -> None:
    with fake_cuda() as device:
        x = torch.ones(3).to(device)
        assert (x.device.type, x.sum().cpu().item()) == ("cuda", 3)
        for mixed in (
            lambda: x + torch.ones(3),
            lambda: torch.ones(3)[x.long()],
            lambda: torch.rand(3, generator=torch.Generator(), device=device),
        ):
            with pytest.raises(RuntimeError, match="cuda"):
                mixed()
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            x.numpy()
