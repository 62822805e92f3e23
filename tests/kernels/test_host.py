"""Registers of any width give the same bits, and `kernels=fast` is used if supported."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import llvmlite.binding  # type: ignore[import-untyped]
import numba
import pytest

from neurobench.experiment.build import pick_kernels
from neurobench.kernels import host

SCRIPT = Path(__file__).with_name("bits_of_kernels.py")


def test_registers_of_256_bits_give_the_same_results_as_registers_of_512_bits() -> None:
    if not host.WIDE:
        pytest.skip("this processor has no AVX-512")
    from tests.bench.bench_kernels import narrow_features

    def bits(**environment: str) -> list[str]:
        command = [sys.executable, str(SCRIPT)]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
        return done.stdout.split()

    (width, wide), (narrow_width, narrow) = bits(), bits(NUMBA_CPU_FEATURES=narrow_features())
    assert (width, narrow_width) == ("512", "256")
    assert wide == narrow


def test_a_processor_whose_features_llvm_does_not_know_gets_the_narrow_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> None:
        raise RuntimeError("failed to get host cpu features.")

    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", unknown)
    monkeypatch.setattr(numba.config, "CPU_FEATURES", None)
    loaded = runpy.run_path(host.__file__)
    assert (loaded["WIDE"], loaded["WIDTH"], loaded["use_fast"](True)) == (False, 256, False)


def test_fast_kernels_warn_if_unsupported_and_exact_kernels_do_not(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(host, "_OFFERED", set())
    pick_kernels("exact")
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"kernels=fast: .*AMX.*exact"):
        pick_kernels("fast")
    assert not host.fast()
