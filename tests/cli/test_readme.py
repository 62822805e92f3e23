"""Tests of the README: short, its commands and Python work unchanged, its sample output is what the tool prints."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurobench.config.errors import BAD_USAGE
from neurobench.report.document import refreshed, tables_named
from neurobench.report.published import published_tables
from neurobench.report.records import read_records
from neurobench.report.table import join
from tests.cli.test_pages import call, check
from tests.cli.test_pages import folder as reader  # noqa: F401  the folder that a reader of the pages types in

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    return re.findall(r"^    (neurobench .*)$", README, re.MULTILINE)


def sample() -> Iterator[str]:
    """Lines in the README that end the output of `make run`."""
    (block,) = re.findall(r"It ends like this:\n\n((?:    .*\n)+)", README)
    return (line[4:] for line in block.splitlines())


def test_the_readme_is_short_and_the_files_that_it_links_to_exist() -> None:
    assert len(README.splitlines()) <= 160
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_single_test_that_new_contributors_are_told_to_run_exists() -> None:
    (named,) = re.findall(r"pytest .*(tests/\S+\.py) -k (\w+)", (ROOT / "CONTRIBUTING.md").read_text())
    assert re.search(rf"def test_\w*{named[1]}", (ROOT / named[0]).read_text())


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_readme_works(
    line: str,
    reader: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(reader)
    if "--plugin mine.py" in line and not Path("mine.py").exists():
        assert call(["new", "model", "mine"]) == 0
    check(line, capsys)


def test_the_python_code_in_the_readme_runs(reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(reader)
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    exec(code, {})


def test_lines_of_the_sample_output_begin_like_those_that_a_run_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run at smoke scale: numbers and samples differ, and a note explains smoke."""
    assert call(["run", "model=qrbm", "backend=sim", "scale=smoke", f"outputs={tmp_path}"]) == 0
    printed = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("note ")]
    shapes = [[re.sub(r"[\d.,]+", "#", line)[:11] for line in lines] for lines in (printed, sample())]
    assert shapes[0] == shapes[1]


def test_the_refusal_in_the_readme_is_what_its_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """Compared line by line; `...` stands for the rest of a list."""
    (command, refusal) = re.findall(r"^    \$ neurobench (.*)\n((?:    .*\n)+)", README, re.MULTILINE)[0]
    assert call(command.split()) == BAD_USAGE
    printed = capsys.readouterr().err.splitlines()
    for shown, line in zip(refusal.splitlines(), printed, strict=True):
        assert re.fullmatch(re.escape(shown[4:]).replace(r"\.\.\.", ".*"), line), line


def test_figures_in_the_readme_are_those_of_the_recorded_runs() -> None:
    """Not fewer than ever, each with its band and verdict if one was declared, and none typed by hand."""
    table = README[README.index("| tutorial | published") : README.index("The table gives mean ± standard deviation")]
    assert table.count("<!-- figure ") >= 8
    by_hand = re.sub(r"<!-- figure .*?<!-- end -->", "", table)
    assert re.findall(r"\d+\.\d+ ± \d+", by_hand) == []
    entries = [record.entry() for record in read_records(ROOT / "outputs/readme/records.jsonl")]
    tables = published_tables()
    assert refreshed(README, {name: join(tables[name], ROOT, entries) for name in tables_named(README)}) == README
