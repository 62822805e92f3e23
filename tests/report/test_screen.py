"""Tests of tables on a screen of any width, and in a pipe: every cell is shown; the terminal breaks longer lines."""

import io
import os
import re
from pathlib import Path

import pytest
from rich import box
from rich.table import Table

from neurobench.report.screen import Screen, named_width, print_whole

NAMES = ("eventprop_snn", "nmnist", "[16c5s2p2, 32c3s2p1]")
NUMBERS = ("98.67 ± 1.15 *", "95.81 to 100.00")
HEADINGS = ("model", "dataset", "convolutions", "validation accuracy (%)", "95 % interval")


def table() -> Table:
    made = Table(box=None)
    for number, heading in enumerate(HEADINGS):
        made.add_column(heading, no_wrap=number >= len(NAMES))
    made.add_row(*NAMES, *NUMBERS)
    return made


def lines(**how: object) -> list[str]:
    file = io.StringIO()
    print_whole(table(), Screen(file=file, color_system=None, **how))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_no_column_vanishes_and_numbers_stay_whole(width: int) -> None:
    shown = lines(width=width, force_terminal=True)
    text = "\n".join(shown)
    assert all(number in text for number in NUMBERS)
    letters = sorted("".join(text.split()))
    assert letters == sorted("".join("".join((*HEADINGS, *NAMES, *NUMBERS)).split())), "each is there once"


def test_a_table_is_no_wider_than_the_screen_if_its_names_and_headings_can_be_broken() -> None:
    for width in (80, 100):
        assert max(map(len, lines(width=width, force_terminal=True))) <= width


KEYS = ("experiment_of_a_very_long_name", "eventprop_snn", "nmnist_emulated", "[16c5s2p2, 32c3s2p1]", "0.00012345")


@pytest.mark.parametrize("keys", range(1, len(KEYS) + 1))
@pytest.mark.parametrize("width", [80, 100])
def test_a_table_of_results_with_up_to_five_keys_fits_on_the_screen(keys: int, width: int) -> None:
    """Names are broken into shorter pieces only if the table fits in no other way; nothing is lost."""
    made = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1))
    for number, name in enumerate([f"key{k}" for k in range(keys)] + ["seeds", *HEADINGS[3:], HEADINGS[3]]):
        made.add_column(name, no_wrap=number >= keys)
    cells = [*KEYS[:keys], "5", *NUMBERS, NUMBERS[0]]
    made.add_row(*cells)
    file = io.StringIO()
    print_whole(made, Screen(file=file, color_system=None, width=width, force_terminal=True))
    shown = file.getvalue().splitlines()
    assert max(len(line.rstrip()) for line in shown) <= width
    body = "".join("".join(shown[[set(line) <= {"─", " "} for line in shown].index(True) + 1 :]).split())
    assert sorted(body) == sorted("".join("".join(cells).split()))


def test_in_a_pipe_no_word_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long word stays whole: users search the output for a name, and copy it."""
    monkeypatch.delenv("COLUMNS", raising=False)
    name, sentence = "a_name_" * 40, "some words of no importance " * 20
    made = Table("run", "what")
    made.add_row(name, sentence)
    file = io.StringIO()
    print_whole(made, Screen(file=file))
    assert name in file.getvalue()
    assert len(file.getvalue().splitlines()) > 5, "sentences are broken between their words"
    assert " ".join(word for word in file.getvalue().split() if word in sentence.split()) == sentence.strip()


def test_no_word_is_truncated_in_a_table_that_sets_no_overflow() -> None:
    """Rich by default ends a long word with an ellipsis."""
    made = Table("run")
    made.add_row("x" * 100)
    file = io.StringIO()
    print_whole(made, Screen(file=file, width=40, force_terminal=True, color_system=None))
    assert file.getvalue().count("x") == 100


def test_lines_in_a_pipe_have_no_maximum_width_unless_columns_sets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert all(text in lines()[-1] for text in (*NAMES, *NUMBERS)), "one line"
    monkeypatch.setenv("COLUMNS", "60")
    assert len(lines()) > 2


@pytest.mark.parametrize("columns", ["0", "-5", "wide", "\u00b2", ""])
def test_a_columns_variable_that_is_no_positive_number_counts_as_unset(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich would print nothing at a width of 0."""
    monkeypatch.delenv("COLUMNS", raising=False)
    unset, whole = Screen(file=io.StringIO()).width, lines()
    monkeypatch.setenv("COLUMNS", columns)
    assert named_width() is None
    assert Screen(file=io.StringIO()).width == unset > 0
    assert lines() == whole
    monkeypatch.setenv("COLUMNS", "60")
    assert Screen(file=io.StringIO()).width == named_width() == 60


def test_printing_to_a_closed_pipe_raises_broken_pipe_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """`print` raises the same error; rich would end the process with exit code 1."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as file:
        monkeypatch.setattr("sys.stdout", file)
        with pytest.raises(BrokenPipeError, match="Broken pipe"):
            Screen(file=file).print("a line")


def test_a_closed_pipe_silences_reports_on_runs_and_no_other_stream(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A trial of `tune` once failed because its output was piped into `head`; JSON on stdout must not be lost."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as file, (tmp_path / "out").open("w") as other:
        monkeypatch.setattr("sys.stderr", file)
        monkeypatch.setattr("sys.stdout", other)
        console = Screen(of_run=True, stderr=True)
        console.print("a line")
        console.print("another line")
        print("the result", file=other)
    assert (tmp_path / "out").read_text() == "the result\n"


def test_verbs_that_compute_runs_report_on_screens_that_outlive_their_readers() -> None:
    room = Path(__file__).parents[2] / "neurobench" / "cli"
    for name, computing in (("run", 2), ("tune", 1), ("runs", 1), ("poll", 1), ("sweep", 2)):
        text = (room / f"{name}.py").read_text()
        assert len(re.findall(r"Screen\(of_run=True", text)) == computing, name


def test_verbs_and_the_library_print_only_on_instances_of_screen() -> None:
    room = Path(__file__).parents[2] / "neurobench"
    plain = [
        path.name
        for part in ("cli", "api", "report")
        for path in (room / part).rglob("*.py")
        if re.search(r"\bConsole\((?!quiet=True\))", path.read_text())
    ]
    assert plain == []


def test_verbs_print_tables_only_with_print_whole() -> None:
    """Tables whose column widths are set by hand are the exception."""
    room = Path(__file__).parents[2] / "neurobench"
    printed = {
        path.name for path in (room / "cli").rglob("*.py") if re.search(r"\.print\((table|board)", path.read_text())
    }
    assert printed == {"outcome.py"}
