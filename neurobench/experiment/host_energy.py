"""Joules used by this machine's processors and GPU in each phase, if it has readable counters.

Zeus reads them (You et al., NSDI 2023; `pip install zeus-ml`): RAPL of Intel and AMD processors with their memory, and
NVML of a GPU. They count the whole machine, including whatever else runs on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neurobench.config.errors import not_installed
from neurobench.config.targets import import_extra, is_installed

RESUMED = "the run was resumed: the energy of earlier sessions is not known"
NO_COUNTER = (
    "this machine has no readable energy counter: neither RAPL of a processor (on Linux /sys/class/powercap, which "
    "requires root) nor NVML of a GPU"
)
OWNER = "host_energy=true"


def extra_fault() -> str | None:
    """Reason why energy cannot be measured here, or None."""
    return None if is_installed("zeus") else not_installed(OWNER, "zeus", "energy")


def is_host_energy(metric: str) -> bool:
    """Whether a metric is measured on this machine, so that it differs each time."""
    return re.fullmatch(r"host_\w+_joules", metric) is not None


class HostEnergy:
    """Joules by metric name, and why others are undefined. If not enabled, nothing is loaded or measured."""

    def __init__(self, enabled: bool):
        """Load the monitor if enabled. Raises UserError if the extra is then not installed."""
        self.joules: dict[str, float] = {}
        self.undefined: dict[str, str] = {}
        self._monitor: Any = _monitor() if enabled else None

    @contextmanager
    def measured(self, phase: str) -> Iterator[None]:
        """Context manager: measure `host_<phase>_joules` of its block."""
        name = f"host_{phase}_joules"
        if self._monitor is None:
            yield
            return
        if not (self._monitor.cpu_indices or self._monitor.gpu_indices):
            self.undefined[name] = NO_COUNTER
            yield
            return
        self._monitor.begin_window(phase)
        try:
            yield
        finally:
            measurement = self._monitor.end_window(phase)
        parts = (measurement.gpu_energy, measurement.cpu_energy, measurement.dram_energy)
        self.joules[name] = sum(sum(part.values()) for part in parts if part)

    def forget(self, phase: str, reason: str) -> None:
        """Discard a measurement that does not cover what its name says."""
        if self.joules.pop(f"host_{phase}_joules", None) is not None:
            self.undefined[f"host_{phase}_joules"] = reason


def _monitor() -> Any:
    zeus = import_extra("zeus.monitor", "energy", OWNER)
    return zeus.ZeusMonitor()
