"""Quadratic models as text of coordinates: `# vartype=BINARY`, then a line `i j bias` for each bias, i = j for linear
ones. dimod's `serialization.coo` reads it, and so does any program that reads three columns."""

from __future__ import annotations

import re

import dimod
import numpy as np

MOST = 2**31  # variables
_HEADER = re.compile(r"#.*?vartype[:=]\s*(\w+)")


def write(bqm: dimod.BinaryQuadraticModel) -> bytes:
    """Write every bias with all its digits and without an exponent, which dimod's reader would skip; linear ones even
    if they are 0, so that no variable is lost. Variables are numbers from 0. The format has no offset."""
    order = sorted(bqm.variables)
    linear, (row, column, quadratic), _ = bqm.to_numpy_vectors(order)
    lines = [f"# vartype={bqm.vartype.name}", *(f"{i} {i} {_digits(bias)}" for i, bias in enumerate(linear))]
    lines += [f"{min(i, j)} {max(i, j)} {_digits(bias)}" for i, j, bias in zip(row, column, quadratic, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def _digits(bias: float) -> str:
    return np.format_float_positional(bias, trim="0")


def read(text: str) -> dimod.BinaryQuadraticModel:
    """Read a quadratic model. Raises ValueError with the line that cannot be read: no line is skipped."""
    bqm: dimod.BinaryQuadraticModel | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            named = _HEADER.match(line)
            if named and bqm is not None and named[1] != bqm.vartype.name:
                raise ValueError(f"line {number}: vartype={named[1]} contradicts {bqm.vartype.name} before it")
            if named and bqm is None:
                if named[1] not in ("BINARY", "SPIN"):
                    raise ValueError(f"line {number}: vartype={named[1]} is neither BINARY nor SPIN")
                bqm = dimod.BinaryQuadraticModel(named[1])
        elif line.strip():
            if bqm is None:
                raise ValueError(f"line {number} comes before a line `# vartype=BINARY` or `# vartype=SPIN`")
            i, j, bias = _entry(line, number)
            if i == j:
                bqm.add_linear(i, bias)
            else:
                bqm.add_quadratic(i, j, bias)
    if bqm is None:
        raise ValueError("it has no line `# vartype=BINARY` or `# vartype=SPIN`")
    return bqm


def _entry(line: str, number: int) -> tuple[int, int, float]:
    try:
        i, j, bias = line.split()
        place = int(i), int(j), float(bias)
    except ValueError:
        raise ValueError(f"line {number} is {line.strip()!r:.60}, not `i j bias`") from None
    if not all(0 <= variable < MOST for variable in place[:2]):
        raise ValueError(f"line {number}: variables are numbers from 0 to {MOST - 1}")
    return place
