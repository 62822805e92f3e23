"""Configurations beyond the emulated chip's limits are refused by `validate`, before torch or data are touched."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from neurobench.cli.main import main
for line in sys.stdin.read().splitlines():
    try:
        code = main(["validate", "model=slayer_snn", *line.split()])
    except SystemExit as leaving:
        code = leaving.code
    print(code, sorted({"torch", "numba", "h5py"} & set(sys.modules)), file=sys.stderr)
    print("end", file=sys.stderr, flush=True)
"""
LIMITS = [
    ("model.current_decay=0", "model.current_decay=0 is 0/4096; this core's range from 1 to 4096"),
    ("model.voltage_decay=1", "model.voltage_decay=1 is 4096/4096; this core's range from 0 to 4095"),
    ("model.threshold=2048", "model.threshold=2048 is not in"),
    ("model.max_delay=63", "model.max_delay=63 is not in [0, 62]"),
    ("backend.core.neurons_per_core=8", "1034 neurons are needed; the chip has 128 cores of 8"),
    ("backend.core.synapses=1450000", "1451008 synapses are needed; the chip has room for 1450000"),
]
BOTH = "model.current_decay=0 model.voltage_decay=1"


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """Output of `validate` by command-line words, all from one process, which has not imported torch."""
    asked = [*(f"backend=mock {setting}" for setting, _ in LIMITS), f"backend=mock {BOTH}", f"backend=sim {BOTH}"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], input="\n".join(asked), capture_output=True, text=True, check=True
    )
    return dict(zip(asked, done.stderr.split("end\n")[:-1], strict=True))


@pytest.mark.parametrize(("setting", "sentence"), LIMITS)
def test_an_exceeded_limit_is_reported_without_importing_torch(
    setting: str, sentence: str, told: dict[str, str]
) -> None:
    words = told[f"backend=mock {setting}"]
    assert sentence in words
    assert words.splitlines()[-1] == "2 []"


def test_both_decay_limits_are_reported_at_once_and_the_simulation_has_neither(told: dict[str, str]) -> None:
    words = told[f"backend=mock {BOTH}"]
    assert "model.current_decay=0 is 0/4096" in words
    assert "model.voltage_decay=1 is 4096/4096" in words
    assert told[f"backend=sim {BOTH}"].splitlines()[-1] == "0 []"
