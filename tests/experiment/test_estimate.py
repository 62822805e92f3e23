"""What a run would ask of its device is what it then asks."""

from pathlib import Path

import pytest
from rich.console import Console

from neurobench.config.compose import composer
from neurobench.experiment.estimate import estimate
from neurobench.experiment.execute import execute
from neurobench.experiment.plan import parse
from neurobench.models.common import readout

QRBM = ["model=qrbm", "scale=smoke", "threads=1", "model.negative=device", "model.downsample=4", "model.n_hidden=8"]


def test_a_device_that_is_asked_now_and_then_is_counted_so(tmp_path: Path) -> None:
    """36 updates of 10 images, every eighth of which asks: 0, 8, 16, 24, 32."""
    words = ["scale.train=360", "training.batch_size=10", "model.device_every=8"]
    with composer() as compose:
        plan = parse(compose([*QRBM, *words, f"outputs={tmp_path}"]))
    expected = estimate(plan).phases["training"]["sampler"]
    assert expected["calls"] == 5
    result = execute(plan, Console(quiet=True)).result()
    assert result is not None
    assert result["device_costs"]["sampler"]["calls"] == 5


def test_a_rehearsal_fits_no_readout_to_all_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three updates that takes longer than the run itself."""
    sizes = []
    fit = readout.fit

    def counted(f, *args, **kwargs):  # type: ignore[no-untyped-def]
        sizes.append(len(f))
        return fit(f, *args, **kwargs)

    monkeypatch.setattr(readout, "fit", counted)
    with composer() as compose:
        plan = parse(compose([*QRBM, "scale.train=null", "model.device_every=8"]))
    assert estimate(plan).phases["training"]["sampler"]["calls"] > 0
    assert 0 < max(sizes) <= 2000  # a thousand, and those held out
