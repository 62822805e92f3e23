"""Selection of the run of an experiment that the benchmarks of chips evaluate."""

from neurobench.config.errors import UserError
from neurobench.report.published import published_tables
from neurobench.report.table import newest
from neurobench.storage.folder import RunFolder
from neurobench.storage.store import default_outputs, read_index


def trained_run(experiment: str, seed: int = 0) -> RunFolder:
    """Newest run of an experiment with this seed and exactly the published setting, at the largest scale that was run.

    Raises UserError if the experiment has no published setting or no such run has finished.
    """
    outputs = default_outputs()
    settings = [each for table in published_tables().values() for each in table if each.experiment == experiment]
    if not settings:
        raise UserError(f"experiment={experiment} is in no table; neurobench list experiments has those that there are")
    named = [entry for entry in read_index(outputs) if entry.path.partition("/")[0] == settings[0].name]
    scale, entries = newest(settings[0], named, None)
    for entry in entries:
        if entry.result and entry.result["seed"] == seed:
            print(f"{entry.path}, scale={scale}", flush=True)
            return entry.folder(outputs)
    raise UserError(
        f"no run of experiment={experiment} seed={seed} has finished below {outputs}; start one with: "
        f"neurobench run experiment={experiment} seed={seed}"
    )
