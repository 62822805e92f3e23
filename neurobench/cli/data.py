"""`neurobench data verify | path | fetch`: the data that ships, where it lies, and the full sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from neurobench.cli.main import FAILED, FINE


def main(words: list[str]) -> int:
    """Exit code 0, or 1 where a file is not what it should be or a fetch failed."""
    from neurobench.data.store import DATASETS, fetch, path, verify

    parser = argparse.ArgumentParser(prog="neurobench data", description=__doc__)
    deeds = parser.add_subparsers(dest="deed", required=True)
    deeds.add_parser("verify", help="check every file against its recorded size and sha256")
    where = deeds.add_parser("path", help="print where a data set lies")
    where.add_argument("name", choices=DATASETS)
    get = deeds.add_parser("fetch", help="download a full set (needs a network)")
    get.add_argument("name", choices=DATASETS)
    get.add_argument("root", type=Path, help="folder to put it in; use it with dataset.root=FOLDER")
    asked = parser.parse_args(words)
    if asked.deed == "path":
        print(path(asked.name))
    elif asked.deed == "fetch":
        fetch(asked.name, asked.root)
        print(f"fetched; use it with: neurobench run dataset={asked.name} dataset.root={asked.root}")
    else:
        findings = verify()
        for name, fine, sentence in findings:
            print(f"{'fine' if fine else 'BAD '}  {name}: {sentence}")
        return FINE if all(fine for _, fine, _ in findings) else FAILED
    return FINE
