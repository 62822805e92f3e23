"""LaTeX tables ready to include: escaped text, typographic quotes and minus signs, booktabs' rules.

They need only `\\usepackage{booktabs}`; `document` is a complete file for pdflatex.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$",
    "−": "$-$", "–": "--", "—": "---", "…": r"\dots{}", "µ": r"$\mu$", "μ": r"$\mu$", "→": r"$\to$", "·": r"$\cdot$",
    "°": r"$^\circ$", "²": r"$^2$", "³": r"$^3$", "“": "``", "”": "''", "‘": "`", "’": "'", "\u00a0": "~",
    "\n": " ", "[": "{[}", "]": "{]}",  # a bracket after a row's end would be read as its argument
    **{character: f"\\{character}" for character in "%&_#${}"},
}  # fmt: skip
_LACKING = "ĦħĸĿŀŉŦŧſ"  # Latin letters that fonts in T1 encoding do not have
_QUOTED = re.compile(r'"([^"]*)"')
_MINUS = re.compile(r"(?<![\w.-])-(?=\d|\.\d)")
# A number in exponential notation as Python prints it, with a sign; not digits of a hash or of a run's id (12e345)
_EXPONENT = re.compile(r"(?<![\w./-])(\d+(?:\.\d+)?)e([+-])0*(\d+)(?![\w/-])")
PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[a4paper,landscape,margin=15mm]{geometry}
\usepackage{booktabs}
\begin{document}"""


def escaped(text: str) -> str:
    """Text escaped for LaTeX: "-0.5" gets a minus sign, 1e-05 becomes a power of ten, "x" gets typographic quotes."""
    text = _MINUS.sub("−", text)
    text = _QUOTED.sub("“\\1”", text).replace('"', "”")
    parts, end = [], 0
    for match in _EXPONENT.finditer(text):
        sign = "-" if match[2] == "-" else ""
        parts += [_plain(text[end : match.end(1)]), rf"$\times 10^{{{sign}{match[3]}}}$"]
        end = match.end()
    return "".join([*parts, _plain(text[end:])])


def _plain(text: str) -> str:
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    """Character escaped for LaTeX: Latin letters are unchanged; one that pdflatex lacks becomes its code point."""
    if character in _SPECIAL:
        return _SPECIAL[character]
    is_set = " " <= character <= "\u017f" and character.isprintable() and character not in _LACKING
    return character if is_set else rf"\texttt{{U+{ord(character):04X}}}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], align: str, caption: str, label: str) -> str:
    r"""A floating table. `align`: one letter per column, "l" or "r", or "p" for a wide column of text; `label`: for
    references by \ref{tab:LABEL}."""
    wide = align.count("p")
    letters = align.replace("p", rf"p{{{0.3 / max(wide, 1):.2f}\linewidth}}")
    lines = [" & ".join(escaped(text) for text in line) + r" \\" for line in (columns, *rows)]
    return "\n".join(
        [
            r"\begin{table}[htbp]", r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{tab:{re.sub('[^A-Za-z0-9:.-]', '-', label)}}}", rf"\begin{{tabular}}{{@{{}}{letters}@{{}}}}",
            r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}", r"\end{table}",
        ]
    )  # fmt: skip


def document(tables: Sequence[str]) -> str:
    """A complete file for pdflatex with all tables."""
    return "\n\n".join([PREAMBLE, *tables, r"\end{document}", ""])
