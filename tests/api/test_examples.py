"""Promise of the example notebooks: each runs to its end in an empty folder, at smoke scale."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "neurobench" / "examples"
NEEDS = {"sweep": "pandas"}


@pytest.mark.parametrize("name", [path.stem for path in sorted(EXAMPLES.glob("*.py"))])
def test_an_example_runs_to_its_end(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    path = EXAMPLES / f"{name}.py"
    assert path.read_text().startswith("# %% [markdown]\n# # "), "a notebook with a title"
    folders = [str(EXAMPLES.parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "SCALE": "smoke", "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, cwd=tmp_path, env=variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout
