"""`neurobench data verify | path | fetch | emulate | camera`: check and locate shipped data, obtain the full sets."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurobench.cli.arguments import verb_parser
from neurobench.config.errors import FAILED, FINE
from neurobench.config.overrides import override_of
from neurobench.data.files import FOLDERS, bundled_folder, fetch, verify
from neurobench.phases import phase
from neurobench.process import importing
from neurobench.storage.atomic import require_writable

PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".eps")


def data_command(words: list[str]) -> int:
    """Run `neurobench data`. Exit code 0, or 1 if a file is not as recorded or a download failed."""
    parser = _parser()
    args = parser.parse_args(words)
    if args.action == "camera" and args.fitted_to and not args.of:
        parser.error("--fitted-to needs your own camera: add --of FILE.json")
    if args.action == "camera" and args.figure and Path(args.figure).suffix.lower() not in PICTURES:
        parser.error(f"--figure {args.figure}: its suffix is not one of {', '.join(PICTURES)}")
    if args.action == "verify":
        with phase("hashing every file"):
            verdicts = verify()
        for verdict in verdicts:
            print(f"{'fine' if verdict.ok else 'BAD '}  {verdict.name}: {verdict.sentence}")
        return FINE if all(verdict.ok for verdict in verdicts) else FAILED
    if args.action == "path":
        print(bundled_folder(args.name))
    elif args.action == "fetch":
        with phase(f"downloading {args.name}"):
            root = fetch(args.name, args.root)
        print(f"fetched; use it with: {_command(args.name, root)}")
    elif args.action == "emulate":
        with importing("torch"):
            from neurobench.data.camera.recordings import write

        folder, n = write(args.root, args.train, args.test, args.camera_seed)
        print(f"{n} emulated recordings in {folder}; use them with: {_command('nmnist', args.root)}")
    else:
        _camera(args.of, args.fitted_to, args.figure)
    return FINE


def _command(dataset: str, root: Any) -> str:
    """Shell command that starts a run with this data set."""
    return shlex.join(["neurobench", "run", f"dataset={dataset}", override_of("dataset.root", str(root))])


def _parser() -> argparse.ArgumentParser:
    parser = verb_parser("data", __doc__, outputs=False)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("verify", help="check every file against its recorded size and sha256")
    path = actions.add_parser("path", help="print the folder of a data set's bundled files")
    path.add_argument("name", choices=FOLDERS)
    full = actions.add_parser("fetch", help="download a full set (needs a network connection)")
    full.add_argument("name", choices=FOLDERS)
    full.add_argument("root", help="folder to put it in; use it with dataset.root=FOLDER")
    _add_emulation(actions)
    return parser


def _add_emulation(actions: Any) -> None:
    purpose = "write emulated N-MNIST as official .bin files (350 MB for 10,000 recordings)"
    emulate = actions.add_parser("emulate", help=purpose)
    emulate.add_argument("root", help="folder to put it in; use it with dataset=nmnist dataset.root=FOLDER")
    for name, most, images in (("--train", 60_000, "training"), ("--test", 10_000, "test")):
        emulate.add_argument(name, type=_between(1, most), default=most, help=f"first {images} images; default {most}")
    seed = _between(0, 2**31 - 1)
    emulate.add_argument("--camera-seed", type=seed, default=0, help="seed of the noise and of the delays of saccades")
    camera = actions.add_parser("camera", help="compare the emulated recordings with the real ones of the same images")
    camera.add_argument("--of", metavar="FILE.json", help="a camera other than the bundled one")
    pairs = "number of training pairs, from the first, used to fit that camera; the others are compared"
    camera.add_argument("--fitted-to", type=_between(1, 999), metavar="N", help=pairs)
    camera.add_argument("--figure", metavar="FILE.png", help="draw both side by side")


def _between(least: int, most: int) -> Callable[[str], int]:
    def integer(word: str) -> int:
        value = int(word)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not in [{least}, {most}]")
        return value

    return integer


def _camera(camera: str | None, fitted_to: int | None, drawing: str | None) -> None:
    from rich.table import Table

    from neurobench.report.screen import Screen, print_whole

    with importing("torch"):
        from neurobench.data.camera.likeness import drawings, floors, likeness, pairs, summary
        from neurobench.figures.style import paper

    if drawing:
        require_writable(Path(drawing), "name a file elsewhere: --figure FILE.png")
    console = Screen()
    training = (True, 0, "1000 training pairs, to which the camera was fitted")
    if fitted_to:
        training = (True, fitted_to, f"training pairs {fitted_to + 1} to 1000, to which the camera was not fitted")
    for train, first, words in (training, (False, 0, "100 test pairs")):
        with phase(f"emulating and comparing {words.partition(',')[0]}"):
            real, made = pairs(train, 1000, camera, first=first)
            rows = likeness(summary(real), summary(made))
        table = Table("", "real", "emulated", "difference", title=words, title_justify="left", box=None)
        for row in rows:
            table.add_row(*row)
        print_whole(table, console)
    columns = ("", "two emulations", "100 training against 900", "test against training")
    table = Table(*columns, title="differences between recordings of the same digits", title_justify="left", box=None)
    with phase("measuring differences between recordings of the same digits"):
        lines = list(floors(camera))
    for line in lines:
        table.add_row(*line)
    print_whole(table, console)
    if drawing:
        with phase("drawing"):
            with paper():
                figure = drawings(camera)["camera"].draw()
            assert not isinstance(figure, bytes)
            figure.savefig(drawing, dpi=200)
        console.print(f"drawn: {drawing}", highlight=False, soft_wrap=True)
