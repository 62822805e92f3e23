"""One run per GPU: workers of a sweep take different GPUs, and CUDA_VISIBLE_DEVICES determines the available ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurobench.sweeps import job
from neurobench.sweeps.gpus import visible_gpus
from neurobench.sweeps.sbatch import read_request

TAKE = """
import sys
from neurobench.sweeps.gpus import take_gpu
import os
take_gpu(int(sys.argv[1]), ("0", "GPU-5ebe9f43"))
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("variable", "gpus"),
    [(None, ("0", "1", "10")), ("2,3", ("2", "3")), ("GPU-5ebe9f43", ("GPU-5ebe9f43",)), ("", ()), ("1,-1,2", ("1",))],
)
def test_cuda_visible_devices_determines_the_available_gpus(
    variable: str | None, gpus: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA's programming guide defines the variable as numbers or UUIDs, up to the first that is no GPU."""
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if variable is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert visible_gpus(tmp_path) == gpus


def test_workers_take_different_gpus_and_one_that_ends_releases_its_gpu() -> None:
    def worker() -> tuple[subprocess.Popen, str]:
        words = [sys.executable, "-c", TAKE, str(os.getpid())]
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        return child, child.stdout.readline().strip()

    (first, gpu_1), (second, gpu_2) = worker(), worker()
    assert {gpu_1, gpu_2} == {"0", "GPU-5ebe9f43"}
    first.communicate("")
    third, gpu_3 = worker()
    assert gpu_3 == gpu_1
    for child in (second, third):
        child.communicate("")


def test_a_slurm_request_for_cuda_includes_one_gpu_unless_gpus_are_requested_already() -> None:
    assert "--gpus-per-node=1" in read_request({}).with_gpu().words(1)
    assert "--gpus-per-node=2" in read_request({"gpus_per_node": 2}).with_gpu().words(1)
    assert read_request({"gres": "gpu:a100:1"}).with_gpu().flags == {"gres": "gpu:a100:1"}


SERVE = """
import os, sys
from neurobench.sweeps import job
from neurobench.sweeps.gpus import take_gpu

take_gpu(os.getpid(), sys.argv[1:])
job.work = lambda task: {"status": "finished"}
for environment in ({"CUDA_VISIBLE_DEVICES": "7", "OMP_NUM_THREADS": "9", "OF_ONE": "x"}, {"OF_ANOTHER": "y"}):
    job.work_locally(None, os.getcwd(), environment)
print(*(f"{name}={value}" for name, value in sorted(os.environ.items())))
"""


@pytest.mark.parametrize(("gpus", "visible"), [([], ""), (["3"], "CUDA_VISIBLE_DEVICES=3 ")])
def test_a_worker_keeps_its_threads_and_its_gpu_for_the_next_sweep_and_no_other_variables(
    gpus: list[str], visible: str
) -> None:
    env = {"PYTHONPATH": str(Path(job.__file__).parents[2]), "OMP_NUM_THREADS": "1", "NEUROBENCH_ALLOW": ""}
    words = [sys.executable, "-c", SERVE, *gpus]
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == f"{visible}NEUROBENCH_ALLOW= OF_ANOTHER=y OMP_NUM_THREADS=1"
