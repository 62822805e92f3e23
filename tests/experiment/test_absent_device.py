"""A run on a vendor's device is read and exported where the vendor's package is not installed."""

from pathlib import Path

import pytest
import yaml

import neurobench as nb
from neurobench.config.errors import BAD_USAGE, FINE
from neurobench.devices.circuit import vendor_specs
from tests.cli.conftest import Neurobench, neurobench  # noqa: F401  (a fixture)
from tests.specs import CONF

SHOTS = ["model.shots=100", "model.gradient=param_shift"]
MISSING = "backend.circuit.device=statevector needs qiskit, which is not installed"


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, stored as one on Qiskit's simulator, on a machine without Qiskit."""
    run = nb.run("model=hybrid_qcnn", *SHOTS, "scale=smoke", outputs=str(tmp_path / "outputs"), progress=False)
    backend = yaml.safe_load((CONF / "backend/qiskit.yaml").read_text())
    (run.path / "config.yaml").write_text(yaml.safe_dump({**run.config, "backend": {"name": "qiskit", **backend}}))
    monkeypatch.setattr(vendor_specs, "is_installed", lambda module: False)
    return run.path


def test_its_model_is_read_and_exported_without_the_package(
    neurobench: Neurobench,  # noqa: F811
    stored: Path,
    tmp_path: Path,
) -> None:
    assert nb.load(stored).plan.devices["circuit"].device == "statevector"  # type: ignore[attr-defined]
    done = neurobench("export", str(stored), "--format", "qasm3", "--to", str(tmp_path / "circuit.qasm"))
    assert done.returncode == FINE, done.stderr
    assert (tmp_path / "circuit.qasm").read_text().startswith("OPENQASM 3.0;")


def test_what_needs_the_device_names_the_package(neurobench: Neurobench, stored: Path) -> None:  # noqa: F811
    for words in (["show", str(stored), "--predict", "3"], ["rerun", str(stored)], ["validate", *_again()]):
        done = neurobench(*words)
        assert done.returncode == BAD_USAGE
        assert MISSING in done.stderr
    assert len(list(stored.parent.iterdir())) == 1


def _again() -> list[str]:
    return ["model=hybrid_qcnn", "backend=qiskit", *SHOTS]
