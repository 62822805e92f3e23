"""`neurobench data verify | path | fetch`: the data that ships, where it lies, and the full sets."""

from __future__ import annotations

import argparse

from neurobench.cli.main import FAILED, FINE
from neurobench.data.store import FOLDERS, fetch, path, verify


def main(words: list[str]) -> int:
    """Exit code 0, or 1 where a file is not what it should be or a fetch failed."""
    parser = argparse.ArgumentParser(prog="neurobench data", description=__doc__)
    deeds = parser.add_subparsers(dest="deed", required=True)
    deeds.add_parser("verify", help="check every file against its recorded size and sha256")
    where = deeds.add_parser("path", help="print where a data set's bundled files lie")
    where.add_argument("name", choices=FOLDERS)
    get = deeds.add_parser("fetch", help="download a full set (needs a network)")
    get.add_argument("name", choices=FOLDERS)
    get.add_argument("root", help="folder to put it in; use it with dataset.root=FOLDER")
    asked = parser.parse_args(words)
    if asked.deed == "path":
        print(path(asked.name))
    elif asked.deed == "fetch":
        root = fetch(asked.name, asked.root)
        print(f"fetched; use it with: neurobench run dataset={asked.name} dataset.root={root}")
    else:
        return _verify()
    return FINE


def _verify() -> int:
    verdicts = verify()
    for verdict in verdicts:
        print(f"{'fine' if verdict.ok else 'BAD '}  {verdict.name}: {verdict.sentence}")
    return FINE if all(verdict.ok for verdict in verdicts) else FAILED
