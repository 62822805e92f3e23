"""Compiled inner loops."""

from neurobench.kernels.cache import keep_kernels
from neurobench.kernels.host import use_all_registers
from neurobench.kernels.machine_code import generate_when_called

# All must run before the first kernel is defined.
use_all_registers()
keep_kernels()
generate_when_called()
