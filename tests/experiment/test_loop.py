"""Promises of the training loop over epochs."""

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from neurobench.config.errors import UserError
from neurobench.config.schema import Training
from neurobench.data.dataset import Batch, Split
from neurobench.experiment import loop as loop_module
from neurobench.experiment.loop import Interrupted, Loop, epoch_order
from neurobench.experiment.plan import spawn
from neurobench.models.learner import Divergence, Initial, Step, Sums
from neurobench.storage.folder import RunFolder
from tests.toy import Softmax, blobs

PLAN = Training(epochs=3, batch_size=8, shuffle=True, monitor="validation_loss", patience=None, checkpoint_every=1e9)
EMPTY = blobs(4).head(0)


class Silent:
    """A meter that shows nothing and only records its calls."""

    def __init__(self) -> None:
        self.closed = False

    def begin(self, epochs: int, per_epoch: int, done_epochs: int, done_batches: int) -> None:
        self.begun = (epochs, per_epoch, done_epochs, done_batches)

    def batch(self, samples: int, sums: Mapping[str, float], seconds: float) -> None:
        pass

    def epoch(self, row: Mapping[str, Any]) -> None:
        pass

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "toy", "0" * 12, "")


def train(learner: Softmax, folder: RunFolder, plan: Training = PLAN, validation: Split = EMPTY, **more: Any) -> Loop:
    loop = Loop(learner, blobs(21), validation, plan, 5, folder, Silent(), **more)
    loop.run()
    return loop


def figures(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in row if key not in ("seconds", "elapsed", "samples_per_s")} for row in rows]


