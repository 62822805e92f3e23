"""`neurobench validate [OVERRIDES]`: check without running. Without overrides: everything that ships."""

from __future__ import annotations

from neurobench.cli.main import FINE
from neurobench.config.compose import composer, explain
from neurobench.config.errors import ConfigError
from neurobench.experiment.catalogue import catalogue, matrix
from neurobench.experiment.plan import faults_of


def main(words: list[str]) -> int:
    """Exit code 0 where all is well, 2 where something is not."""
    if any(word in ("-h", "--help") for word in words):
        print(
            "usage: neurobench validate [OVERRIDES]\n\nCheck a configuration without running it, as `run` does first;"
        )
        print("without overrides, check every experiment and every model with every data set and backend.")
        return FINE
    return _one(words) if words else _everything()


def _one(words: list[str]) -> int:
    faults, config = explain(words)
    if config is not None:
        faults += faults_of(config)
    if faults:
        raise ConfigError(faults)
    print("fine: this configuration can run")
    return FINE


def _everything() -> int:
    """A model that does not fit a data set or backend is no fault of the shipped files; a broken file is."""
    with composer() as compose:
        choices, cells = catalogue(), matrix(compose)
        checked = [f"{group}={name}" for group in ("model", "experiment") for name in choices[group]]
        faults = [f"{words}: {fault}" for words in checked for fault in faults_of(compose([words]))]
    if faults:
        raise ConfigError(faults)
    runs = sum(not cell.faults for cell in cells)
    print(f"fine: {', '.join(checked)}; {runs} of {len(cells)} combinations of model, dataset and backend run")
    return FINE
