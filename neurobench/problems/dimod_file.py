"""Reading of dimod's file of a binary quadratic model, with its indices checked first.

dimod's compiled code takes an index from the file as it is: a damaged one ends the process, or requests memory without
bound. Format: https://docs.dwavequantum.com, dimod's "BQM File Format", version 2.
"""

from __future__ import annotations

import io

import dimod
import numpy as np
from dimod.serialization.fileview import read_header

MAGIC = b"DIMODBQM"


def read(data: bytes) -> dimod.BinaryQuadraticModel:
    """Model of a file's content. Raises ValueError if it is damaged."""
    try:
        _require_indices(data)
        return dimod.BinaryQuadraticModel.from_file(io.BytesIO(data))
    except Exception as fault:  # whatever dimod raises on a damaged file
        raise ValueError(f"dimod cannot read it: {type(fault).__name__}: {fault}") from fault


def _require_indices(data: bytes) -> None:
    """Check that neighbourhoods follow each other and that neighbours are variables of the model."""
    file = io.BytesIO(data)
    header = read_header(file, MAGIC).data
    variables, interactions = header["shape"]
    bias, index, start = (np.dtype(header[key]) for key in ("dtype", "itype", "ntype"))
    file.read(bias.itemsize)  # the offset of the energy
    linear = _records(file, variables, [("start", start), ("bias", bias)])
    quadratic = _records(file, 2 * interactions, [("neighbour", index), ("bias", bias)])
    starts, neighbours = [*linear["start"].tolist(), 2 * interactions], quadratic["neighbour"]
    if starts[0] != 0 or (np.diff(starts) < 0).any() or ((neighbours < 0) | (neighbours >= variables)).any():
        raise ValueError("its indices are not those of its variables")


def _records(file: io.BytesIO, count: int, fields: list[tuple[str, np.dtype]]) -> np.ndarray:
    kind = np.dtype(fields, align=False)
    records = np.frombuffer(file.read(count * kind.itemsize), kind)
    if len(records) != count:
        raise ValueError(f"it has {len(records)} of {count} records")
    return records
