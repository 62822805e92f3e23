"""`neurobench list chips`: snapshots of quantum processors, with dates and with the errors of the median and the best
qubit and coupler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from neurobench.devices.circuit.chips import Chip, chips

HEAD = ("chip", "processor", "snapshot", "qubits", "pair (%)", "read-out (%)")


def chips_as_plain(wanted: str) -> list[dict[str, Any]]:
    """Chips whose name contains `wanted`, as plain values; errors as {"median", "best"}."""
    return [_plain(chip) for name, chip in chips().items() if wanted in name]


def _plain(chip: Chip) -> dict[str, Any]:
    qubits, pairs = chip.qubits.values(), chip.pairs.values()
    return {
        "name": chip.name,
        "vendor": chip.vendor,
        "processor": chip.processor,
        "date": chip.date,
        "source": chip.source,
        "qubits": chip.size,
        "working_qubits": len(qubits),
        "working_couplers": len(pairs),
        "pulse_error": _of([qubit.error for qubit in qubits]),
        "pair_error": _of([pair.error for pair in pairs]),
        "readout_error": _of([(qubit.p1_given_0 + qubit.p0_given_1) / 2 for qubit in qubits]),
        "t1_us": {"median": median(qubit.t1 for qubit in qubits), "best": max(qubit.t1 for qubit in qubits)},
    }


def _of(errors: Sequence[float]) -> dict[str, float]:
    return {"median": median(errors), "best": min(errors)}


def chip_lines(wanted: str) -> Iterator[str]:
    """Table of chips, line by line, followed by an explanation of its numbers and an example command."""
    entries = chips_as_plain(wanted)
    if not entries:
        yield f"no chip has {wanted!r} in its name: neurobench list chips shows all"
        return
    rows = [HEAD, *(_row(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
    yield ""
    yield "errors: median / best; a lower bound: no crosstalk, no idling, no drift"
    yield f"neurobench run model=hybrid_qcnn backend=mock backend.circuit.chip={entries[0]['name']}"


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    errors = (entry[name] for name in ("pair_error", "readout_error"))
    working, size = entry["working_qubits"], entry["qubits"]
    return (
        entry["name"],
        f"{entry['vendor']} {entry['processor']}" if entry["processor"].lower() != entry["name"] else entry["vendor"],
        entry["date"] or "no date",
        str(size) if working == size else f"{working}/{size}",
        *(f"{100 * error['median']:.2g} / {100 * error['best']:.2g}" for error in errors),
    )
