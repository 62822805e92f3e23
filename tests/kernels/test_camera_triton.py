"""The camera on a GPU makes the CPU's recordings: checked in its machine code, and on a GPU if there is one.

Checked in Triton's interpreter by test_interpreted.
"""

import re

import numpy as np
import pytest
import torch

ARGUMENTS = {
    "recordings": ("*fp32", "*fp32", "*fp32", "*i32"),
    "camera": ("*fp32", "*fp32", "*fp64"),
    "codes": "*i32",
    "counts": "*i64",
    "sizes": ("i32",) * 4,
    "edge": "fp32",
    "width": "constexpr",
}


@pytest.mark.parametrize("capability", [75, 90])
def test_a_gpus_machine_code_rounds_each_float32_as_the_cpu_does(capability, tmp_path, monkeypatch) -> None:
    """Compiled for a GPU, even without one: no product fused with a sum, nothing approximate, no denormal flushed."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from neurobench.kernels.camera_triton import LAUNCH, WIDTH, simulate_pixels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    source = ASTSource(simulate_pixels, signature=ARGUMENTS, constexprs={"width": WIDTH})
    code = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=dict(LAUNCH)).asm["ptx"]
    used = set(re.findall(r"\b(?:add|sub|mul|div|fma|mad|sqrt|rcp|lg2|ex2|cos|sin)\.\S*f(?:32|64)\b", code))
    single = {name for name in used if name.endswith("f32")}
    assert single == {"add.rn.f32", "sub.rn.f32", "mul.rn.f32"}
    assert {name for name in used if name.startswith(("div", "sqrt"))} == {"div.rn.f64", "sqrt.rn.f64"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_makes_the_recordings_of_the_cpu() -> None:
    """One code in 10,000 may differ: if CUDA's logarithm is rounded the other way, the pixel's later events deviate."""
    from neurobench.data.camera.emulation import emulate
    from neurobench.data.camera.parameters import read

    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    cpu, gpu = (emulate(read(None), 0, images, range(20), device=device) for device in ("cpu", "cuda"))
    assert np.array_equal(cpu[1], gpu[1])
    assert (cpu[0] != gpu[0]).mean() <= 1e-4
