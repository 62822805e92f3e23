"""Tests of options that SLURM would refuse: one sentence in its own words, before anything is planned."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps.sbatch import read_request
from tests.cli.conftest import Neurobench
from tests.sweeps.slurm_cluster import missing, slurm_cluster

installed = pytest.mark.skipif(
    bool(missing()), reason=f"SLURM is not installed (no {', '.join(missing())}): apt-get install slurm-wlm munge"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as env:
        yield env


@installed
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("partition=nope", "invalid partition specified: nope"),
        ("slurm_partition=nope", "invalid partition specified: nope"),
        ("mem_gb=9000", "Requested node configuration is not available"),
        ("gpus_per_node=1", "Invalid generic resource (gres) specification"),
        ("constraint=fast", "Invalid feature specification"),
        ("cpus_per_task=64", "Requested node configuration is not available"),
        ("timeout_min=abc", "--with timeout_min=abc is not an integer at least 1"),
        ("nodes=2", "--with nodes=2: a run takes one node and one task"),
        ("partitoin=test", "there is no such option. Did you mean partition?"),
        ("additional_parameters.nonsense=1", "unrecognized option"),
    ],
)
def test_options_that_slurm_would_refuse_are_refused_in_one_line_even_by_a_dry_run(
    option: str, sentence: str, cluster: dict[str, str], neurobench: Neurobench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in cluster.items():
        monkeypatch.setenv(key, value)
    words = ("sweep", "model=toy", "--launcher", "slurm", "--with", option, "--dry-run")
    told = neurobench(*words)
    assert told.returncode == 2
    assert sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1, told.stderr
    assert not Path("outputs").exists()


def test_without_slurm_the_available_launchers_are_named(
    neurobench: Neurobench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = neurobench("sweep", "model=toy", "--launcher", "slurm", "--dry-run")
    assert told.returncode == 2
    assert "this machine has no SLURM" in told.stderr
    assert "local" in told.stderr


def test_all_faults_of_slurm_options_are_reported_at_once() -> None:
    with pytest.raises(UserError, match=r"(?s)timeout_min=0.*mem_gb=much.*nodes=2"):
        read_request({"timeout_min": 0, "mem_gb": "much", "nodes": 2})


def test_slurm_options_are_translated_into_those_of_sbatch() -> None:
    """See `man sbatch`: --mem takes megabytes as M, --time minutes."""
    options = {"timeout_min": 120, "mem_gb": 1.5, "slurm_qos": "long", "gpus_per_node": 2, "exclusive": True}
    words = read_request({**options, "additional_parameters": {"mail_type": "END"}}).words(threads=3)
    expected = ["--time=120", "--cpus-per-task=3", "--signal=B:USR2@90", "--gpus-per-node=2", "--qos=long"]
    assert words == [*expected, "--mem=1536M", "--exclusive", "--mail-type=END"]


def test_options_come_from_a_launcher_config_file_unless_the_command_line_overrides_them(
    neurobench: Neurobench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("launcher: slurm\ntimeout_min: abc\nworkers: 2\n")
    assert "timeout_min=abc" in neurobench("sweep", "model=toy", "--launcher-config", str(site), "--dry-run").stderr
    words = ("sweep", "model=toy", "--launcher-config", str(site), "--launcher", "local", "--dry-run")
    assert neurobench(*words).returncode == 0
    site.write_text("- slurm\n")
    assert "write KEY: VALUE" in neurobench(*words).stderr
