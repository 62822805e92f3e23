"""Options of launchers reach them as they are written, or are refused: none is altered or ignored silently."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps import local, ray_cluster
from neurobench.sweeps.job import Task
from neurobench.sweeps.launch import Settings
from neurobench.sweeps.launcher_config import merged, read_launcher_config, read_options
from neurobench.sweeps.outcome import Batch
from neurobench.sweeps.sbatch import read_request
from tests.cli.conftest import Neurobench, neurobench  # noqa: F401  (a fixture)
from tests.sweeps.test_ray_visibility import StandIn

TEXTS = {"begin": "16:00", "account": "0123", "qos": "2024_01", "reservation": "2024-01-31", "comment": "0x1f"}


def test_times_dates_and_leading_zeros_reach_sbatch_as_written_on_the_command_line_and_in_a_file(
    tmp_path: Path,
) -> None:
    """YAML 1.1 reads 16:00 as 960, 0123 as 83, and 2024_01 as 202401."""
    site = tmp_path / "site.yaml"
    site.write_text("".join(f"{key}: {value}\n" for key, value in TEXTS.items()))
    assert read_options([f"{key}={value}" for key, value in TEXTS.items()]) == TEXTS
    assert read_launcher_config(site).options == TEXTS
    assert "--begin=16:00" in read_request(TEXTS).words(1)
    assert read_options(["mem_gb=1.50", "memory=4e9", "nice=-5"]) == {"mem_gb": 1.5, "memory": 4e9, "nice": "-5"}


def test_texts_that_yaml_would_change_or_refuse_reach_sbatch_as_written(tmp_path: Path) -> None:
    scalars = {"account": "1.10", "qos": "12e4", "partition": "no"}
    texts = {**scalars, "constraint": "[rack1|rack2]", "comment": "run #3: a", "mail_user": "@me"}
    assert read_options([f"{key}={value}" for key, value in texts.items()]) == texts
    assert read_options(["constraint='[rack1]'", "slurm_qos=no"]) == {"constraint": "[rack1]", "slurm_qos": "no"}
    site = tmp_path / "site.yaml"
    site.write_text("".join(f"{key}: {value}\n" for key, value in scalars.items()))
    assert read_launcher_config(site).options == scalars


def test_further_options_of_sbatch_may_be_yes_or_no_and_false_unsets_one_of_a_file(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("additional_parameters: {hold: true, kill_on_invalid_dep: yes, contiguous: true}\n")
    typed = ["additional_parameters.hold=false", "additional_parameters.get_user_env=no"]
    words = read_request(merged(read_launcher_config(site).options, read_options(typed))).words(1)
    assert {"--kill-on-invalid-dep=yes", "--contiguous", "--get-user-env=no"} <= set(words)
    assert not any("hold" in word for word in words)


def test_no_gpu_is_requested_for_cuda_if_the_request_says_zero() -> None:
    """Such as on a cluster whose nodes have GPUs that SLURM does not allocate."""
    assert not any("gpu" in word for word in read_request({"gpus_per_node": 0}).with_gpu().words(1))
    assert "--gpus-per-node=2" in read_request({"gpus_per_node": 2}).with_gpu().words(1)


def test_a_file_of_options_is_read_as_utf_8_whatever_the_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, read = tmp_path / "site.yaml", Path.read_text
    site.write_text("comment: für Müller\n", "utf-8")
    monkeypatch.setattr(Path, "read_text", lambda path, encoding="latin-1", errors=None: read(path, encoding, errors))
    assert read_launcher_config(site).options == {"comment": "für Müller"}


def test_further_options_of_a_file_may_be_dotted_and_are_merged_with_those_of_the_command_line(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("launcher: slurm\npartition: long\nadditional_parameters.hold: true\n")
    options = merged(read_launcher_config(site).options, read_options(["additional_parameters.deadline=now"]))
    words = read_request(options).words(1)
    assert {"--partition=long", "--hold", "--deadline=now"} <= set(words)
    with pytest.raises(UserError, match="additional_parameters is given both with and without a further key"):
        read_options(["additional_parameters=hold", "additional_parameters.x=1"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"additional_parameters": {"output": "my.log"}}, "output: a sweep needs this option of sbatch for itself"),
        ({"additional_parameters": {"job_name": "mine"}}, "job_name: a sweep needs this option"),
        ({"additional_parameters": {"no_requeue": True}}, "no_requeue: a sweep needs this option"),
        ({"additional_parameters": {"clusters": "b"}}, "clusters: a sweep needs this option"),
        ({"additional_parameters": {"comment": None}}, "comment=None is not a word"),
        ({"exclusive": ["user"]}, "exclusive=.'user'. is not a word"),
        ({"clusters": "b"}, "clusters: there is no such option"),
        ({"partition.x": "long"}, "partition.x: there is no such option"),
        ({"setup": None}, "setup=None is not a shell line or a list of them"),
        ({"setup": ["true", {"a": 1}]}, "is not a shell line or a list of them"),
        ({"python": None}, "python=None is not a command"),
    ],
)
def test_slurm_options_that_would_have_no_effect_or_hide_the_tasks_are_refused(
    options: Mapping[str, Any], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        read_request(options)


@pytest.mark.parametrize("options", [{"partition": "gpu"}, {"account": "gpu-lab"}, {"mem_per_gpu": "8G"}])
def test_a_slurm_request_for_cuda_includes_one_gpu_also_if_a_name_contains_gpu(options: dict[str, str]) -> None:
    assert "--gpus-per-node=1" in read_request(options).with_gpu().words(1)


def test_options_of_the_local_launcher_are_refused_unless_they_are_another_launchers_in_a_file(
    neurobench: Neurobench,  # noqa: F811
    tmp_path: Path,
) -> None:
    sweep = ("sweep", "model=toy", "--dry-run")
    told = neurobench(*sweep, "--with", "partition=long", "timeout_min=120", "--with", "qos=high")
    assert told.returncode == 2
    assert "partition, timeout_min, qos: the launcher local has no options" in told.stderr, "also if given twice"
    site = tmp_path / "site.yaml"
    site.write_text("partition: long\n")
    assert neurobench(*sweep, "--launcher-config", str(site)).returncode == 2
    site.write_text("launcher: slurm\npartition: long\n")
    assert neurobench(*sweep, "--launcher-config", str(site), "--launcher", "local").returncode == 0
    told = neurobench(*sweep, "--with", "setup=[a")
    assert "--with setup=[a: the value is not valid YAML" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"resources": "gpu"}, "resources=gpu: write resources.NAME=NUMBER"),
        ({"resources": {"tpu": "two"}}, "resources.tpu=two is not a number at least 0"),
        ({"num_cpus": -1}, "num_cpus=-1 is not a number at least 0"),
        ({"max_retries": "many"}, "max_retries=many is not an integer"),
    ],
)
def test_invalid_options_of_ray_are_refused(
    options: Mapping[str, Any], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", StandIn("a", ""))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=sentence):
        Settings("ray", options=options)


def test_an_accelerator_that_no_node_has_is_refused_instead_of_being_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", StandIn("a", ""))  # type: ignore[arg-type]
    batch = Batch(None, 1, print, {"accelerator_type": "V100"})
    with pytest.raises(UserError, match="no node has CPU 1, accelerator_type:V100 0.001; there is CPU 1, GPU 0"):
        list(ray_cluster.ray([Task(0, {}, (), "", "/sweep")], batch))


def test_a_ray_cluster_started_here_has_room_for_workers_and_an_invalid_address_is_reported_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Starting(StandIn):
        started: tuple[int, ...] = ()

        def is_initialized(self) -> bool:
            return False

        def init(self, num_cpus: int = 0, address: str = "", **_: Any) -> None:
            if address:
                raise ValueError(f"Invalid address format: {address}")
            self.started = (num_cpus,)

        def nodes(self) -> list[dict[str, Any]]:
            return [{"NodeID": "a", "Alive": True, "Resources": {"CPU": float(self.started[0])}}]

    monkeypatch.setitem(sys.modules, "ray", Starting("a", ""))  # type: ignore[arg-type]
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    tasks = [Task(0, {}, (), "", "/sweep")]
    assert len(list(ray_cluster.ray(tasks, Batch(1, 1, print, {"num_cpus": 2})))) == 1
    monkeypatch.setenv("RAY_ADDRESS", "foo")
    with pytest.raises(UserError, match="launcher ray: RAY_ADDRESS=foo: Invalid address format: foo"):
        list(ray_cluster.ray(tasks, Batch(1, 1, print)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"mem_gb": 4},
            "mem_gb: this has no effect on one machine; submitit-local takes timeout_min, gpus_per_node, setup",
        ),
        ({"slurm_partition": "long"}, "--with slurm_partition: this has no effect"),
    ],
)
def test_options_that_submitit_would_ignore_on_this_machine_are_refused(
    options: Mapping[str, Any], sentence: str
) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(UserError, match=sentence):
        Settings("submitit-local", options=options)


def test_a_malformed_option_of_submitit_is_reported_in_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    tasks = [Task(0, {}, (), "", str(tmp_path))]
    with pytest.raises(UserError, match=r"--with: .*timeout_min.* expected type .*int"):
        list(local.submitit_local(tasks, Batch(1, 1, print, {"timeout_min": 0.5})))


def test_submitit_local_runs_as_many_jobs_at_once_as_workers_or_else_cores_allow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Submitit is replaced by a stand-in whose jobs take a moment each."""
    most, under_way = [0], list[float]()

    class Executor:
        def __init__(self, **_: Any):
            pass

        def update_parameters(self, **_: Any) -> None:
            pass

        def submit(self, function: Any, task: Task) -> SimpleNamespace:
            end = time.monotonic() + 0.01
            under_way.append(end)
            most[0] = max(most[0], sum(each > time.monotonic() for each in under_way))
            return SimpleNamespace(
                job_id=task.number, done=lambda: time.monotonic() > end, exception=lambda: None, result=dict
            )

    monkeypatch.setattr(local, "import_extra", lambda *_: SimpleNamespace(AutoExecutor=Executor))
    monkeypatch.setattr(local, "cores", lambda: 4)
    tasks = [Task(number, {}, (), "", str(tmp_path)) for number in range(6)]
    for workers, threads, expected in ((None, 2, 2), (3, 1, 3)):
        most[0] = 0
        assert len(list(local.submitit_local(tasks, Batch(workers, threads, print)))) == 6
        assert most[0] == expected
