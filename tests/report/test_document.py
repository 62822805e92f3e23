"""Tests of `table --into`: marked places of a document change to the rows that they name, and nothing else changes."""

from dataclasses import replace
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.config.errors import UserError
from neurobench.config.schema import Row
from neurobench.report.document import refreshed, require_ends, tables_named
from neurobench.report.published import published_tables
from neurobench.report.table import ResultRow, join

ROW = Row("accuracy", "Accuracy", "test_accuracy", 0.97, "a paper", [0.95, 0.96], "on the test set")
DRAFT = """# A paper

<!-- table lava error accuracy -->
what stood here before
<!-- end -->
Text between.
<!-- table nest -->
<!-- end -->
The end.
"""


def row(metric: str, id: str, *values: float, **more: str) -> ResultRow:
    runs = tuple({"metrics": {metric: value}, "seed": seed, "data": {}} for seed, value in enumerate(values))
    return ResultRow(replace(ROW, id=id, metric=metric, **more), "e", runs, "paper", "h")


LAVA = [row("test_accuracy", "accuracy", 0.95, 0.97), row("test_error", "error", 0.25), row("x", "not_run")]


def test_a_marked_place_receives_its_named_rows_in_their_order_and_nothing_else_changes() -> None:
    text = refreshed(DRAFT, {"lava": LAVA})
    again = "`neurobench sweep experiment=e seed="
    head, table, rest = text.partition(
        f"| Accuracy | 0.97 | - | 0.25 | 0.95 to 0.96 | - | OUT | 0 | {again}0` |\n"
        f"| Accuracy | 97.00 % | - | 96.00 ± 1.41 % | 95 to 96 % | - | in band | 0,1 | {again}0,1` |\n"
    )
    assert table
    assert head.startswith("# A paper\n\n<!-- table lava error accuracy -->\n\n| figure |")
    assert rest == "\n<!-- end -->\n" + DRAFT.partition("<!-- end -->\n")[2]
    assert "before" not in text
    assert refreshed(text, {"lava": LAVA}) == text


@pytest.mark.parametrize(
    ("declared", "cell", "remark"),
    [((0, 1), " 0,1 ", ""), ((0, 1, 2), " 0,1 of 3 ", ", 2 of 3 seeds"), ((0, 5), " 0,1 without 5 ", ", 1 of 2 seeds")],
)
def test_a_declared_seed_without_a_run_is_stated_even_if_another_seed_was_run(
    declared: tuple[int, ...], cell: str, remark: str
) -> None:
    """Two seeds, one of which was not declared, once passed for both that were."""
    draft = "<!-- table lava -->\n<!-- end -->\n<!-- figure lava accuracy --><!-- end -->\n"
    text = refreshed(draft, {"lava": [replace(LAVA[0], declared_seeds=declared)]})
    assert f"|{cell}|" in text
    assert f"(95 to 96 %: in band{remark})" in text


def test_a_marked_place_without_row_ids_receives_every_measured_row() -> None:
    text = refreshed(DRAFT, {"nest": LAVA})
    assert text.count("\n| Accuracy |") == 2


def test_an_unknown_row_is_refused_with_the_rows_that_exist() -> None:
    with pytest.raises(UserError, match="table lava has no row error; it has accuracy"):
        refreshed(DRAFT, {"lava": LAVA[:1]})


def test_a_place_for_an_id_that_several_rows_have_is_refused() -> None:
    """As after copying an experiment: the last one's figure was once written, or "no record"."""
    twice = [LAVA[0], replace(LAVA[0], experiment="copy")]
    with pytest.raises(UserError, match=r"several rows accuracy \(experiment=.*, experiment=copy\): give"):
        refreshed("<!-- figure lava accuracy --><!-- end -->", {"lava": twice})


def test_the_matrix_is_written_as_a_grid_of_models_and_data_sets() -> None:
    cells = [
        row("test_accuracy", f"{m}{d}", 0.5 + 0.1 * d, model=m, dataset=f"D{d}", backend="sim")
        for m in "AB"
        for d in (1, 2)
    ]
    text = refreshed("<!-- table matrix -->\n<!-- end -->\n", {"matrix": cells})
    assert "| model | D1, `sim` | D2, `sim` |" in text
    assert "| B | 60.0 % | 70.0 % |" in text
    cells[0] = replace(cells[0], scale="quick")
    text = refreshed("<!-- table matrix -->\n<!-- end -->\n", {"matrix": cells})
    assert "| A | 60.0 % (quick) | 70.0 % |" in text, "a cell that is no result says so"


def test_every_cell_of_the_declared_matrix_has_its_place_in_the_grid(tmp_path: Path) -> None:
    text = refreshed("<!-- table matrix -->\n<!-- end -->\n", {"matrix": join(published_tables()["matrix"], tmp_path)})
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| model")]
    assert [line.count(" -") for line in lines] == [6] * 5


