"""Rerun one row of each table with the command that the row prints, and compare the result with its record.

    python tests/bench/again.py [TABLE ...] [--seeds N]  # `make again`; all tables: most of an hour on one core

For each table, the row whose recorded runs took the least time is rerun with its printed command for the seeds that
have a record, with --seeds only the first N of them, into a temporary folder. A row is "equal" if its values are
bit-identical to the record for every seed, as they must be on the same CPU with the same versions; otherwise their mean
must lie in the record's 95 % interval, which the mean of only a few of its seeds may miss. Exit code 1 if a row does
neither.
"""

import argparse
import contextlib
import io
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from neurobench.cli.main import main as neurobench
from neurobench.config.schema import Row
from neurobench.report.published import published_tables
from neurobench.report.records import read_records
from neurobench.report.table import ResultRow, join

RECORDS = Path(__file__).parents[2] / "outputs/readme/records.jsonl"


def cheapest(rows: Sequence[ResultRow]) -> ResultRow | None:
    """Fastest recorded row with an interval; a single seed has none if its metric is not a proportion."""
    recorded = [row for row in rows if row.runs and row.interval]
    return min(recorded, key=lambda row: (row.wall_seconds or 0.0) * len(row.runs), default=None)


def again(row: ResultRow, seeds: Sequence[int], folder: Path) -> dict[int, float]:
    """Run a row's printed command with the given seeds and output folder; return its figure by seed."""
    command = [word for word in shlex.split(row.again)[1:] if not word.startswith("seed=")]
    words = [*command, f"seed={','.join(map(str, seeds))}", f"outputs={folder}"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = neurobench(words)
    if code:
        sys.exit(f"{row.again}: exit code {code}\n{printed.getvalue()}")
    return found(row.row, row.experiment, folder)


def found(row: Row, experiment: str, folder: Path) -> dict[int, float]:
    settings = [entry for entries in published_tables().values() for entry in entries if entry.experiment == experiment]
    (result,) = [one for one in join(settings, folder) if one.row.id == row.id]
    return result.by_seed


def verdict(row: ResultRow, values: dict[int, float]) -> str:
    if values and values == {seed: row.by_seed[seed] for seed in values}:
        return "equal"
    mean = sum(values.values()) / len(values) if values else float("nan")
    assert row.interval
    low, high = row.interval
    return f"{'inside' if low <= mean <= high else 'OUTSIDE'}: {mean:.6g}"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", help="all of them unless named")
    parser.add_argument("--seeds", type=int, metavar="N", help="the first N of each row's")
    args = parser.parse_args(words)
    tables = published_tables()
    entries = [record.entry() for record in read_records(RECORDS)]
    verdicts = []
    for name in args.tables or tables:
        row = cheapest(join(tables[name], RECORDS.parent, entries))
        if row is None:
            print(f"{name}: no record")
            continue
        assert row.interval
        with tempfile.TemporaryDirectory() as folder:
            verdicts.append(verdict(row, again(row, list(row.by_seed)[: args.seeds], Path(folder))))
        low, high = row.interval
        print(f"{name}: {row.row.what}\n  {row.again}")
        print(f"  record {row.mean:.6g} ({low:.6g} to {high:.6g}), again: {verdicts[-1]}", flush=True)
    return int(any(one.startswith("OUTSIDE") for one in verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
