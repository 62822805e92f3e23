"""Live views show what is computed, and watching a run changes no bit of it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from neurobench import live
from neurobench.experiment.views import class_map, job_table, live_views
from neurobench.live import ClassMap, Job, JobMonitor, View
from neurobench.problems.rbm import RBM, energy
from tests.models.hxtorch.conftest import learner, linear, phases, train, yin_yang
from tests.specs import spec

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSE", 0.0)


@pytest.fixture
def rbm() -> RBM:
    draw = torch.Generator().manual_seed(1)
    return RBM(*(torch.randn(*size, generator=draw) for size in [(9, 6), (9,), (6,)]))


def test_without_a_watcher_nothing_is_computed_for_live_views() -> None:
    def never() -> float:
        raise AssertionError("nobody looks")

    monitor = JobMonitor(10, 5)
    monitor.at(0, 1, never)
    monitor.at(10, 5, never)
    assert not live.wanted()


@pytest.mark.parametrize("backend", ["mock", "sim", "sim_annealer"])
def test_a_watched_sampler_returns_the_same_reads_and_reports_the_progress_of_its_job(backend: str, rbm: RBM) -> None:
    sampler = spec(f"backend/{backend}", "sampler").open(0, CPU)
    unseen = sampler.sample_rbm(rbm, 120, seed=3)
    jobs: list[View] = []
    with live.watching(jobs.append):
        seen = sampler.sample_rbm(rbm, 120, seed=3)
    assert torch.equal(seen.v, unseen.v)
    assert torch.equal(seen.h, unseen.h)
    assert len(jobs) > 1
    ends = [job for job in jobs if isinstance(job, Job)]
    assert [job.done for job in ends] == sorted(job.done for job in ends)
    assert (ends[-1].chips, ends[-1].done, ends[-1].step) == (120, 120, ends[-1].steps)
    assert [job.best for job in ends] == [min(job.energy for job in ends[: k + 1]) for k in range(len(ends))]
    assert ends[-1].best <= float(energy(rbm, seen.v, seen.h).min()) + 1e-4  # the best of all states shown


def test_the_emulated_dynex_shows_50_chips_at_a_time_and_ends_at_its_first_reads_energy(rbm: RBM) -> None:
    sampler = spec("backend/mock", "sampler").open(0, CPU)
    jobs: list[Any] = []
    with live.watching(jobs.append):
        reads = sampler.sample_rbm(rbm, 1120, seed=3)
    assert [job.done for job in jobs] == [*range(50, 1001, 50), 1050, 1100, 1120]
    assert jobs[-1].best == pytest.approx(float(energy(rbm, reads.v, reads.h)[0]), abs=1e-4)


@pytest.mark.parametrize("grid", [0, 16])
def test_a_watched_network_learns_the_same_weights_and_shows_its_class_map(grid: int) -> None:
    made, watched = (learner(seed=1, phases=phases(host=2, loop=1), grid=grid) for _ in range(2))
    data, maps = yin_yang(60), []
    train(made, data, 3)
    with live.watching(maps.append):
        train(watched, data, 3)
    for ours, theirs in zip(watched.net.parameters(), made.net.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    on_device = "on the device" if grid else "on the host's model"
    assert [view.title for view in maps] == [
        "update 0, on the host's model", "update 1, on the host's model", f"update 2, {on_device}",
    ]  # fmt: skip
    assert np.array(maps[0].probabilities).shape == (16, 16, 3)
    np.testing.assert_allclose(np.array(maps[0].probabilities).sum(2), 1, rtol=1e-5)


def test_evaluating_a_grid_with_each_batch_does_not_change_what_is_learned() -> None:
    """Without noise, the products of a row depend on that row alone."""
    ends = []
    for grid in (0, 4):
        made = learner(linear(noise_std=0.0), seed=2, phases=phases(host=4), grid=grid)
        record = train(made, yin_yang(80), 4)
        ends.append((made.net.parameters(), record.updates))
    assert ends[0][1] == ends[1][1]
    for ours, theirs in zip(ends[0][0], ends[1][0], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)  # sums of other shapes are rounded differently


def test_a_terminal_shows_the_tutorials_job_table_and_class_map() -> None:
    paper = Console(file=io.StringIO(), width=100, force_terminal=True, color_system="truecolor")
    with live_views(paper):
        live.publish(Job(7, 0.8, 100_000, 1_408, 200, 200, -3.0, -3.0914))
        live.publish(ClassMap("update 3", [[[1.0, 0.0, 0.0]] * 2, [[0.0, 0.0, 1.0]] * 2]))
    assert not live.watched()
    text = paper.file.getvalue()  # type: ignore[attr-defined]
    for word in (
        "JOB",
        "CHIPS",
        "STEPS",
        "ENERGY",
        "BEST SO FAR",
        "100,000",
        "1,408",
        "200/200",
        "-3.0914",
        "update 3",
    ):
        assert word in text


def test_a_class_map_has_the_colours_of_the_classes_and_y_pointing_up() -> None:
    first, *others = class_map(ClassMap("t", [[[1.0, 0, 0]] * 2, [[0, 0, 1.0]] * 2])).spans
    assert not others or {str(span.style) for span in others} >= {str(others[0].style)}
    styles = [span.style for span in (first, *others)]
    top, bottom = styles[0], styles[-1]
    assert top.color.triplet == (255, 165, 0)  # type: ignore[union-attr]  # orange, the class of the dots, on top
    assert bottom.bgcolor.triplet == (0, 0, 0)  # type: ignore[union-attr]


def test_there_are_no_live_views_if_output_goes_to_a_file_or_is_quiet() -> None:
    for console in (Console(file=io.StringIO()), Console(quiet=True)):
        with live_views(console):
            assert not live.watched()
    assert job_table(Job(1, 0, 1, 1, 1, 1, 0, 0)).row_count == 1
