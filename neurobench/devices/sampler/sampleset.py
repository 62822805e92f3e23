"""Checks of answers from other packages' samplers."""

from __future__ import annotations

from typing import Any, NoReturn

import dimod
import numpy as np

from neurobench.config.errors import UserError

_ROUNDING = 1e-5  # relative to the sum of all coefficients: samplers add up in float32


def checked_states(answer: Any, n: int, sampler: str, problem: dimod.BinaryQuadraticModel | None = None) -> np.ndarray:
    """Check a sampler's answer and return its states (rows, n) in {0, 1}, each row as often as it occurred. Spins are
    converted. Raises UserError with the sampler's name if the answer is no such table, or if its energies are not
    those of the samples in the `problem`."""

    def refuse(fault: str) -> NoReturn:
        raise UserError(f"{sampler} answered {fault}. Its answer is not used; try another sampler.")

    if not isinstance(answer, dimod.SampleSet):
        refuse(f"with a {type(answer).__name__}, not with a dimod.SampleSet")
    record = answer.record
    if not len(record):
        refuse("without any sample")
    if missing := set(range(n)) - set(answer.variables):
        refuse(f"without {len(missing)} of {n} variables (first: {min(missing)})")
    if not np.isfinite(record.energy).all():
        refuse("with an energy that is not a finite number")
    if (record.num_occurrences < 1).any():
        refuse("with a sample that occurred less than once")
    states = record.sample[:, [answer.variables.index(k) for k in range(n)]]
    values = {*np.unique(states).tolist()}
    if values <= {-1, 1} and answer.vartype is dimod.SPIN:
        states = (states + 1) // 2
    elif not values <= {0, 1}:
        refuse(f"with values {', '.join(map(str, sorted(values)[:5]))}, where only 0 and 1 are allowed")
    if problem is not None:
        energies = _energies(problem, states)
        worst = int(np.abs(record.energy - energies).argmax())
        if abs(record.energy[worst] - energies[worst]) > _ROUNDING * _size(problem):
            refuse(f"with the energy {record.energy[worst]:.6g} for a sample whose energy is {energies[worst]:.6g}")
    return np.repeat(states, record.num_occurrences, axis=0)


def spread(states: np.ndarray, num_reads: int) -> np.ndarray:
    """Return `num_reads` rows: too few are repeated in turn; of too many, every n-th is taken, since they may be sorted
    by energy."""
    rows = len(states)
    turn = np.arange(num_reads)
    return states[turn % rows if rows <= num_reads else turn * rows // num_reads]


def _energies(problem: dimod.BinaryQuadraticModel, states: np.ndarray) -> np.ndarray:
    samples = states if problem.vartype is dimod.BINARY else 2 * states.astype(np.int8) - 1
    return np.asarray(problem.energies((samples, list(range(states.shape[1])))), dtype=float)


def _size(problem: dimod.BinaryQuadraticModel) -> float:
    linear, (_, _, quadratic), offset = problem.to_numpy_vectors()
    return max(1.0, float(np.abs(linear).sum() + np.abs(quadratic).sum() + abs(offset)))
