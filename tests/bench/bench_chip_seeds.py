"""Test accuracy over emulated copies of a chip: python tests/bench/bench_chip_seeds.py NAME [SCALE]

Reads the finished runs of an experiment that differ in `chip` and `chip_seed` of their device (an annealer, a
BrainScaleS-2); of each copy the newest counts. Writes NAME.csv, .md and .png into outputs/chips. See
`make table-chip-seeds`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

import yaml

from neurobench.config.errors import UserError
from neurobench.report.spread import Draw, markdown, violins, write
from neurobench.storage.store import default_outputs, read_index

TITLES = {"test_accuracy": "test accuracy"}


def draws(outputs: Path, name: str, scale: str) -> Iterator[Draw]:
    newest: dict[tuple[str, int], dict[str, float]] = {}
    for entry in read_index(outputs):  # the newest last
        result = entry.result
        if not result or (result["name"], result["scale"]) != (name, scale):
            continue
        backend = yaml.safe_load((entry.folder(outputs).path / "config.yaml").read_text())["backend"]
        for device in backend.values():
            if isinstance(device, dict) and "chip_seed" in device and "solver" not in device:  # emulated alone
                newest[device.get("chip", "BrainScaleS-2"), device["chip_seed"]] = result["metrics"]
    for (chip, seed), metrics in sorted(newest.items()):
        yield Draw(chip, f"scale {scale}", f"chip_seed={seed}", {key: metrics[key] for key in TITLES})


def main(name: str, scale: str = "paper") -> None:
    outputs = default_outputs()
    drawn = list(draws(outputs, name, scale))
    if not drawn:
        raise UserError(
            f"there is no finished run of {name} at scale {scale} below {outputs}: see make table-chip-seeds."
        )
    text = markdown(drawn, TITLES, "copies", [])
    print(f"{name}\n\n{text}")
    for file in write(outputs / "chips", name, drawn, text, violins(drawn, TITLES, {})):
        print(file)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
