"""GPU kernels agree with their references on the CPU when run in Triton's interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = ("camera_triton_check", "cuba_triton_check", "cuba_triton_engine_check")


def test_interpreted_kernels_of_camera_layers_and_engine_agree_with_their_references() -> None:
    """Checks share a process: the variable must be set before triton is imported, which takes longer than a check."""
    pytest.importorskip("triton")
    words = [sys.executable, "-c", "".join(f"import tests.kernels.{check}\n" for check in CHECKS)]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.stdout.split() == ["agree"] * len(CHECKS), done.stderr
