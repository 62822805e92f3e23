"""Tests of `neurobench list chips`."""

import json

import pytest

from neurobench.cli.main import main
from neurobench.devices.circuit.chips import chips


def test_every_chip_is_listed_with_its_date_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "chips"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["chip", "processor", "snapshot"]
    assert [line.split()[0] for line in lines[: len(chips())]] == list(chips())
    fez = next(line for line in lines if line.startswith("fez"))
    assert fez.split()[1:6] == ["IBM", "Heron", "r2", "2025-02-26", "156"]
    assert "0.38 / 0.21" in fez  # the spec's median pair error is 3.82e-3
    assert "a lower bound" in lines[-2]
    assert lines[-1] == "neurobench run model=hybrid_qcnn backend=mock backend.circuit.chip=boston"


def test_chips_are_listed_as_json_and_by_part_of_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "chips", "bris", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["name"], entry["vendor"], entry["date"], entry["qubits"]) == ("brisbane", "IBM", "2025-02-26", 127)
    assert entry["pair_error"]["median"] == pytest.approx(7.68e-3, rel=2e-3)
    assert main(["list", "chips", "nowhere"]) == 0
    assert capsys.readouterr().out == "no chip has 'nowhere' in its name: neurobench list chips shows all\n"
