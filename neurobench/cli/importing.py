"""`neurobench import FILE.nir --data nmnist`: test a network from another framework on a data set."""

from __future__ import annotations

from pathlib import Path

from neurobench.cli.arguments import verb_parser
from neurobench.cli.run import run_command
from neurobench.config.errors import UserError
from neurobench.config.overrides import override_of


def import_command(words: list[str]) -> int:
    """Test a network of another framework, given as a NIR graph, on a data set: a run like any other, without training.
    Further arguments are those of `run`: model.scheme=exponential, or model.lr=0.001 training.epochs=5 to train it
    further."""
    parser = verb_parser("import", import_command.__doc__, outputs=False)
    parser.add_argument("file", type=Path, metavar="FILE.nir")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for `run`")
    parser.add_argument("--data", default="nmnist", metavar="NAME", help="data set of recordings (%(default)s)")
    args = parser.parse_intermixed_args(words)
    if not args.file.is_file():
        raise UserError(f"{args.file}: there is no such file.")
    if args.file.suffix != ".nir":
        raise UserError(f"{args.file}: its suffix is not .nir; graphs in NIR's format can be imported.")
    named = [args.data, *(word.removeprefix("dataset=") for word in args.overrides if word.startswith("dataset="))]
    chosen = [
        "model=nir_graph",
        f"dataset={args.data}",
        override_of("model.init_from", str(args.file.resolve())),
        override_of("name", f"{args.file.stem}-{named[-1]}"),
        "model.lr=0",
        "training.epochs=1",
    ]
    options = [*(["--verbose"] if args.verbose else []), *(["--quiet"] if args.quiet else [])]
    options += ["--config-dir", args.config_dir] if args.config_dir else []
    return run_command([*chosen, *args.overrides, *options])
