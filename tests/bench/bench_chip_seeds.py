"""What a copy of a chip costs, over emulated copies: python tests/bench/bench_chip_seeds.py [COPIES [SCALE]]

COPIES (100 unless given) of each annealer that ships, and of BrainScaleS-2, drawn by `chip_seed`. Data are read once.
Writes annealers and bss2, each .csv, .md and .png, into outputs/chips. See `make table-chip-seeds`.

BrainScaleS-2: the newest run of hxtorch_yin_yang_best. Its weights are what training on the host's model made, then in
the loop of one chip; they go to every copy as they are, and are trained on for 16 steps in its loop.

Annealers: the machine of dynex_qrbm_qpu_device is trained with each copy, which draws the start of its chains; and the
mean difference of what a copy draws of one trained machine from what an exact sampler draws.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path.append(str(Path(__file__).parents[2]))

import torch
from rich.console import Console
from torch import Tensor

from neurobench.config.compose import composer
from neurobench.config.errors import UserError
from neurobench.data.dataset import Split, Splits
from neurobench.devices.sampler.chips import CHIPS
from neurobench.experiment.build import build_learner, load_splits, pin_threads
from neurobench.experiment.evaluate import scores_of
from neurobench.experiment.plan import Plan, parse
from neurobench.experiment.progress import meter_for
from neurobench.experiment.reload import load_learner
from neurobench.experiment.training import training_loop
from neurobench.metrics.costs import Ledger
from neurobench.models.learner import Initial, Learner
from neurobench.models.qrbm.learner import QRBMLearner
from neurobench.report.spread import Draw, markdown, violins, write
from neurobench.storage.store import default_outputs, find_run
