"""A node of a Ray cluster that cannot see the sweep's folder is reported once, gets no jobs and loses none; a result
that this machine cannot see is not counted. Ray is replaced by a stand-in here: without privileges, no folder of this
machine can be hidden from another of its processes."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neurobench.config.errors import UserError
from neurobench.sweeps import outcome, ray_cluster
from neurobench.sweeps.job import Task, work
from neurobench.sweeps.outcome import Batch


class StandIn:
    """Stand-in for Ray with the given nodes; the `blind` ones cannot see the sweep. Jobs go to the nodes in turn."""

    def __init__(self, names: str, blind: str):
        self.names, self.blind, self.given = names, blind, 0
        self.exceptions = SimpleNamespace(RayError=RuntimeError)

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": True, "Resources": {"CPU": 1.0}} for name in self.names]

    def remote(self, **options: Any) -> Any:
        return lambda function: SimpleNamespace(remote=self.submit, options=self.on)

    def submit(self, task: Task, here: str) -> tuple[str, int]:
        self.given += 1
        return self.names[self.given % len(self.names)], task.number

    def on(self, scheduling_strategy: Any) -> Any:
        return SimpleNamespace(remote=lambda task, here: (scheduling_strategy.node_id, task.number))

    def wait(self, running: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        return running[:1], running[1:]

    def get(self, reference: tuple[str, int]) -> dict[str, Any]:
        node, number = reference
        if node in self.blind:
            return {"status": "unseen", "node": node, "host": f"host-{node}", "error": "it cannot access /sweep"}
        return {"status": "failed", "node": node, "number": number}


def run(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> tuple[list[dict[str, Any]], list[str]]:
    affinity = SimpleNamespace(NodeAffinitySchedulingStrategy=lambda node, soft: SimpleNamespace(node_id=node))
    monkeypatch.setitem(sys.modules, "ray", stand_in)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray.util", SimpleNamespace())  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray.util.scheduling_strategies", affinity)  # type: ignore[arg-type]
    said: list[str] = []
    tasks = [Task(number, {}, (), "", "/sweep") for number in range(6)]
    reports = [report for _, report in ray_cluster.ray(tasks, Batch(None, 1, said.append))]
    return reports, said


def test_a_node_that_cannot_see_the_sweep_is_reported_once_and_loses_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    reports, said = run(StandIn("ab", blind="b"), monkeypatch)
    assert sorted(report["number"] for report in reports) == list(range(6))
    assert {report["node"] for report in reports} == {"a"}
    assert said == ["host-b gets none of the jobs: it cannot access /sweep"]


def test_a_sweep_ends_with_an_error_if_no_node_can_see_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="no node of the cluster can run the jobs: it cannot access /sweep"):
        run(StandIn("ab", blind="ab"), monkeypatch)


def test_a_worker_reports_a_folder_that_its_node_cannot_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = SimpleNamespace(get_node_id=lambda: "n1")
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get_runtime_context=lambda: context))  # type: ignore[arg-type]
    report = ray_cluster.run_remotely(Task(0, {}, (), "", f"{tmp_path}/none"), str(tmp_path))
    assert (report["status"], report["node"]) == ("unseen", "n1")
    assert f"cannot access {tmp_path}/none" in report["error"]


def test_a_result_that_this_machine_cannot_see_counts_as_lost(tmp_path: Path) -> None:
    report = {"status": "finished", "folder": f"{tmp_path}/toy/1", "host": "n1"}
    told = outcome.awaited(report, seconds=0)
    assert told["status"] == "lost"
    assert told["error"].startswith("finished, but this machine cannot access its result: n1")
    (tmp_path / "toy" / "1").mkdir(parents=True)
    (tmp_path / "toy" / "1" / "result.json").touch()
    assert outcome.awaited(report, seconds=0) == report


def test_a_job_that_requests_more_than_any_node_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", StandIn("a", ""))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no node has CPU 1, GPU 2; there is CPU 1, GPU 0"):
        list(ray_cluster.ray([Task(0, {}, (), "", "/sweep")], Batch(None, 1, print, {"num_gpus": 2})))


def test_jobs_that_have_not_begun_do_not_start_after_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook, whose process does not end with the sweep."""

    class Interrupted(StandIn):
        def wait(self, running: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "ray", Interrupted("a", ""))  # type: ignore[arg-type]
    task = Task(0, {}, (), "", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        list(ray_cluster.ray([task], Batch(None, 1, print)))
    assert work(task)["status"] == "left alone"
