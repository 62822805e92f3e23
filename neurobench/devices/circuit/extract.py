"""Calibrations of real processors from their vendors' packages: `python -m neurobench.devices.circuit.extract`.

Writes chips.json.gz next to this module. Each package is read if it is installed; chips of the others are left
unchanged, since the packages may have conflicting dependencies:

- qiskit-ibm-runtime: snapshots of IBM's processors (`fake_provider/backends/*/props_*.json`), each with a date.
  FakeNighthawk is left out: its own warning says that its values are not typical
- cirq-google: the calibration of Google's Willow (willow_pink), and its specification for gate times. A Pauli
  error e is an average infidelity of 2/3 e for one qubit and 4/5 e for two; that of cz was measured in parallel, with
  the pulses of its cycle. 1/T2 = 1/(2 T1) + 1/Tphi, Tphi from the incoherent error of a pulse, as in
  `cirq_google.engine.calibration_to_noise_properties`
- iqm-client[qiskit]: the fake backend of IQM's Garnet, which gives depolarizing parameters with relaxation, and no
  date. FakeApollo is left out: "ballpark numbers"

All three are under the Apache License 2.0 (see NOTICE). Values are rounded to six digits.
"""

from __future__ import annotations

import gzip
import json
import math
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("chips.json.gz")
IBM = {
    "boston": "Heron r3",
    "pittsburgh": "Heron r3",
    "aachen": "Heron r3",
    "kingston": "Heron r2",
    "marrakesh": "Heron r2",
    "fez": "Heron r2",
    "torino": "Heron r1",
    "miami": "Nighthawk r1",
    "berlin": "Nighthawk r1",
    "brisbane": "Eagle r3",
    "sherbrooke": "Eagle r3",
    "strasbourg": "Eagle r3",
}
WILLOW = "cirq_google/devices/{}/willow_pink_d7v1-2024_08_16_{}"
QUBIT = ("error", "time", "p1_given_0", "p0_given_1", "time_readout", "t1", "t2")  # ns; t1, t2 in us
UNITS = {"T1": "us", "T2": "us", "gate_length": "ns", "readout_length": "ns"}
Plain = dict[str, Any]


def ibm(package: Distribution) -> list[Plain]:
    """IBM's chips. Missing values of a qubit are None; errors of 1 mark broken parts, and are retained."""
    return [_ibm_chip(package, name, processor) for name, processor in IBM.items()]


def _ibm_chip(package: Distribution, name: str, processor: str) -> Plain:
    path = f"qiskit_ibm_runtime/fake_provider/backends/{name}/props_{name}.json"
    snapshot = json.loads(Path(str(package.locate_file(path))).read_text())
    gates = {(gate["gate"], *gate["qubits"]): _values(gate["parameters"]) for gate in snapshot["gates"]}
    entangler = "ecr" if processor.startswith("Eagle") else "cz"
    qubits = [
        _qubit(
            gates[("sx", number)]["gate_error"],
            gates[("sx", number)]["gate_length"],
            *(values.get(key) for key in ("prob_meas1_prep0", "prob_meas0_prep1", "readout_length", "T1", "T2")),
        )
        for number, values in enumerate(map(_values, snapshot["qubits"]))
    ]
    pairs: dict[tuple[int, int], list[float]] = {}
    for (gate, *wires), values in gates.items():
        if gate == entangler and (wires[1], wires[0]) not in pairs:  # cz is listed twice, with the same values
            pairs[(wires[0], wires[1])] = [values["gate_error"], values["gate_length"]]
    return {
        "name": name,
        "vendor": "IBM",
        "processor": processor,
        "date": snapshot["last_update_date"][:10],
        "source": f"qiskit-ibm-runtime {package.version}",
        "entangler": entangler,
        "pulses": 2,
        "qubits": qubits,
        "pairs": _pairs(pairs),
    }


def _values(parameters: list[Plain]) -> Plain:
    """Values by name. Raises ValueError if a unit has changed."""
    for entry in parameters:
        if entry["name"] in UNITS and entry["unit"] != UNITS[entry["name"]]:
            raise ValueError(f"{entry['name']} is in {entry['unit']}, and not in {UNITS[entry['name']]}")
    return {entry["name"]: entry["value"] for entry in parameters}


