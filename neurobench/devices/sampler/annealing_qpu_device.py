"""An emulated quantum annealer, the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import dimod
import torch
from torch import Tensor

from neurobench.config.errors import UserError
from neurobench.devices.sampler import annealing_qpu_chains as chains
from neurobench.devices.sampler import walks
from neurobench.devices.sampler.annealing_qpu import MOST_READS, AnnealingQPU
from neurobench.devices.sampler.annealing_qpu_errors import fixed_errors, program
from neurobench.devices.sampler.annealing_qpu_tiles import conditioned, tiles
from neurobench.devices.sampler.protocol import Reads
from neurobench.devices.sampler.topology import CHIPS
from neurobench.kernels.layers import conditional, transposed
from neurobench.kernels.random import derive
from neurobench.problems.qubo import (
    Units,
    ising_of_units,
    rbm_of_units,
    sampleset,
    units_of_bqm,
    units_of_ising,
    units_of_rbm,
)
from neurobench.problems.rbm import RBM

# Purposes of a draw
_CALL, _PROGRAM, _VISIBLE, _HIDDEN, _READ, _WALK, _BREAK, _REPAIR, _MISREAD = range(9)

Walk = Callable[[Units, list[float], int, Tensor], Tensor]  # problem, schedule, seed, states -> states


class Answer(NamedTuple):
    """What reads of one problem brought."""

    x: Tensor  # (R, N) in {0, 1}
    reads: int  # that it took: more than R where some were discarded
    breaks: float  # fraction of chains that were broken
    beta: float  # inverse temperature in units of the model


class AnnealingQPUDevice(dimod.Sampler):
    """See AnnealingQPU."""

    def __init__(self, recipe: AnnealingQPU):
        self.recipe, self.chip = recipe, CHIPS[recipe.chip]
        self.fixed = fixed_errors(recipe, max(2 * self.chip.layer, self.chip.clique))

    @property
    def properties(self) -> dict[str, Any]:
        return {
            "chip_id": self.recipe.chip,
            "topology": self.chip.topology,
            "num_qubits": self.chip.qubits,
            "num_couplers": self.chip.couplers,
            "num_reads_range": [1, MOST_READS],
            "h_range": list(self.recipe.h_range),
            "j_range": list(self.recipe.j_range),
        }

    @property
    def parameters(self) -> dict[str, Any]:
        return {"num_reads": ["num_reads_range"], "seed": []}

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: int = 1, seed: int = 0, **kwargs: Any
    ) -> dimod.SampleSet:
        """Energies are those of the model as it was handed in, not of what the chip made of it."""
        self.remove_unknown_kwargs(**kwargs)
        walks.check_call(num_reads, seed, most=MOST_READS)
        problem = units_of_bqm(bqm)
        misfit = self.chip.clique_misfit(bqm.num_variables, bqm.num_interactions)
        if misfit:
            raise UserError(misfit + ".")
        x = walks.coins(derive(seed, _VISIBLE), (num_reads, len(problem.bias)))
        length = self.chip.clique_chain_length(len(problem.bias))
        answer = self._anneal(problem, walks.units, length, x, derive(seed, _CALL), derive(seed, _PROGRAM))
        return sampleset(answer.x, bqm, timing=self._timing(1, answer.reads), beta=answer.beta)

    def sample_rbm(self, rbm: RBM, num_reads: int, seed: int, initial_hidden: Tensor | None = None) -> Reads:
        """`initial_hidden` stands for reverse annealing: each read starts there, and is a programming of its own."""
        walks.check_call(num_reads, seed, initial_hidden, MOST_READS)
        there, rbm = rbm.W.device, RBM(*(part.cpu() for part in rbm))
        misfit = self.recipe.misfit(*rbm.W.shape)
        if misfit:
            raise UserError(misfit)
        h = walks.coins(derive(seed, _HIDDEN), (num_reads, rbm.W.shape[1]))
        v = walks.coins(derive(seed, _VISIBLE), (num_reads, rbm.W.shape[0]))
        if initial_hidden is not None:
            h = initial_hidden.cpu().clone()
            v = conditional(h, transposed(rbm.W), rbm.a, derive(seed, _VISIBLE)).state
        fits = self.chip.misfit(*rbm.W.shape) is None
        turns = 1 if fits or initial_hidden is not None else self.recipe.rounds
        answers = []
        for number, (rows, columns) in enumerate(tiles(rbm.W.shape, self.chip.layer) * turns):
            part = rbm if fits else conditioned(rbm, v, h, rows, columns)
            answer = self._two_layers(part, v[:, rows], h[:, columns], seed, number)
            v[:, rows], h[:, columns] = answer.x.split([rows.stop - rows.start, columns.stop - columns.start], dim=1)
            answers.append(answer)
        reads = sum(answer.reads for answer in answers)
        programmings = len(answers) if fits and initial_hidden is None else reads
        info = {
            "reads": float(reads),
            "programmings": float(programmings),
            "chain_breaks": sum(answer.breaks for answer in answers) / len(answers),
            "beta": sum(answer.beta for answer in answers) / len(answers),
            "device_seconds": self._timing(programmings, reads)["qpu_access_time"] * 1e-6,
        }
        return Reads(v.to(there), h.to(there), info)

    def _two_layers(self, rbm: RBM, v: Tensor, h: Tensor, seed: int, number: int) -> Answer:
        """A machine that fits, from v."""
        visible = len(rbm.W)

        def walk(problem: Units, betas: list[float], draw: int, x: Tensor) -> Tensor:
            part = rbm_of_units(problem, visible)
            return torch.cat(walks.layers(part, betas, draw, x[:, :visible], x[:, visible:]), dim=1)

        length = self.chip.chain_length(*rbm.W.shape)
        x = torch.cat([v, h], dim=1)
        return self._anneal(units_of_rbm(rbm), walk, length, x, derive(seed, _CALL), derive(seed, _PROGRAM, number))

    def _anneal(self, ideal: Units, walk: Walk, length: int, x: Tensor, call_seed: int, seed: int) -> Answer:
        """Program once, read until every row of x has an answer."""
        holds, scale = program(self.recipe, self.fixed, ising_of_units(ideal), length, call_seed, seed)
        out, broken, reads = torch.empty_like(x), 0.0, 0
        waiting, attempt = torch.arange(len(x)), 0
        while len(waiting):
            if reads + len(waiting) > MOST_READS:
                raise UserError(
                    f"repair=discard: {len(x) - len(waiting)} of {len(x)} reads came back whole out of {reads:,}, and "
                    f"a call may take {MOST_READS:,}. Lower chain_break={self.recipe.chain_break:g} or choose another "
                    "repair."
                )
            draw = derive(seed, _READ, attempt)
            held = units_of_ising(holds._replace(h=_rows(holds.h, waiting)))
            y = walk(held, [self.recipe.beta] * self.recipe.sweeps, derive(draw, _WALK), x[waiting])
            y, breaks = self._read(y, Units(ideal.coupling, _rows(ideal.bias, waiting)), length, draw)
            whole = ~breaks.any(1) if self.recipe.repair == "discard" else torch.ones(len(y), dtype=torch.bool)
            out[waiting[whole]] = y[whole]
            broken, reads = broken + float(breaks.sum()), reads + len(y)
            waiting, attempt = waiting[~whole], attempt + 1
        return Answer(out, reads, broken / max(1, reads * x.shape[1]), self.recipe.beta / scale)

    def _read(self, x: Tensor, ideal: Units, length: int, seed: int) -> tuple[Tensor, Tensor]:
        """Chains break, are repaired, and units are misread.   (R, N) -> states, and which chains had broken"""
        recipe = self.recipe
        breaks = chains.broken_chains((len(x), x.shape[1]), length, recipe.chain_break, derive(seed, _BREAK))
        if recipe.repair != "discard":
            x = chains.REPAIRS[recipe.repair](x, breaks, ideal, derive(seed, _REPAIR))
        return chains.misread(x, recipe.readout, derive(seed, _MISREAD)), breaks.broken

    def _timing(self, programmings: int, reads: int) -> dict[str, float]:
        """Microseconds, under the names that D-Wave's samplers use."""
        recipe = self.recipe
        read = recipe.annealing_time + recipe.readout_time + recipe.delay_time
        return {
            "qpu_programming_time": programmings * recipe.programming_time,
            "qpu_sampling_time": reads * read,
            "qpu_anneal_time_per_sample": recipe.annealing_time,
            "qpu_readout_time_per_sample": recipe.readout_time,
            "qpu_delay_time_per_sample": recipe.delay_time,
            "qpu_access_time": programmings * recipe.programming_time + reads * read,
        }


def _rows(x: Tensor, rows: Tensor) -> Tensor:
    """Those of a quantity that every read has its own of; all reads share any other."""
    return x[rows] if x.ndim == 2 else x
