"""`neurobench validate [OVERRIDES]`: check without running. Without overrides: everything that ships."""

from __future__ import annotations

from neurobench.cli.arguments import verb_parser
from neurobench.config.compose import composer, explain, read
from neurobench.config.errors import FINE, ConfigError
from neurobench.experiment.catalogue import catalogue, matrix
from neurobench.experiment.plan import faults_of

DESCRIPTION = (
    "Check a configuration without running it, as `run` does first; without overrides, check every experiment and "
    "every model with every data set and backend."
)


def main(words: list[str]) -> int:
    """Exit code 0 where all is well, 2 where something is not."""
    parser = verb_parser("validate", DESCRIPTION, outputs=False, config_dir=True)
    parser.add_argument("overrides", nargs="*", help="as of `run`: key=value")
    args = parser.parse_intermixed_args(words)
    return _one(args.overrides, args.config_dir) if args.overrides else _everything()


def _one(overrides: list[str], config_dir: str | None) -> int:
    faults, config = explain(read(overrides, config_dir), config_dir)
    if config is not None:
        faults += faults_of(config)
    if faults:
        raise ConfigError(faults)
    print("fine: this configuration can run")
    return FINE


def _everything() -> int:
    """A model that does not fit a data set or backend is no fault of the shipped files; a broken file is."""
    with composer() as compose:
        choices = catalogue()
        cells = matrix(compose, choices)
        checked = [f"{group}={name}" for group in ("model", "experiment") for name in choices[group]]
        faults = [f"{words}: {fault}" for words in checked for fault in faults_of(compose([words]))]
    if faults:
        raise ConfigError(faults)
    runs = sum(not cell.faults for cell in cells)
    print(f"fine: {', '.join(checked)}; {runs} of {len(cells)} combinations of model, dataset and backend run")
    return FINE
