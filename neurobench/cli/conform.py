"""`neurobench conform FRAMEWORK`: check whether a framework runs NIR graphs as NIR's equations prescribe."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from neurobench.cli.arguments import new_file, verb_parser
from neurobench.config.errors import FINE
from neurobench.phases import phase
from neurobench.process import importing
from neurobench.report.screen import Screen, print_whole
from neurobench.storage.atomic import make_folder, write_bytes, write_json

ENVIRONMENTS = Path(".frameworks")  # where `make conform-FRAMEWORK` puts them


def conform_command(words: list[str]) -> int:
    """Run reference graphs in another framework, in a separate environment, and report for each kind of node whether
    it is faithful, approximate, unsupported or wrong. `make conform-norse` creates the environment and calls this
    command."""
    parser = verb_parser("conform", conform_command.__doc__)
    parser.add_argument("framework", help="norse, snntorch, spikingjelly, sinabs, rockpool")
    parser.add_argument("--python", type=Path, metavar="FILE", help="its interpreter (.frameworks/NAME/bin/python)")
    parser.add_argument("--to", type=new_file(), metavar="FILE.md", help="write a page on all frameworks run so far")
    args = parser.parse_args(words)
    with importing("torch"):
        from neurobench.conformance.cases import SAMPLES, STEPS
        from neurobench.conformance.frameworks import conform, framework_of
        from neurobench.conformance.stored import stored, stored_file
        from neurobench.conformance.table import page

    framework = framework_of(args.framework)
    with phase(f"running graphs in {framework.name}"):
        result = conform(framework, args.python or ENVIRONMENTS / framework.name / "bin" / "python")
    target = stored_file(args.outputs, framework.name)
    make_folder(target.parent)
    write_json(target, asdict(result))
    if args.to is not None:
        write_bytes(args.to, page(stored(args.outputs), STEPS, SAMPLES).encode())
    table = Table("graph", "node", "verdict", "", box=None)
    for each in result.verdicts:
        if args.verbose or each.word != "faithful":
            table.add_row(each.case, each.kind, each.word, each.detail)
    console = Screen(highlight=False, quiet=args.quiet)
    print_whole(table, console)
    counts = Counter(each.word for each in result.verdicts)
    summary = ", ".join(f"{word} {n}" for word, n in counts.most_common())
    console.print(f"{framework.name}, {len(result.verdicts)} graphs: {summary}", style="bold", soft_wrap=True)
    return FINE
