"""Code of the person at the keyboard, allowed in a notebook as `--plugin` allows it on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from neurobench.api.estimator import forget
from neurobench.config.targets import allow_file


def allow(file: str | Path) -> None:
    """Allow configurations to name the code of a Python file; YAML files are found in its folder, model/mine.yaml of
    mine.py. Call it once more after an edit: the file is imported anew.

    Raises UserError where there is no such file, or its name is that of another module.
    """
    allow_file(str(file))
    sys.modules.pop(Path(file).stem, None)
    forget()
