"""`neurobench export RUN --format FORMAT`: a finished run's model in a format of its own field."""

from __future__ import annotations

from pathlib import Path

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FINE, UserError, did_you_mean
from neurobench.config.targets import load
from neurobench.runs.atomic import write_bytes
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import find_run

SUFFIX = {"qasm3": "qasm", "netx": "net"}  # of formats whose files are known by another one


def main(words: list[str]) -> int:
    parser = verb_parser("export", __doc__, runs=("run",))
    parser.add_argument(
        "--format",
        required=True,
        help="the QRBM knows bqm (dimod's own) and json, hybrid_qcnn qasm3, "
        "slayer_snn netx (HDF5 for lava), nir and pt (lava-dl)",
    )
    parser.add_argument("--to", type=Path, metavar="FILE", help="where to write it (model.FORMAT in the run's folder)")
    args = parser.parse_args(words)
    folder = find_run(args.outputs, args.run, finished=True)
    target = args.to or folder.path / f"model.{SUFFIX.get(args.format, args.format)}"
    if not target.parent.is_dir():
        raise UserError(f"--to {target}: there is no folder {target.parent}")
    write_bytes(target, _bytes(folder, args.format))
    print(target)
    return FINE


def _bytes(folder: RunFolder, name: str) -> bytes:
    from neurobench.experiment.reload import load_learner

    loaded = load_learner(folder)
    formats = load(loaded.plan.model.exports)(loaded.learner) if loaded.plan.model.exports else {}
    if name not in formats:
        known = f"it knows {', '.join(formats)}" if formats else "it knows none"
        raise UserError(f"model={loaded.plan.model_name} has no format {name}; {known}.{did_you_mean(name, formats)}")
    return formats[name]()