def test_every_sample_is_learned_once_per_epoch_including_those_of_the_short_last_batch(folder: RunFolder) -> None:
    seen: list[list[float]] = []

    class Watching(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            seen.append(batch.x[:, 0].tolist())
            return super().learn(batch, at)

    train(Watching(), folder)
    assert [len(batch) for batch in seen] == [8, 8, 5] * 3
    for epoch in range(3):
        learned = sorted(value for batch in seen[3 * epoch : 3 * epoch + 3] for value in batch)
        assert learned == sorted(blobs(21).x[:, 0].tolist())


def test_metrics_of_an_epoch_are_means_over_samples_not_over_batches(folder: RunFolder) -> None:
    frozen = Softmax(lr=0.0)
    frozen.W = torch.tensor([[-1.0, 1.0], [0.3, 0.0]])
    place = train(frozen, folder)
    data = blobs(21)
    log_p = torch.log_softmax(data.x @ frozen.W, 1)
    by_hand = -log_p[torch.arange(21), data.y].mean().item()
    assert place.record.epochs[0]["train_loss"] == pytest.approx(by_hand, rel=1e-5)
    assert place.record.epochs[0]["train_accuracy"] == int((log_p.argmax(1) == data.y).sum()) / 21


def test_a_trace_of_long_epochs_has_a_point_every_few_updates_and_one_at_the_end(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "TRACE", 2)
    place = train(Softmax(), folder, replace(PLAN, batch_size=5, epochs=2))
    assert [point["epoch"] for point in place.record.trace] == pytest.approx([0.4, 0.8, 1, 1.4, 1.8, 2])


def test_seconds_count_learning_only_and_elapsed_also_counts_measuring(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]

    class Timed(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            clock[0] += 0.123123
            return super().learn(batch, at)

        def measure(self, batch: Batch) -> Sums:
            clock[0] += 10
            return super().measure(batch)

    monkeypatch.setattr(loop_module, "working_time", lambda: clock[0])
    place = train(Timed(), folder, replace(PLAN, epochs=2), validation=blobs(4))
    rows = [(row["seconds"], row["elapsed"], row["samples_per_s"]) for row in place.record.epochs]
    assert rows == [(0.3694, 10.3694, 56.9), (0.3694, 20.7387, 56.9)], "21 samples in three updates"
    assert place.position.seconds == pytest.approx(6 * 0.123123)


def test_checkpoints_within_an_epoch_are_saved_after_checkpoint_every_seconds(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, saved = [100.0], []

    class Timed(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            clock[0] += 5
            return super().learn(batch, at)

    monkeypatch.setattr(loop_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(folder, "save_checkpoint", lambda state: saved.append(state["position"]["batch"]))
    train(Timed(), folder, replace(PLAN, batch_size=3, epochs=1, checkpoint_every=10))
    assert saved == [3, 6, 0], "of seven batches: after 15 s, after 30, and at the end of the epoch"


def test_points_of_the_trace_average_to_the_mean_of_the_epoch(folder: RunFolder) -> None:
    place = train(Softmax(), folder)
    assert [point["epoch"] for point in place.record.trace[:3]] == pytest.approx([1 / 3, 2 / 3, 1])
    for epoch, row in enumerate(place.record.epochs):
        parts = [point["loss"] for point in place.record.trace[3 * epoch : 3 * epoch + 3]]
        assert (8 * parts[0] + 8 * parts[1] + 5 * parts[2]) / 21 == pytest.approx(row["train_loss"])


def test_steps_are_numbered_from_0_to_n_minus_1_over_all_epochs(folder: RunFolder) -> None:
    steps: list[Step] = []

    class Watching(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            steps.append(at)
            return super().learn(batch, at)

    train(Watching(), folder)
    assert [step.k for step in steps] == list(range(9))
    assert {step.n for step in steps} == {9}
    assert [step.epoch for step in steps] == [0] * 3 + [1] * 3 + [2] * 3


def test_the_sample_order_is_a_permutation_that_changes_with_epoch_and_seed() -> None:
    orders = [epoch_order(50, seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert all(order.sort().values.tolist() == list(range(50)) for order in orders)
    assert len({tuple(order.tolist()) for order in orders}) == 4
    assert torch.equal(epoch_order(50, 1, 1), orders[1])


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_learner_that_changes_its_batch_in_place_does_not_change_the_training_data(
    folder: RunFolder, shuffle: bool
) -> None:
    data = blobs(21)
    before = data.x.clone()

    class InPlace(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            batch.x.mul_(0.5)
            batch.y.zero_()
            return super().learn(batch, at)

    Loop(InPlace(), data, EMPTY, replace(PLAN, shuffle=shuffle), 5, folder, Silent()).run()
    assert torch.equal(data.x, before)
    assert torch.equal(data.y, blobs(21).y)


def test_without_shuffle_samples_are_learned_in_the_order_of_the_split(folder: RunFolder) -> None:
    seen: list[float] = []

    class Watching(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            seen.extend(batch.x[:, 0].tolist())
            return super().learn(batch, at)

    train(Watching(), folder, replace(PLAN, shuffle=False, epochs=1))
    assert seen == blobs(21).x[:, 0].tolist()


@pytest.mark.parametrize("stop_after", range(1, 9))
def test_ctrl_c_finishes_the_update_and_a_resumed_run_ends_like_an_undisturbed_one(
    stop_after: int, tmp_path: Path
) -> None:
    class Pressed(Softmax):
        """Ctrl-C arrives in the middle of update number `stop_after`."""

        def learn(self, batch: Batch, at: Step) -> Sums:
            if at.k + 1 == stop_after:
                os.kill(os.getpid(), signal.SIGINT)
            return super().learn(batch, at)

    undisturbed = Softmax()
    whole = train(undisturbed, RunFolder.create(tmp_path, "whole", "0" * 12, ""))
    folder = RunFolder.create(tmp_path, "stopped", "0" * 12, "")
    with pytest.raises(Interrupted):
        train(Pressed(), folder)
    resumed = Softmax()
    place = train(resumed, folder)
    assert resumed.started == 0
    assert torch.equal(resumed.W, undisturbed.W)
    assert figures(place.record.epochs) == figures(whole.record.epochs)
    assert figures(folder.metrics()) == figures(whole.record.epochs)


def test_ctrl_c_while_the_last_epoch_is_measured_interrupts_the_run(folder: RunFolder) -> None:
    class Pressed(Softmax):
        def measure(self, batch: Batch) -> Sums:
            os.kill(os.getpid(), signal.SIGINT)
            return super().measure(batch)

    with pytest.raises(Interrupted, match="after the last epoch"):
        train(Pressed(), folder, replace(PLAN, epochs=1), validation=blobs(4))
    resumed = Softmax()
    assert len(train(resumed, folder, replace(PLAN, epochs=1), validation=blobs(4)).record.epochs) == 1
    assert resumed.started == 0


def test_a_signal_that_the_process_ignores_does_not_stop_the_run(
    folder: RunFolder,
) -> None:
    """`nohup neurobench run ...` goes on after the terminal has been closed."""

    class Closed(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            os.kill(os.getpid(), signal.SIGHUP)
            return super().learn(batch, at)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert len(train(Closed(), folder, replace(PLAN, epochs=1)).record.epochs) == 1
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_record_has_the_means_of_every_update_and_requested_snapshots_also_if_resumed(tmp_path: Path) -> None:
    class Keeping(Softmax):
        def snapshot(self, label: str) -> torch.Tensor:
            return self.W.clone()

    def ends(at: Step) -> list[str]:
        return [f"epoch/{at.epoch}"] if at.ends_epoch else []

    whole = train(Keeping(), RunFolder.create(tmp_path, "whole", "0" * 12, ""), snapshots=ends)
    assert [len(values) for values in whole.record.updates.values()] == [9, 9]
    first = whole.record.updates["loss"][:3]
    assert (8 * first[0] + 8 * first[1] + 5 * first[2]) / 21 == pytest.approx(whole.record.epochs[0]["train_loss"])
    assert list(whole.record.snapshots) == ["epoch/0", "epoch/1", "epoch/2"]
    folder = RunFolder.create(tmp_path, "resumed", "0" * 12, "")
    train(Keeping(), folder, replace(PLAN, epochs=2), snapshots=ends)
    resumed = train(Keeping(), folder, snapshots=ends)
    assert resumed.record.updates == whole.record.updates
    for label, weights in whole.record.snapshots.items():
        assert torch.equal(resumed.record.snapshots[label], weights), label


def test_a_fresh_run_receives_its_initial_state_and_a_resumed_one_does_not(folder: RunFolder) -> None:
    class Handed(Softmax):
        def start(self, train: Split, initial: Initial | None) -> None:
            handed.append(initial)

    handed: list[Initial | None] = []
    initial = Initial("first", Path("first"), {"W": torch.ones(2, 2)})
    train(Handed(), folder, replace(PLAN, epochs=1), initial=initial)
    train(Handed(), folder, initial=initial)
    assert handed == [initial]


def test_a_checkpoint_of_another_version_is_refused_with_a_remedy(folder: RunFolder) -> None:
    folder.save_checkpoint({"position": {}, "learner": {}, "best": None})
    with pytest.raises(UserError, match="another version of neurobench.*without --resume"):
        train(Softmax(), folder)


def test_the_signal_handler_is_restored_after_training(folder: RunFolder) -> None:
    before = signal.getsignal(signal.SIGINT)
    train(Softmax(), folder)
    assert signal.getsignal(signal.SIGINT) is before


def test_metrics_rows_written_after_the_last_checkpoint_are_dropped_on_resume(folder: RunFolder) -> None:
    train(Softmax(), folder, replace(PLAN, epochs=2))
    folder.append_metrics({"epoch": 3, "train_loss": 99.0})
    train(Softmax(), folder)
    assert [row["epoch"] for row in folder.metrics()] == [1, 2, 3]
    assert folder.metrics()[2]["train_loss"] < 1


def test_early_stopping_restores_the_state_of_the_best_epoch(folder: RunFolder) -> None:
    losses = iter([5.0, 3.0, 4.0, 3.5, 1.0])

    class Scripted(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            self.W = torch.full((2, 2), float(at.epoch + 1))
            return Sums(1.0)

        def measure(self, batch: Batch) -> Sums:
            return Sums(next(losses) * len(batch.y))

    learner = Scripted()
    plan = replace(PLAN, epochs=5, patience=2)
    place = train(learner, folder, plan, validation=blobs(4))
    assert [row["validation_loss"] for row in place.record.epochs] == [5.0, 3.0, 4.0, 3.5]
    assert place.position.best_epoch == 2
    assert learner.W[0, 0] == 2.0


def test_a_state_that_is_also_the_best_is_stored_once_and_stays_the_best_when_training_is_resumed(
    folder: RunFolder,
) -> None:
    losses = iter([1.0, 2.0])

    class Adopting(Softmax):
        """A learner that keeps the memory of a state that it loads, and trains in it."""

        def learn(self, batch: Batch, at: Step) -> Sums:
            self.W += 1
            return Sums(1.0)

        def measure(self, batch: Batch) -> Sums:
            return Sums(next(losses) * len(batch.y))

        def load_state_dict(self, state: Mapping[str, Any]) -> None:
            self.W = state["W"]

    plan = replace(PLAN, epochs=1, keep_best=True)
    train(Adopting(), folder, plan, validation=blobs(4))
    stored = folder.load_checkpoint()
    assert stored is not None
    assert stored["learner"]["W"].data_ptr() == stored["best"]["W"].data_ptr()
    learner = Adopting()
    place = train(learner, folder, replace(plan, epochs=2), validation=blobs(4))
    assert place.best is not None
    assert torch.equal(place.best["W"], stored["best"]["W"])
    assert torch.equal(learner.W, stored["best"]["W"] + 3)


def test_a_monitored_accuracy_improves_only_if_it_increases(folder: RunFolder) -> None:
    rights = iter([1.0, 2.0, 3.0, 3.0, 2.0])

    class Scripted(Softmax):
        def measure(self, batch: Batch) -> Sums:
            return Sums(0.0, next(rights))

    plan = replace(PLAN, epochs=9, patience=2, monitor="validation_accuracy")
    place = train(Scripted(), folder, plan, validation=blobs(4)).position
    assert (place.best_epoch, place.epoch) == (3, 5), "as good as the best is no improvement"


@pytest.mark.parametrize(("monitor", "goal"), [("validation_accuracy", 0.5), ("validation_loss", 3.0)])
def test_training_stops_after_the_epoch_that_reaches_the_goal_with_its_state(
    folder: RunFolder, monitor: str, goal: float
) -> None:
    """4 samples: 2 of them right is an accuracy of 0.5."""
    measured = iter([(5.0, 1.0), (4.0, 0.0), (3.0, 2.0), (1.0, 4.0)])

    class Scripted(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            self.W = torch.full((2, 2), float(at.epoch + 1))
            return Sums(1.0)

        def measure(self, batch: Batch) -> Sums:
            loss, right = next(measured)
            return Sums(loss * len(batch.y), right)

    learner = Scripted()
    place = train(learner, folder, replace(PLAN, epochs=4, monitor=monitor, goal=goal), validation=blobs(4))
    assert place.position.stopped
    assert place.best is None, "no state was to be gone back to"
    assert len(place.record.epochs) == 3
    assert learner.W[0, 0] == 3.0


def test_monitoring_an_unknown_metric_is_refused_with_the_known_ones(folder: RunFolder) -> None:
    with pytest.raises(UserError, match=r"validation_f1.*train_loss"):
        train(Softmax(), folder, replace(PLAN, patience=1, monitor="validation_f1"), validation=blobs(4))


def test_keeping_the_best_by_an_unknown_metric_is_refused_with_the_known_ones(folder: RunFolder) -> None:
    plan = replace(PLAN, keep_best=True, monitor="validation_acuracy")
    with pytest.raises(UserError, match=r"validation_acuracy is not a figure of an epoch; available: .*train_accuracy"):
        train(Softmax(), folder, plan, validation=blobs(6))


@pytest.mark.parametrize("stop", [{"patience": 1}, {"goal": 0.9}])
def test_stopping_by_a_validation_metric_without_validation_samples_is_refused(folder: RunFolder, stop: Any) -> None:
    with pytest.raises(UserError, match=r"validation_loss decides when to stop.*\(dataset.validation; of an estim"):
        train(Softmax(), folder, replace(PLAN, **stop))


def test_a_loss_that_is_not_finite_stops_the_run_and_the_update_is_named(folder: RunFolder) -> None:
    class Exploding(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            return Sums(float("nan") if at.k == 4 else 1.0)

    with pytest.raises(Divergence, match=r"diverged at update 4: loss is nan.*smaller learning rate"):
        train(Exploding(), folder)


def test_a_loss_that_is_not_finite_after_an_epoch_stops_the_run_and_the_epoch_is_named(folder: RunFolder) -> None:
    class Exploded(Softmax):
        def measure(self, batch: Batch) -> Sums:
            return Sums(float("inf"))

    with pytest.raises(Divergence, match=r"diverged in epoch 1: validation_loss is inf.*smaller learning rate"):
        train(Exploded(), folder, validation=blobs(4))
    assert folder.metrics() == []


def test_the_meter_is_closed_even_if_training_fails(folder: RunFolder) -> None:
    class Broken(Softmax):
        def learn(self, batch: Batch, at: Step) -> Sums:
            raise RuntimeError

    meter = Silent()
    with pytest.raises(RuntimeError):
        Loop(Broken(), blobs(21), EMPTY, PLAN, 5, folder, meter).run()
    assert meter.closed


def test_spawned_seeds_differ_by_purpose_and_are_equal_for_the_same_root_seed() -> None:
    seeds = spawn(0)
    assert len({seeds.data, seeds.init, seeds.training, seeds.device}) == 4
    assert spawn(0) == seeds != spawn(1)
    assert all(0 <= seed < 2**63 for seed in (seeds.data, seeds.init, seeds.training, seeds.device))
