"""An emulated quantum annealer. An RBM too large for the chip is sampled in tiles that fit, in turn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
from dimod import BinaryQuadraticModel, Sampler, SampleSet
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.sampler import mock_qpu_errors as errors
from neurobench.devices.sampler.chips import CHIPS
from neurobench.devices.sampler.mock_qpu_errors import ChainLength
from neurobench.devices.sampler.protocol import Reads, check_call
from neurobench.devices.sampler.specs import MOST_READS, AnnealingQPU
from neurobench.devices.spec import Demand
from neurobench.kernels.random import derive
from neurobench.kernels.rbm.layers import anneal_layers, anneal_units, coins, conditional_down
from neurobench.problems import bqm as forms
from neurobench.problems.bqm import Units
from neurobench.problems.rbm import RBM

_CALL, _PROGRAM, _VISIBLE, _HIDDEN, _READ, _WALK, _BREAK, _REPAIR, _MISREAD = range(9)  # purposes of a draw
Walk = Callable[[Units, list[float], int, Tensor], Tensor]  # problem, schedule, seed, states -> states


class Answer(NamedTuple):
    x: Tensor  # (R, N) in {0, 1}
    reads: int  # reads taken: more than R if some were discarded
    breaks: float  # fraction of chains that were broken
    beta: float  # inverse temperature in units of the model


class AnnealingChip(Sampler):
    """Emulated annealing chip, see AnnealingQPU. `chip_seed`, not the run's `seed`, is its identity."""

    parameters: ClassVar[dict[str, Any]] = {"num_reads": ["num_reads_range"], "seed": []}

    def __init__(self, spec: AnnealingQPU, seed: int, device: torch.device):
        self.spec, self.chip = spec, spec.graph
        self.fixed = errors.fixed_errors(spec, self.chip.units)

    @property
    def properties(self) -> dict[str, Any]:
        chip = CHIPS[self.spec.chip]
        sizes = {"num_qubits": chip.qubits, "num_couplers": chip.couplers, "num_reads_range": [1, MOST_READS]}
        ranges = {"h_range": list(self.spec.h_range), "j_range": list(self.spec.j_range)}
        return {"chip_id": chip.name, "topology": chip.topology, **sizes, **ranges}

    def sample(self, bqm: BinaryQuadraticModel, num_reads: int = 1, seed: int = 0, **kwargs: Any) -> SampleSet:
        """Sample any model. Energies are those of the given model, not of the chip's version of it."""
        self.remove_unknown_kwargs(**kwargs)
        check_call(num_reads, seed, most=MOST_READS)
        problem = forms.units_of_bqm(bqm)
        if misfit := self.chip.clique_misfit(bqm.num_variables, bqm.num_interactions):
            raise UserError(misfit + ".")
        x = coins(derive(seed, _VISIBLE), (num_reads, len(problem.bias)))
        length = _lengths(self.chip.clique_chain_length(len(problem.bias)))
        answer = self._anneal(problem, anneal_units, length, x, derive(seed, _CALL), derive(seed, _PROGRAM))
        return forms.sampleset(answer.x, bqm, timing=self._timing(1, answer.reads), beta=answer.beta)

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """Sample an RBM. `initial_hidden` means reverse annealing: each read starts at it, and is programmed again."""
        check_call(num_reads, seed, initial_hidden, MOST_READS)
        if misfit := self.spec.refuse(Demand(layers=tuple(rbm.W.shape))):
            raise UserError(misfit)
        device, rbm = rbm.W.device, RBM(*(part.cpu() for part in rbm))
        h = coins(derive(seed, _HIDDEN), (num_reads, rbm.W.shape[1]))
        v = coins(derive(seed, _VISIBLE), (num_reads, rbm.W.shape[0]))
        if initial_hidden is not None:
            h = initial_hidden.cpu().clone()
            v = conditional_down(h, rbm.W, rbm.a, derive(seed, _VISIBLE)).state
        answers = self._tile_by_tile(rbm, v, h, seed, afresh=initial_hidden is None)
        reads = sum(answer.reads for answer in answers)
        programmings = 1 if len(answers) == 1 and initial_hidden is None else reads
        seconds = self._timing(programmings, reads)["qpu_access_time"] * 1e-6
        cost = {"reads": float(reads), "programmings": float(programmings), "device_seconds": seconds}
        means = {"chain_breaks": [a.breaks for a in answers], "beta": [a.beta for a in answers]}
        info = {name: sum(values) / len(answers) for name, values in means.items()}
        return Reads(v.to(device), h.to(device), cost, info)

    def _tile_by_tile(self, rbm: RBM, v: Tensor, h: Tensor, seed: int, afresh: bool) -> list[Answer]:
        """Draw new states in v (R, V) and h (R, H), in place: of the whole RBM if it fits, else of each tile in
        turn, `rounds` times from a random start and once from given states."""
        size = tuple(rbm.W.shape)
        fits = self.chip.misfit(*size) is None
        turns = self.spec.rounds if afresh and not fits else 1
        parts = [(slice(0, size[0]), slice(0, size[1]))] if fits else tiles(size, self.chip.layer)
        answers = []
        for number, (rows, columns) in enumerate(parts * turns):
            part = rbm if fits else conditioned(rbm, v, h, rows, columns)
            answer = self._two_layers(part, v[:, rows], h[:, columns], seed, number)
            v[:, rows], h[:, columns] = answer.x.split([rows.stop - rows.start, columns.stop - columns.start], dim=1)
            answers.append(answer)
        return answers

    def _two_layers(self, rbm: RBM, v: Tensor, h: Tensor, seed: int, number: int) -> Answer:
        visible = len(rbm.W)

        def walk(problem: Units, betas: list[float], draw: int, x: Tensor) -> Tensor:
            part = forms.rbm_of_units(problem, visible)
            return torch.cat(anneal_layers(part, betas, draw, x[:, :visible], x[:, visible:]), dim=1)

        length, draw = _lengths(self.chip.chain_length(*rbm.W.shape)), derive(seed, _PROGRAM, number)
        problem, x = forms.units_of_rbm(rbm), torch.cat([v, h], dim=1)
        return self._anneal(problem, walk, length, x, derive(seed, _CALL), draw)

    def _anneal(self, ideal: Units, walk: Walk, length: ChainLength, x: Tensor, call_seed: int, seed: int) -> Answer:
        """Program the chip once, and read until every row of x has an answer."""
        holds, scale = errors.program(self.spec, self.fixed, forms.ising_of_units(ideal), length, call_seed, seed)
        out, broken, reads = torch.empty_like(x), 0.0, 0
        waiting, attempt = torch.arange(len(x)), 0
        while len(waiting):
            if reads + len(waiting) > MOST_READS:
                raise UserError(
                    f"repair=discard: {len(x) - len(waiting)} of {len(x)} reads came back unbroken out of {reads:,}, "
                    f"and a call may take {MOST_READS:,}. Lower chain_break={self.spec.chain_break:g} or change repair."
                )
            draw = derive(seed, _READ, attempt)
            held = forms.units_of_ising(holds._replace(h=_rows(holds.h, waiting)))
            y = walk(held, [self.spec.beta] * self.spec.sweeps, derive(draw, _WALK), x[waiting])
            y, breaks = self._read(y, Units(ideal.coupling, _rows(ideal.bias, waiting)), length, draw)
            whole = ~breaks.any(1) if self.spec.repair == "discard" else torch.ones(len(y), dtype=torch.bool)
            out[waiting[whole]] = y[whole]
            broken, reads = broken + float(breaks.sum()), reads + len(y)
            waiting, attempt = waiting[~whole], attempt + 1
        return Answer(out, reads, broken / max(1, reads * x.shape[1]), self.spec.beta / scale)

    def _read(self, x: Tensor, ideal: Units, length: ChainLength, seed: int) -> tuple[Tensor, Tensor]:
        """Break and repair chains, and misread units.   (R, N) -> states, and which chains had broken"""
        spec = self.spec
        breaks = errors.broken_chains((len(x), x.shape[1]), length, spec.chain_break, derive(seed, _BREAK))
        if spec.repair != "discard":
            x = errors.REPAIRS[spec.repair](x, breaks, ideal, derive(seed, _REPAIR))
        return errors.misread(x, spec.readout, derive(seed, _MISREAD)), breaks.broken

    def _timing(self, programmings: int, reads: int) -> dict[str, float]:
        """Times in microseconds, under the names that D-Wave's samplers use."""
        spec = self.spec
        read = spec.annealing_time + spec.readout_time + spec.delay_time
        return {
            "qpu_programming_time": programmings * spec.programming_time,
            "qpu_sampling_time": reads * read,
            "qpu_anneal_time_per_sample": spec.annealing_time,
            "qpu_readout_time_per_sample": spec.readout_time,
            "qpu_delay_time_per_sample": spec.delay_time,
            "qpu_access_time": programmings * spec.programming_time + reads * read,
        }


