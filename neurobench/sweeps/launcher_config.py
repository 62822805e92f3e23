"""A site's default launcher settings, in a YAML file: `sweep --launcher-config my_cluster.yaml`.

    launcher: slurm
    partition: long
    timeout_min: 120
    setup: [module load cuda]

`launcher` and `workers` are those of the command line, which takes precedence; every other key is one of `--with`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from neurobench.config.errors import UserError


@dataclass(frozen=True)
class LauncherConfig:
    launcher: str = "local"
    workers: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def read_launcher_config(path: Path) -> LauncherConfig:
    """Read the file. Raises UserError if it cannot be read or is invalid."""
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise UserError(f"--launcher-config {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"--launcher-config {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise UserError(f"--launcher-config {path}: write KEY: VALUE, one per line (launcher: slurm, partition: long)")
    workers = values.pop("workers", None)
    if not (workers is None or (isinstance(workers, int) and not isinstance(workers, bool))):
        raise UserError(f"--launcher-config {path}: workers: {workers} is not a number of jobs at once")
    launcher = str(values.pop("launcher", "local"))
    return LauncherConfig(launcher, workers, {str(key): value for key, value in values.items()})
