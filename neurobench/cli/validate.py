"""`neurobench validate [OVERRIDES]`: check without running. Without overrides: everything that ships."""

from __future__ import annotations

from neurobench.cli.main import FINE
from neurobench.config.compose import composer, explain
from neurobench.config.errors import ConfigError
from neurobench.experiment.catalogue import catalogue, matrix
from neurobench.experiment.plan import check


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
        faults += check(config)
    if faults:
        raise ConfigError(faults)
    print("fine: this configuration can run")
    return FINE


def _everything() -> int:
    """A model that does not fit a data set or backend is no fault of the shipped files; a broken file is."""
    with composer() as compose:
        there, cells = catalogue(), matrix(compose)
        found = {f"model={model}": check(compose([f"model={model}"])) for model in there["model"]}
        found |= {f"experiment={name}": check(compose([f"experiment={name}"])) for name in there["experiment"]}
    faults = [f"{what}: {fault}" for what, list_ in found.items() for fault in list_]
    if faults:
        raise ConfigError(faults)
    runs = sum(not cell.faults for cell in cells)
    print(f"fine: {', '.join(found)}; {runs} of {len(cells)} combinations of model, dataset and backend run")
    return FINE
