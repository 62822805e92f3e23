"""The user's own code, allowed in a notebook as `--plugin` allows it on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

from joblib.externals.loky import get_reusable_executor

from neurobench.api.estimator import forget
from neurobench.config.home import home_path
from neurobench.config.own_code import files_of
from neurobench.config.targets import allow_file


def allow(file: str | Path) -> None:
    """Allow configurations to name classes of a Python file; YAML files in its folder are read, model/mine.yaml next
    to mine.py. Call it again after an edit: the file is imported again.

    Raises UserError if there is no such file, or if another module has its name.
    """
    allow_file(home_path(str(file)))
    for name, used in files_of(Path(file).stem).items():
        if getattr(sys.modules.get(name), "__file__", None) == str(used):
            del sys.modules[name]
    forget()
    # Idle workers of scikit-learn's n_jobs outlive a search, with the text that they imported and what was allowed.
    get_reusable_executor(reuse=True).shutdown()
