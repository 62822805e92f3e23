"""`neurobench rerun RUN`: the same configuration in a new folder, and whether its figures are the same."""

from __future__ import annotations

from rich.console import Console

from neurobench.cli.arguments import verb_parser
from neurobench.cli.show import print_result
from neurobench.config.errors import FAILED, FINE, UserError
from neurobench.experiment.execute import execute
from neurobench.experiment.reload import stored_plan
from neurobench.runs.differences import differences
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import find_run


def main(words: list[str]) -> int:
    """Exit code 0 where every figure is the same to the bit, 1 where one is not."""
    args = verb_parser("rerun", __doc__, runs=("run",)).parse_args(words)
    before = find_run(args.outputs, args.run, finished=True)
    if before.result() is None:
        raise UserError(
            f"{before.path} is '{before.status}': there is nothing to compare with. Go on with it: --resume."
        )
    plan = stored_plan(before).anew(str(before.path.parent.parent))
    console = Console(highlight=False, soft_wrap=True)
    after = execute(plan, console)
    print_result(after, console, brief=True)
    return _compare(before, after, console)


def _compare(before: RunFolder, after: RunFolder, console: Console) -> int:
    sections = differences(before, after)
    console.print(f"new run {after.path}")
    if not sections["metrics"]:
        result = after.result()
        assert result is not None
        console.print(f"the same: all {len(result['metrics'])} figures came out as before, to the bit")
        return FINE
    console.print(f"NOT the same: {len(sections['metrics'])} figures differ", style="bold red")
    for key, a, b in sections["metrics"]:
        console.print(f"  {key}: {a} before, {b} now")
    if sections["provenance"]:
        console.print("what else is not as it was:")
        for key, a, b in sections["provenance"]:
            console.print(f"  {key}: {a} before, {b} now")
    return FAILED
