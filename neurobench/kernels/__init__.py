"""Compiled inner loops."""

from neurobench.kernels.host import use_all_registers

use_all_registers()