def test_table_into_writes_a_document_and_refuses_one_without_a_marked_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "draft.md"
    document.write_text(DRAFT.replace("error accuracy", "best_accuracy"))
    assert main(["table", "all", "--into", str(document), "--outputs", str(tmp_path)]) == 0
    name = "Tuned, 1000 recordings, integer arithmetic of the simulated core"
    assert f"| {name} | - | 92.00 % (other) | no record | ≥ 94 % |" in document.read_text()
    document.write_text("nothing marked\n")
    assert main(["table", "lava", "--into", str(document), "--outputs", str(tmp_path)]) == 2
    assert "it has no place for lava (places for: none)" in capsys.readouterr().err
    assert document.read_text() == "nothing marked\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<!-- table lava -->\nmy text\n\n<!-- table nest -->\n<!-- end -->\n", "line 1: <!-- table lava --> has no"),
        ("a\n<!-- table lava best_accuracy -->\nmy text\n", "line 2: <!-- table lava best_accuracy --> has no"),
        ("<!-- comparisons lava -->\nmy text <!-- figure lava a -->1<!-- end -->\n", "line 1: <!-- comparisons lava"),
        ("<!-- figure lava a --> my text <!-- figure lava b -->1<!-- end -->\n", "line 1: <!-- figure lava a -->"),
    ],
)
def test_a_place_without_an_end_is_refused_before_the_text_behind_it_is_lost(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All text up to the end of the next place was once replaced."""
    document = tmp_path / "draft.md"
    document.write_text(text)
    assert main(["table", "lava", "--into", str(document), "--outputs", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
    assert document.read_text() == text


@pytest.mark.parametrize("ignored", [["--format", "csv"], ["--record", "r.jsonl"], ["--all"]])
def test_options_that_into_would_ignore_are_refused(ignored: list[str], tmp_path: Path) -> None:
    document = tmp_path / "draft.md"
    document.write_text(DRAFT)
    with pytest.raises(SystemExit, match="2"):
        main(["table", "lava", "--into", str(document), *ignored, "--outputs", str(tmp_path)])
    assert document.read_text() == DRAFT


def test_documentation_of_places_is_no_place() -> None:
    text = "`<!-- table NAME -->` and `<!-- end -->`, `<!-- figure NAME ROW -->`\nand `<!-- end -->`\n"
    require_ends(text, ["NAME"])
    require_ends(DRAFT, ["lava", "nest"])


def test_a_comment_that_names_no_table_is_no_place_and_does_not_hide_the_next_one() -> None:
    """A document with a table of contents was once refused."""
    contents = "<!-- table of contents -->\n- [A paper](#a-paper)\n\n<!-- table -->\n<!-- table  -->\n"
    for text in (contents + DRAFT, DRAFT + contents):
        require_ends(text, ["lava", "nest"])
        assert tables_named(text) == ["lava", "nest"]
        assert refreshed(text, {"lava": LAVA}) == text.replace(DRAFT, refreshed(DRAFT, {"lava": LAVA}))


def test_line_ends_and_text_outside_of_places_are_unchanged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "draft.md"
    document.write_bytes("é\r\n<!-- table lava best_accuracy -->\r\nold\r\n<!-- end -->\r\nlast\r\n".encode())
    assert main(["table", "lava", "--into", str(document), "--outputs", str(tmp_path)]) == 0
    text = document.read_bytes().decode()
    assert text.startswith("é\r\n<!-- table lava best_accuracy -->\r\n\r\n| figure |")
    assert text.endswith("\r\n<!-- end -->\r\nlast\r\n")
    assert "old" not in text
    assert text.count("\n") == text.count("\r\n")


def test_a_document_whose_lines_end_in_both_ways_gets_the_more_frequent_one(tmp_path: Path) -> None:
    """Its places were once not found."""
    document = tmp_path / "draft.md"
    document.write_bytes(b"<!-- table lava best_accuracy -->\r\nold\r\n<!-- end -->\r\nadded on another machine\n")
    assert main(["table", "lava", "--into", str(document), "--outputs", str(tmp_path)]) == 0
    text = document.read_bytes()
    assert b"| figure |" in text
    assert text.endswith(b"another machine\r\n")
    assert text.count(b"\n") == text.count(b"\r\n")


def test_a_document_behind_a_link_is_rewritten_and_keeps_its_permissions(tmp_path: Path) -> None:
    """The link was once replaced by a file, and the document behind it remained as it was."""
    document, link = tmp_path / "draft.md", tmp_path / "link.md"
    document.write_text("<!-- table lava best_accuracy -->\n<!-- end -->\n")
    document.chmod(0o660)
    link.symlink_to(document)
    assert main(["table", "lava", "--into", str(link), "--outputs", str(tmp_path)]) == 0
    assert link.is_symlink()
    assert "| figure |" in document.read_text()
    assert document.stat().st_mode & 0o777 == 0o660


def test_a_place_of_a_table_that_does_not_exist_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "draft.md"
    document.write_text("<!-- table lva -->\n<!-- end -->\n<!-- table lava best_accuracy -->\n<!-- end -->\n")
    assert main(["table", "lava", "--into", str(document), "--outputs", str(tmp_path)]) == 0
    assert "note: there is no table lva, so its place is unchanged. Did you mean lava?" in capsys.readouterr().err


def test_a_pipe_in_the_name_of_a_row_ends_no_cell() -> None:
    text = refreshed("<!-- table t -->\n<!-- end -->\n", {"t": [replace(LAVA[0], row=replace(ROW, what="a | b"))]})
    assert r"| a \| b |" in text


def test_results_md_names_every_table_but_controls_and_only_rows_that_exist(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "outputs/readme/RESULTS.md").read_text()
    tables = published_tables()
    named = tables_named(text)
    assert set(named) == set(tables) - {"controls"}, "every table but the controls, whose section is their own"
    refreshed(text, {name: join(tables[name], tmp_path) for name in named})