def google(package: Distribution) -> list[Plain]:
    calibration = Path(str(package.locate_file(WILLOW.format("calibrations", "calibration.json"))))
    specification = Path(
        str(package.locate_file(WILLOW.format("specifications", "device_spec_for_grid_device.proto.txt")))
    )
    tables: dict[str, dict[tuple[str, ...], float]] = {}
    for entry in json.loads(calibration.read_text())["metrics"]["metrics"]:
        tables.setdefault(entry["name"], {})[tuple(entry["targets"])] = entry["values"][0]["doubleVal"]
    picos = {
        gate: int(time) for time, gate in re.findall(r"gate_duration_picos: (\d+)\s+(\w+) {", specification.read_text())
    }
    time, time_cz, time_readout = (picos[gate] / 1000 for gate in ("phased_xz", "cz", "meas"))
    names = sorted(tables["single_qubit_idle_t1_micros"], key=lambda key: [int(part) for part in key[0].split("_")])
    qubits = []
    for name in names:
        t1 = tables["single_qubit_idle_t1_micros"][name]
        incoherent = tables["single_qubit_rb_incoherent_error_per_gate"][name]
        dephasing = max(0.0, 3 * incoherent / (time / 1000) - 1 / t1)  # 1/Tphi, per us
        qubits.append(
            _qubit(
                2 / 3 * tables["single_qubit_rb_pauli_error_per_gate"][name],
                time,
                tables["single_qubit_p00_error"][name],
                tables["single_qubit_p11_error"][name],
                time_readout,
                t1,
                1 / (1 / (2 * t1) + dephasing),
            )
        )
    number = {name[0]: index for index, name in enumerate(names)}
    errors = tables["two_qubit_parallel_cz_gate_xeb_pauli_error_per_cycle"]
    return [
        {
            "name": "willow_pink",
            "vendor": "Google",
            "processor": "Willow",
            "date": "2024-08-16",
            "source": f"cirq-google {package.version}",
            "entangler": "cz",
            "pulses": 1,
            "qubits": qubits,
            "pairs": _pairs({(number[a], number[b]): [4 / 5 * e, time_cz] for (a, b), e in errors.items()}),
        }
    ]


def iqm(package: Distribution) -> list[Plain]:
    from iqm.qiskit_iqm.fake_backends.fake_garnet import IQMFakeGarnet

    profile = IQMFakeGarnet().error_profile
    names = sorted(profile.t1s, key=lambda name: int(name[2:]))
    number = {name: index for index, name in enumerate(names)}
    time, time_cz = profile.single_qubit_gate_durations["prx"], profile.two_qubit_gate_durations["cz"]
    survival = {
        name: {at: _fidelity(profile.t1s[name], profile.t2s[name], at) for at in (time, time_cz)} for name in names
    }
    pulses = profile.single_qubit_gate_depolarizing_error_parameters["prx"]
    qubits = [
        _qubit(
            _infidelity(pulses[name], 2, survival[name][time]),
            time,
            profile.readout_errors[name]["0"],
            profile.readout_errors[name]["1"],
            None,
            profile.t1s[name] / 1000,
            profile.t2s[name] / 1000,
        )
        for name in names
    ]
    pairs = {
        (number[a], number[b]): [_infidelity(strength, 4, survival[a][time_cz] * survival[b][time_cz]), time_cz]
        for (a, b), strength in profile.two_qubit_gate_depolarizing_error_parameters["cz"].items()
    }
    return [
        {
            "name": "garnet",
            "vendor": "IQM",
            "processor": "Garnet",
            "date": None,
            "source": f"iqm-client {package.version}",
            "entangler": "cz",
            "pulses": 1,
            "qubits": qubits,
            "pairs": _pairs(pairs),
        }
    ]


def _fidelity(t1: float, t2: float, time: float) -> float:
    """Entanglement fidelity of a qubit's relaxation."""
    return (1 + 2 * math.exp(-time / t2) + math.exp(-time / t1)) / 4


def _infidelity(strength: float, d: int, coherence: float) -> float:
    """Average infidelity of relaxation followed by depolarization of this strength."""
    average = (d * coherence + 1) / (d + 1)
    return 1 - average + strength * (average - 1 / d)


def _qubit(*values: float | None) -> list[float | None]:
    assert len(values) == len(QUBIT)
    return [None if value is None else _rounded(value) for value in values]


def _pairs(pairs: dict[tuple[int, int], list[float]]) -> list[list[float]]:
    return [[*wires, *map(_rounded, values)] for wires, values in sorted(pairs.items())]


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def main() -> None:
    chips = {chip["name"]: chip for chip in json.loads(gzip.decompress(FILE.read_bytes()))} if FILE.exists() else {}
    for name, read in (("qiskit-ibm-runtime", ibm), ("cirq-google", google), ("iqm-client", iqm)):
        try:
            package = distribution(name)
        except PackageNotFoundError:
            print(f"{name} is not installed: its chips stay as they are")
            continue
        for chip in read(package):
            chips[chip["name"]] = chip
            print(f"{chip['name']}: {len(chip['qubits'])} qubits, {chip['date']}, {chip['source']}")
    text = json.dumps(list(chips.values()), separators=(",", ":"))
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{FILE}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
