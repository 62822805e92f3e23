"""Promises of the phases: on a terminal one line that is erased afterwards and never interrupts printed output;
elsewhere a line at growing intervals."""

import io
import os
import subprocess
import sys
import time

import pytest

from neurobench import phases
from neurobench.phases import Log, Phase, innermost, phase
from tests.terminal import on_a_terminal


class Screen:
    """Emulated terminal of one page, which obeys carriage return, line feed and erasing to the end of a line."""

    def __init__(self) -> None:
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text: str) -> "Screen":
        position = 0
        while position < len(text):
            here = text[position]
            if text.startswith("\x1b[K", position):
                self.lines[self.row] = self.lines[self.row][: self.column]
                position += 3
                continue
            if here == "\r":
                self.column = 0
            elif here == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + here + line[self.column + 1 :]
                self.column += 1
            position += 1
        return self


def written(script: str) -> str:
    """Output that a Python script writes to a terminal."""
    return on_a_terminal([sys.executable, "-c", script], os.environ)


def test_the_line_of_a_phase_is_visible_while_it_lasts_and_erased_afterwards() -> None:
    seen = written(
        "import sys, time\nfrom neurobench.phases import phase, shown\n"
        "with shown(), phase('outer'):\n"
        "    with phase('reading data', 4) as progress:\n"
        "        time.sleep(0.25); progress.advance(); time.sleep(0.25)\n"
        "        print('a result'); sys.stderr.write('a warning\\n'); time.sleep(0.25)\n"
    )
    assert "reading data" in seen
    assert "25%" in seen
    assert "left" in seen
    assert [line for line in Screen().feed(seen).lines if line] == ["a result", "a warning"]


def test_no_progress_is_drawn_into_an_unfinished_line() -> None:
    seen = written(
        "import time\nfrom neurobench.phases import phase, shown\n"
        "with shown(), phase('waiting'):\n"
        "    print('half', end=''); time.sleep(0.3); print(' whole')\n"
    )
    assert "half whole" in seen


def test_innermost_returns_the_innermost_phase_and_none_outside_of_phases() -> None:
    with phase("outer"):
        with phase("inner"):
            assert innermost().name == "inner"
        assert innermost().name == "outer"
    assert innermost() is None


def test_time_left_extrapolates_the_pace_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    half = Phase("half", 10)
    half.advance(2)
    monkeypatch.setattr(time, "monotonic", lambda: 4.0)
    assert half.times() == "4.0 s, 16 s left"


def test_without_a_terminal_progress_lines_come_at_doubling_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(phases.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    log, spoken = Log(stream), []
    with phase("training"):
        for second in range(120):
            now[0] = float(second)
            log.show()
            spoken.append(stream.getvalue().count("\n"))
    assert [second for second in range(1, 120) if spoken[second] > spoken[second - 1]] == [5, 15, 35, 75]


def test_a_pipe_receives_results_without_progress_lines() -> None:
    script = (
        "import time\nfrom neurobench.phases import phase, shown\n"
        "with shown(), phase('waiting'):\n    time.sleep(0.2); print('a result')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a result\n", "")
