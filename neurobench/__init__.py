"""A declarative experiment runner for classifiers that are computed in unusual ways.

    import neurobench as nb

    run = nb.run("model=qrbm", "backend=mock", seed=1)
    nb.sweep("model=qrbm", {"model.lr": [0.02, 0.05]}, seed=range(3)).frame()
    nb.load("latest").predict(x)

Each name is imported when it is first used: `import neurobench` itself costs nothing.
"""

from typing import TYPE_CHECKING, Any

from neurobench.import_time import BEGAN as BEGAN  # must be first
from neurobench.version import __version__ as __version__

if TYPE_CHECKING:
    from neurobench.api import datasets as datasets
    from neurobench.api import encoders as encoders
    from neurobench.api.estimator import estimator as estimator
    from neurobench.api.own_code import allow as allow
    from neurobench.api.run import Run as Run
    from neurobench.api.run import load as load
    from neurobench.api.run import run as run
    from neurobench.api.runs import Runs as Runs
    from neurobench.api.runs import runs as runs
    from neurobench.api.runs import sweep as sweep
    from neurobench.api.table import Table as Table
    from neurobench.api.table import table as table
    from neurobench.config.errors import ConfigError as ConfigError
    from neurobench.config.errors import UserError as UserError
    from neurobench.data.dataset import DataError as DataError
else:
    _PLACES = {
        "allow": "api.own_code:allow", "datasets": "api.datasets:", "encoders": "api.encoders:",
        "estimator": "api.estimator:estimator", "load": "api.run:load", "run": "api.run:run", "runs": "api.runs:runs",
        "sweep": "api.runs:sweep", "table": "api.table:table", "Run": "api.run:Run", "Runs": "api.runs:Runs",
        "Table": "api.table:Table", "ConfigError": "config.errors:ConfigError",
        "UserError": "config.errors:UserError", "DataError": "data.dataset:DataError",
    }  # fmt: skip
    __all__ = ["__version__", *_PLACES]

    def __getattr__(name: str) -> Any:
        if name not in _PLACES:
            raise AttributeError(f"module 'neurobench' has no attribute {name!r}; there is {', '.join(_PLACES)}")
        from pkgutil import resolve_name

        return resolve_name(f"neurobench.{_PLACES[name]}")

    def __dir__() -> list[str]:
        return __all__
