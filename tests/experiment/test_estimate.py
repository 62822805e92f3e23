"""The estimate of a run's device usage matches the run."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from neurobench.config.compose import composer
from neurobench.experiment import estimate as seam
from neurobench.experiment.estimate import Estimate, estimate, lines
from neurobench.experiment.execute import execute
from neurobench.experiment.plan import parse
from neurobench.models.common import readout

QRBM = ["model=qrbm", "scale=smoke", "threads=1", "model.negative=device", "model.downsample=4", "model.n_hidden=8"]


def test_estimated_calls_match_the_run_if_only_every_eighth_update_uses_the_device(tmp_path: Path) -> None:
    """36 updates of 10 images, every eighth of which uses the device: 0, 8, 16, 24, 32."""
    words = ["scale.train=360", "training.batch_size=10", "model.device_every=8"]
    with composer() as compose:
        plan = parse(compose([*QRBM, *words, f"outputs={tmp_path}"]))
    expected = estimate(plan).phases["training"]["sampler"]
    assert expected["calls"] == 5
    result = execute(plan, Console(quiet=True)).result()
    assert result is not None
    assert result["device_costs"]["sampler"]["calls"] == 5


def test_a_request_that_starts_training_is_estimated_once_however_many_updates_follow() -> None:
    """The tutorial's QRBM: one call before the first of 20 updates, and none after it."""
    words = ["experiment=dynex_qrbm", "scale=smoke", "training.batch_size=10", "model.num_reads=7"]
    with composer() as compose:
        plan = parse(compose(words))
    costs = estimate(plan).phases["training"]["sampler"]
    assert (costs["calls"], costs["reads"]) == (1, 7)


def test_smaller_last_batches_of_epochs_are_estimated_with_their_size() -> None:
    """A read for each sample, in batches of 64, 64, 64 and 8."""
    with composer() as compose:
        plan = parse(compose([*QRBM, "model.negative=cd", "training.batch_size=64", "training.epochs=1"]))
    costs = estimate(plan).phases["training"]["sampler"]
    assert (costs["calls"], costs["reads"]) == (4, 200)


def test_the_device_is_estimated_to_be_used_in_the_phases_that_train_on_it_alone() -> None:
    """The tutorial's perceptron: 201 updates on the host's model, 16 on the chip, two layers each."""
    words = ["model=hxtorch_mlp", "backend=mock", "scale=smoke", "scale.train=434", "training.batch_size=2"]
    with composer() as compose:
        plan = parse(compose(words))
    costs = estimate(plan).phases["training"]["mac"]
    assert (costs["calls"], costs["vectors"]) == (2 * 16, 2 * 16 * 2)


def test_the_rehearsal_of_an_estimate_fits_readouts_to_at_most_2000_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three updates, a fit to all samples takes longer than the run itself."""
    sizes = []
    fit = readout.fit

    def counted(f, *args, **kwargs):  # type: ignore[no-untyped-def]
        sizes.append(len(f))
        return fit(f, *args, **kwargs)

    monkeypatch.setattr(readout, "fit", counted)
    with composer() as compose:
        plan = parse(compose([*QRBM, "scale.train=null", "model.device_every=8"]))
    assert estimate(plan).phases["training"]["sampler"]["calls"] > 0
    assert 0 < max(sizes) <= 2000  # a thousand for training, and a thousand held out


def test_an_estimate_includes_the_predictions_of_every_batch_of_every_test_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A perceptron with two layers on an analog array: a vector of each for each sample of both test sets, in two calls
    for each batch. Of 30 samples, batches of 20 and of 10."""
    load = seam.load_splits
    monkeypatch.setattr(seam, "load_splits", lambda plan: replace(made := load(plan), others={"more": made.test}))
    monkeypatch.setattr(seam, "BATCH", 20)
    with composer() as compose:
        plan = parse(compose(["model=hxtorch_mlp", "scale=smoke", "scale.test=30"]))
    costs = estimate(plan).phases["test"]["mac"]
    assert (costs["calls"], costs["vectors"]) == (2 * 2 * 2, 2 * 2 * 30)


def test_a_dry_run_names_devices_without_counted_calls_such_as_spiking_cores() -> None:
    assert lines(Estimate({}, {"core": "nothing"}), {}) == ["all        core: no counted calls"]
    assert lines(Estimate({}, {}), {}) == ["this run uses no device"]
