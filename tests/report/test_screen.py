"""A table on a screen of any width, and in a pipe, shows every cell; the terminal breaks what is longer than it is."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from neurobench.report.screen import print_whole

NAMES = ("eventprop_snn", "nmnist", "[16c5s2p2, 32c3s2p1]")
NUMBERS = ("98.67 ± 1.15 *", "95.81 to 100.00")
HEADINGS = ("model", "dataset", "convolutions", "validation accuracy (%)", "95 % interval")


def table() -> Table:
    made = Table(box=None)
    for number, heading in enumerate(HEADINGS):
        made.add_column(heading, overflow="fold", no_wrap=number >= len(NAMES))
    made.add_row(*NAMES, *NUMBERS)
    return made


def lines(**how: object) -> list[str]:
    file = io.StringIO()
    print_whole(table(), Console(file=file, markup=False, color_system=None, **how))  # type: ignore[arg-type]
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_no_column_vanishes_and_numbers_stay_whole(width: int) -> None:
    shown = lines(width=width, force_terminal=True)
    text = "\n".join(shown)
    assert all(number in text for number in NUMBERS)
    letters = sorted("".join(text.split()))
    assert letters == sorted("".join("".join((*HEADINGS, *NAMES, *NUMBERS)).split())), "each is there once"


def test_it_is_no_wider_than_the_screen_where_names_and_headings_can_be_broken() -> None:
    for width in (80, 100):
        assert max(map(len, lines(width=width, force_terminal=True))) <= width


def test_a_pipe_has_no_edge_unless_columns_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert all(text in lines()[-1] for text in (*NAMES, *NUMBERS)), "one line"
    monkeypatch.setenv("COLUMNS", "60")
    assert len(lines()) > 2
