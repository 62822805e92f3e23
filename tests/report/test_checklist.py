"""Tests of the sceptic's checklist of RESULTS.md: what was seen before each choice, for every preset that ships."""

import re
from pathlib import Path

from neurobench import conf

ROOT = Path(__file__).parents[2]
ANSWERS = {"no", "yes", "not recorded", "the prototype's", "the prototype's; the earlier preset's"}


def presets(cell: str, known: set[str]) -> set[str]:
    """Presets that a cell names: `whole`, `_ending` of the family of the last whole one, `family_*`."""
    named: set[str] = set()
    whole = ""
    for word in re.findall(r"`([\w*]+)`", cell):
        if word.endswith("*"):
            named |= {name for name in known if name.startswith(word[:-1])}
        elif word.startswith("_"):
            stem = whole
            while stem and f"{stem}{word}" not in known:
                stem = stem.rpartition("_")[0]
            named.add(f"{stem}{word}")
        else:
            whole = word
            named.add(word)
    return named


def test_every_preset_is_on_the_checklist_once_and_nothing_else_is() -> None:
    text = (ROOT / "outputs/readme/RESULTS.md").read_text()
    section = text.split("## A sceptic's checklist\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    known = {file.stem for file in (Path(conf.__path__[0]) / "experiment").glob("*.yaml")}
    lines = [presets(cells[0], known) for cells in rows]
    assert known - set().union(*lines) == set(), "it is said nowhere what was in view when these were chosen"
    assert set().union(*lines) - known == set(), "there are no such presets"
    twice = [name for name in known if sum(name in line for line in lines) > 1]
    assert [name for name in twice if not name.startswith("controls_")] == []  # `controls_*`: all but those named
    assert {cells[-1].rstrip(" |") for cells in rows} <= ANSWERS, "were test figures in view?"
