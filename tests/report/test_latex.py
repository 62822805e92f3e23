"""Tests of the LaTeX output: pdflatex accepts every character, and it compiles the tables."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from neurobench.cli.main import main
from neurobench.report.formats import as_latex, matrix_latex
from neurobench.report.latex import document, escaped, table
from neurobench.report.table import ResultRow
from tests.report.test_results import finished
from tests.report.test_table import ROW

NASTY = 'a_b & 50 % of #1 {x} ~ \\x^2 <$> | "quoted" \'single\' [1] µ ± − 中 é …\n"open'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-0.5 to -.25", "$-$0.5 to $-$.25"),
        ("a-1, 2026-11-27, x-y", "a-1, 2026-11-27, x-y"),
        ("1e-05 and 2.5e+10", r"1$\times 10^{-5}$ and 2.5$\times 10^{10}$"),
        ("-3e-05, [1e+20] 2e-05.", r"$-$3$\times 10^{-5}$, {[}1$\times 10^{20}${]} 2$\times 10^{-5}$."),
        ("12e345 m/20261129-142105-58e265 5-58e26e-2", "12e345 m/20261129-142105-58e265 5-58e26e-2"),
        ('the "best" of', "the ``best'' of"),
        ("a_b 5 % & #{}", r"a\_b 5 \% \& \#\{\}"),
        ("96 ± 1 ≥ 3", r"96 $\pm$ 1 $\geq$ 3"),
        ("名ħ", r"\texttt{U+540D}\texttt{U+0127}"),
    ],
)
def test_text_is_escaped_with_the_signs_quotes_and_powers_of_printed_text(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_no_special_character_is_left_unescaped() -> None:
    bare = re.sub(r"\\[a-zA-Z]+(\{\})?|\\[%&_#${}]|\$[^$]*\$|\{\[\}|\{\]\}", "", escaped(NASTY))
    assert not set(bare) & set('\\&%$#_^"<>|[]\n')
    assert "\\\n" not in escaped("\\\n")


def structure(text: str) -> None:
    """Check for balanced braces and environments, rows of one width, one rule of each kind."""
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert re.findall(r"\\begin\{(\w+)\}", text) == list(reversed(re.findall(r"\\end\{(\w+)\}", text)))
    for rule in ("toprule", "midrule", "bottomrule", "caption", "label"):
        assert len(re.findall(rf"\\{rule}\b", text)) == 1
    columns = re.search(r"\\begin\{tabular\}\{@\{\}(.*)@\{\}\}", text)
    assert columns
    width = len(re.sub(r"\{[^}]*\}", "", columns[1]))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert all(len(re.findall(r"(?<!\\)&", row)) == width - 1 for row in rows)


def published() -> list[ResultRow]:
    runs = tuple(
        {"metrics": {"test_accuracy": value}, "seed": seed, "data": {}} for seed, value in enumerate((0.9, 0.95))
    )
    ran = ResultRow(replace(ROW, what=NASTY), "e", runs, "paper", "h")
    return [ran, ResultRow(replace(ROW, what="never run"), "e", (), None, "h")]


def test_the_table_of_published_figures_has_only_rows_that_were_run() -> None:
    text = as_latex(published(), "my_table")
    structure(text)
    assert "never run" not in text
    assert r"97.00 \% & 92.50 $\pm$ 3.54 \%" in text
    assert r"95.00 to 96.00 \%" in text, "the band, in the unit of the figure"
    assert r"\label{tab:published-my-table}" in text
    assert as_latex(published()[1:], "x") == "% table x: nothing was run"


def test_the_matrix_has_only_the_cells_that_were_run() -> None:
    ran, idle = published()
    cell = {
        **ran.runs[0], "intervals": {"test_accuracy": [0.9, 0.95]}, "seconds": {}, "undefined": {},
        "data": {"evaluated_on": "the test set", "emulated": False},
    }  # fmt: skip
    text = matrix_latex([replace(ran, runs=(cell,)), idle])
    structure(text)
    assert r"& 90.0\% & 90.0\% to 95.0\% & 95\% & BELOW & paper \\" in text
    assert "never run" not in text
    assert matrix_latex([idle]) == "% matrix: nothing was run"


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    for seed in range(2):
        for lr in (1e-5, 0.1):
            finished(tmp_path, lr, seed, 0.9 - lr + 0.01 * seed, 0.8)
    return tmp_path


def test_results_and_report_are_written_as_latex_tables(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--format", "tex", "--outputs", str(swept)]) == 0
    results = capsys.readouterr().out
    structure(results)
    assert r"1$\times 10^{-5}$ & 2 &" in results
    paper = swept / "my paper.tex"
    assert main(["report", "--to", str(paper), "--outputs", str(swept)]) == 0
    assert capsys.readouterr().out == f"{paper}: 1 tables; pdflatex 'my paper.tex'\n", "to be pasted"
    text = paper.read_text()
    assert text.startswith(r"\documentclass")
    assert r"\usepackage{booktabs}" in text
    assert text.count(r"\begin{table}") == 1, "of tables of which nothing was run there is none"
    assert r"by lr (toy on yin\_yang, backend sim, scale paper);" in text, "else two sweeps would look the same"
    assert r"\label{tab:test-accuracy-by-model.lr-toy-on-yin-yang--backend-sim--scale-paper}" in text


def test_a_report_without_any_table_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From an empty document pdflatex makes no file."""
    finished(tmp_path, 0.1, 0, 0.9, 0.8)
    assert main(["report", "--to", str(tmp_path / "paper.tex"), "--outputs", str(tmp_path)]) == 2
    assert "no model was run with several settings" in capsys.readouterr().err
    assert not (tmp_path / "paper.tex").exists()


@pytest.mark.parametrize("name", ["tables.pdf", "tables", "tables.md"])
def test_a_report_file_name_without_a_supported_suffix_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--to", str(tmp_path / name), "--outputs", str(tmp_path)])
    assert f"{name}: give a file name ending in .html or .tex" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def _sets_tables() -> bool:
    """Whether pdflatex is installed with the package that the tables need."""
    found = shutil.which("pdflatex") and shutil.which("kpsewhich")
    return bool(found) and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode == 0


@pytest.mark.skipif(not _sets_tables(), reason="pdflatex with booktabs is not installed (texlive-latex-recommended)")
def test_pdflatex_compiles_tables_of_results_comparisons_and_published_figures(
    swept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["results", "--format", "tex", "--outputs", str(swept)]) == 0
    runs = [str(path.parent) for path in sorted(swept.glob("toy/*/result.json"))[:2]]
    assert main(["compare", *runs, "--format", "tex", "--outputs", str(swept)]) == 0
    latin = " ".join(chr(code) for code in range(0xA1, 0x180))
    odd = table(("x_1", "y"), [[NASTY, "-1"], [latin, "ħ"]], "pr", NASTY, NASTY)
    tables = [capsys.readouterr().out, as_latex(published(), "a_b"), odd]
    (swept / "all.tex").write_text(document(tables))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=swept, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout
    assert (swept / "all.pdf").read_bytes().startswith(b"%PDF")
