"""What the processor at hand offers to compiled kernels, of which none has bits that depend on it but by `use_fast`.

LLVM keeps to registers of 256 bits on Intel's processors with AVX-512 (`prefer-256-bit`), of which the first ran slower
while they computed with all 512.
"""

import ctypes
import platform

import numba
from numba.core.codegen import get_host_cpu_features

_features = numba.config.CPU_FEATURES or get_host_cpu_features()  # nothing where LLVM knows none, as of Apple's
_OFFERED = {feature for feature in _features.split(",") if feature.startswith("+")}
WIDE = {"+avx512f", "+avx512bw", "+avx512dq", "+avx512vl"} <= _OFFERED  # 32 registers of 16 float32, else 16 of 8
WIDTH = 512 if WIDE else 256  # bits
_ARCH_PRCTL, _REQUEST, _TILE_DATA = 158, 0x1023, 18  # Linux: asm/unistd_64.h, asm/prctl.h, asm/fpu/types.h
_fast = False


def use_all_registers() -> None:
    """Has to come before the first kernel is declared: numba's compiler reads its settings then."""
    if WIDE and numba.config.CPU_FEATURES is None:
        numba.config.CPU_FEATURES = f"{_features},-prefer-256-bit"


def use_fast(wanted: bool) -> bool:
    """Whether kernels may round otherwise than on other processors where that is faster: `kernels=fast`, by AMX.

    Returns whether the processor offers what was wanted.
    """
    global _fast
    _fast = wanted and WIDE and {"+amx-tile", "+amx-bf16"} <= _OFFERED and _tiles_granted()
    return _fast == wanted


def _tiles_granted() -> bool:
    """Linux gives the registers of AMX, which are large, to a process that asks for them."""
    return platform.system() == "Linux" and ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST, _TILE_DATA) == 0


def fast() -> bool:
    return _fast
