"""Every bad value of the spec is refused with its reason before anything is computed."""

from typing import Any

import pytest

from neurobench.config.bounds import BoundsError
from tests.models.hxtorch.conftest import TUTORIAL, phases
from tests.specs import spec


def changed(phase: str, **fields: Any) -> dict[str, Any]:
    return {"phases": {**TUTORIAL, phase: {**TUTORIAL[phase], **fields}}}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"shift": -1}, "shift=-1 is not in [0, 16]"),
        ({"shift": 0.5}, "shift=0.5 is not an integer"),
        ({"avg": 0}, "avg=0 is not in [1, 256]"),
        ({"hidden": 0}, "hidden=0 is not in [1, 100000]"),
        ({"num_sends": [0, 4]}, "num_sends=[0, 4] is not a list"),
        ({"num_sends": [1.5, 4]}, "num_sends=[1.5, 4] is not a list"),
        ({"num_sends": [20]}, "num_sends=[20] is not one entry for each of the 2 layers"),
        ({"passes": 0}, "passes=0 is not in [1, 1000]"),
        ({"phases": 3}, "phases=3 is not a section of phases"),
        ({"phases": {"host": 3}}, "phases.host=3 is not a section of keys"),
        (changed("host", lr=0.0), "phases.host.lr=0.0 is not in (0, 1000]"),
        (changed("host", gamma=1.5), "phases.host.gamma=1.5 is not in (0, 1]"),
        (changed("loop", steps=-1), "phases.loop.steps=-1 is not at least 0"),
        (changed("loop", where="chip"), "phases.loop.where='chip' is not one of host, device"),
        (changed("host", schedule="step"), "phases.host.schedule='step' is not one of exponential, cosine"),
        (changed("host", stepz=3), "phases.host.stepz: a phase has no such key. Did you mean steps?"),
        ({"phases": {"host": {"where": "host", "steps": 3}}}, "phases.host.lr is missing"),
        (changed("tuned", where="host"), "phases.tuned.where=host comes after phase loop"),
        ({"phases": {**TUTORIAL, "test": TUTORIAL["loop"]}}, "phases.test: test_accuracy has another meaning"),
        ({"phases": phases()}, "phases: no phase has steps"),
        ({"phases": phases(host=3), "init_from": "latest"}, "phases: no phase has steps on the device"),
        ({"init_from": "latest", "exact": True}, "init_from=latest continues a network on a device"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BoundsError) as caught:
        spec("model/hxtorch_mlp", **fields)
    assert sentence in str(caught.value)


def test_all_faults_of_settings_and_phases_are_reported_at_once() -> None:
    with pytest.raises(BoundsError) as caught:
        spec("model/hxtorch_mlp", num_sends=[0, 1], **changed("host", lr=-1.0, gamma=0.0))
    assert [field for field, _ in caught.value.faults] == ["num_sends", "phases.host.lr", "phases.host.gamma"]


def test_phases_without_steps_are_left_out_and_init_from_leaves_out_the_host() -> None:
    assert list(spec("model/hxtorch_mlp").plan) == ["host", "loop"]
    assert list(spec("model/hxtorch_mlp", init_from="latest").plan) == ["loop"]
