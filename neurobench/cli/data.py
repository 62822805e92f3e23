"""`neurobench data verify | path | fetch | emulate | camera`: the data that ships, where it lies, and the full sets."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from neurobench.config.errors import FAILED, FINE
from neurobench.data.files import FOLDERS, bundled_folder, verify


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
    make = deeds.add_parser(
        "emulate", help="write emulated N-MNIST as official .bin files (350 MB for 10,000 recordings)"
    )
    make.add_argument("root", help="folder to put it in; use it with dataset=nmnist dataset.root=FOLDER")
    make.add_argument("--train", type=_between(1, 60_000), default=60_000, help="first training images; default 60000")
    make.add_argument("--test", type=_between(1, 10_000), default=10_000, help="first test images; default 10000")
    make.add_argument("--camera-seed", type=_between(0, 2**31 - 1), default=0, help="noise, and how late saccades are")
    likeness = deeds.add_parser("camera", help="hold the emulated recordings against the real ones of the same images")
    likeness.add_argument("--of", metavar="FILE.json", help="another camera than the one that ships")
    likeness.add_argument(
        "--fitted-to",
        type=_between(1, 999),
        metavar="N",
        help="first training pairs that camera saw; the others are shown",
    )
    likeness.add_argument("--figure", metavar="FILE.png", help="draw both side by side")
    asked = parser.parse_args(words)
    if asked.deed == "emulate":
        return _emulate(asked)
    if asked.deed == "camera":
        if asked.fitted_to and not asked.of:
            parser.error("--fitted-to speaks of a camera of your own, which --of FILE.json names")
        return _camera(asked.of, asked.fitted_to, asked.figure)
    if asked.deed == "path":
        print(bundled_folder(asked.name))
    elif asked.deed == "fetch":
        from neurobench.data.fetch import fetch

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


def _between(least: int, most: int) -> Callable[[str], int]:
    def integer(word: str) -> int:
        value = int(word)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not in [{least}, {most}]")
        return value

    return integer


def _emulate(asked: argparse.Namespace) -> int:
    from neurobench.data.camera.recordings import write

    folder, n = write(asked.root, asked.train, asked.test, asked.camera_seed)
    print(f"{n} emulated recordings in {folder}; use them with: dataset=nmnist dataset.root={asked.root}")
    return FINE


def _camera(camera: str | None, fitted_to: int | None, drawing: str | None) -> int:
    from rich.console import Console
    from rich.table import Table

    from neurobench.data.camera.figures import figures
    from neurobench.data.camera.likeness import floors, likeness, pairs, summary

    console = Console()
    training = (True, 0, "1000 training pairs, to which the camera was fitted")
    if fitted_to:
        training = (True, fitted_to, f"training pairs {fitted_to + 1} to 1000, to which the camera was not fitted")
    for train, first, words in (training, (False, 0, "100 test pairs")):
        real, made = pairs(train, 1000, camera, first=first)
        table = Table("", "real", "emulated", "difference", title=words, title_justify="left", box=None)
        for row in likeness(summary(real), summary(made)):
            table.add_row(*row)
        console.print(table)
    columns = ("", "the camera twice", "100 training against 900", "test against training")
    table = Table(*columns, title="what recordings of the same digits differ by", title_justify="left", box=None)
    for line in floors(camera):
        table.add_row(*line)
    console.print(table)
    if drawing:
        figures(camera)["camera"].savefig(drawing, dpi=110)
        console.print(f"drawn: {drawing}", highlight=False)
    return FINE
