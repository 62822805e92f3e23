"""`neurobench rerun RUN`: the same configuration in a new folder, and whether the same figures came out."""

from __future__ import annotations

import argparse

from rich.console import Console

from neurobench.cli.outputs import add_outputs
from neurobench.cli.summary import print_result
from neurobench.config.errors import FAILED, FINE, UserError
from neurobench.experiment.execute import execute
from neurobench.experiment.reload import stored_plan
from neurobench.runs.differences import differences
from neurobench.runs.folder import RunFolder
from neurobench.runs.store import find_run


def main(words: list[str]) -> int:
    """Exit code 0 where every figure is the same to the bit, 1 where one is not."""
    parser = argparse.ArgumentParser(prog="neurobench rerun", description=__doc__)
    parser.add_argument("run", help='a path, an id or its beginning, a name (its newest run), or "latest"')
    add_outputs(parser)
    asked = parser.parse_args(words)
    before = find_run(asked.outputs, asked.run)
    if before.result() is None:
        status = before.record()["status"]
        raise UserError(f"{before.path} is '{status}': there is nothing to compare with. Go on with it: --resume.")
    plan = stored_plan(before).anew(str(before.path.parent.parent))
    console = Console()
    after = execute(plan, console)
    print_result(after, console, brief=True)
    return _tell(before, after, console)


def _tell(before: RunFolder, after: RunFolder, console: Console) -> int:
    found = differences(before, after)
    console.print(f"new run {after.path}", highlight=False, soft_wrap=True)
    if not found["metrics"]:
        result = after.result()
        assert result is not None
        console.print(f"the same: all {len(result['metrics'])} figures came out as before, to the bit", highlight=False)
        return FINE
    console.print(f"NOT the same: {len(found['metrics'])} figures differ", style="bold red", highlight=False)
    for key, a, b in found["metrics"]:
        console.print(f"  {key}: {a} before, {b} now", highlight=False)
    if found["provenance"]:
        console.print("what else is not as it was:", highlight=False)
        for key, a, b in found["provenance"]:
            console.print(f"  {key}: {a} before, {b} now", highlight=False, soft_wrap=True)
    return FAILED