def _lengths(length: int | tuple[int, ...]) -> ChainLength:
    return length if isinstance(length, int) else torch.tensor(length, dtype=torch.float64)


def _rows(x: Tensor, rows: Tensor) -> Tensor:
    """Select rows of a quantity (R, N), one per read; one of shape (N,) is shared by all reads."""
    return x[rows] if x.ndim == 2 else x


def tiles(shape: tuple[int, ...], most: int) -> list[tuple[slice, slice]]:
    """Visible and hidden units of each tile: as few tiles as possible, of nearly equal size, every pair in one."""
    visible, hidden = ([size * n // -(-size // most) for n in range(-(-size // most) + 1)] for size in shape)  # edges
    return [(slice(*rows), slice(*columns)) for columns in pairwise(hidden) for rows in pairwise(visible)]


def conditioned(rbm: RBM, v: Tensor, h: Tensor, rows: slice, columns: slice) -> RBM:
    """RBM of a tile given the other units, whose couplings are part of its biases: (R, rows), (R, columns).

    a'_i = a_i + sum over j outside of W_ij h_j,    b'_j = b_j + sum over i outside of v_i W_ij
    """
    W = rbm.W[rows, columns]
    a = rbm.a[rows] + h @ rbm.W[rows].t() - h[:, columns] @ W.t()
    b = rbm.b[columns] + v @ rbm.W[:, columns] - v[:, rows] @ W
    return RBM(W, a, b)
