"""Processor features for compiled kernels, whose results depend on them, bit for bit, only with `use_fast`.

LLVM uses only registers of 256 bits on Intel's processors with AVX-512 (`prefer-256-bit`), because the first of these
ran slower while they computed with all 512.
"""

import ctypes
import platform

import numba
from numba.core.codegen import get_host_cpu_features

_features = numba.config.CPU_FEATURES or get_host_cpu_features()  # empty if LLVM reports none, as for Apple's
_OFFERED = {feature for feature in _features.split(",") if feature.startswith("+")}
WIDE = {"+avx512f", "+avx512bw", "+avx512dq", "+avx512vl"} <= _OFFERED  # 32 registers of 16 float32, else 16 of 8
WIDTH = 512 if WIDE else 256  # bits
_ARCH_PRCTL, _REQUEST, _TILE_DATA = 158, 0x1023, 18  # Linux: asm/unistd_64.h, asm/prctl.h, asm/fpu/types.h
_fast = False


def use_all_registers() -> None:
    """Let the compiler use registers of 512 bits; must precede the first kernel, when numba reads its settings."""
    if WIDE and numba.config.CPU_FEATURES is None:
        numba.config.CPU_FEATURES = f"{_features},-prefer-256-bit"


def use_fast(wanted: bool) -> bool:
    """Set whether kernels may use AMX (`kernels=fast`), which is faster but rounds differently from other processors.

    Returns whether the processor supports the setting.
    """
    global _fast
    _fast = wanted and WIDE and {"+amx-tile", "+amx-bf16"} <= _OFFERED and _tiles_granted()
    return _fast == wanted


def _tiles_granted() -> bool:
    """Whether Linux grants this process the registers of AMX, which are large and given only on request."""
    return platform.system() == "Linux" and ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST, _TILE_DATA) == 0


def fast() -> bool:
    return _fast
