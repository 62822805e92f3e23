"""Commands on configurations. `validate`: check whether one can run; `schema`: describe all of them for editors."""

from __future__ import annotations

import json
import sys

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from neurobench.cli.arguments import verb_parser
from neurobench.config.compose import altered, composer, explain
from neurobench.config.errors import FINE, ConfigError
from neurobench.experiment.catalogue import catalogue, matrix
from neurobench.experiment.plan import faults_of
from neurobench.experiment.request import accepted
from neurobench.phases import phase, tracked


def validate_command(words: list[str]) -> int:
    """Check a configuration without running it, as `run` does before it starts; without overrides, check every
    experiment and every model with every data set and backend. Exit code 0 if no fault is found, 2 otherwise."""
    parser = verb_parser("validate", validate_command.__doc__, outputs=False)
    parser.add_argument("overrides", nargs="*", help="as for `run`: key=value")
    args = parser.parse_intermixed_args(words)
    if not args.overrides:
        return _validate_everything(args.config_dir, args.verbose)
    overrides = accepted(args.overrides, args.config_dir)
    with phase("composing the configuration"):
        faults, config = explain(overrides, args.config_dir)
        if config is not None:
            faults += faults_of(config)
        other = altered(overrides, args.config_dir)
    if faults:
        raise ConfigError(faults, other)
    if other:
        print(f"note: {other}", file=sys.stderr)
    print("fine: this configuration can run")
    return FINE


def _validate_everything(config_dir: str | None, verbose: bool) -> int:
    """Check all shipped and user files. A model that does not fit a data set or backend is not a fault of these files;
    a broken file is."""
    choices = catalogue(config_dir)
    checked = [f"{group}={name}" for group in ("model", "experiment") for name in choices[group]]
    faults: list[str] = []
    with composer(config_dir) as compose:
        for words in tracked("composing every model and experiment", checked):
            try:
                faults += [f"{words}: {fault}" for fault in faults_of(compose([words]))]
            except (ConfigError, HydraException, OmegaConfBaseException) as error:
                broken = error.faults if isinstance(error, ConfigError) else [str(error).splitlines()[0]]
                faults += [f"{words}: {fault}" for fault in broken]
    if faults:
        raise ConfigError(faults)
    if verbose:
        print(", ".join(checked))
    with composer(config_dir) as compose, phase("composing all combinations"):
        cells = matrix(compose, choices)
    runs, models, experiments = (
        sum(not cell.faults for cell in cells),
        len(choices["model"]),
        len(choices["experiment"]),
    )
    what = f"{models} models and {experiments} experiments can run"
    print(f"fine: {what}; so can {runs} of {len(cells)} combinations of model, dataset and backend")
    return FINE


def schema_command(words: list[str]) -> int:
    """Print a JSON schema of all YAML files, derived from their specs: keys, types, bounds, choices and explanations,
    for editors. The shipped files expect it in the folder above theirs: neurobench schema > schema.json."""
    from neurobench.config.json_schema import json_schema

    args = verb_parser("schema", schema_command.__doc__, outputs=False).parse_args(words)
    print(json.dumps(json_schema(args.config_dir), indent=1))
    return FINE
