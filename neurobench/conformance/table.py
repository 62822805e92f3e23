"""Verdicts as Markdown: one row per kind of node, one row per case, and the reasons for what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from neurobench.conformance.faults import FAULTS
from neurobench.conformance.frameworks import Conformance
from neurobench.conformance.verdicts import Verdict

WORDS = ("faithful", "approximate", "unsupported", "wrong")
HEAD = """# NIR graphs in other frameworks

`neurobench conform FRAMEWORK --to FILE.md` writes this page. {cases} reference graphs, each testing one kind of node,
are run for {steps} steps of {samples} samples, in each framework's own environment and by its own importer. They are
compared with the exact answer: NIR's equations (Pedersen et al. 2024 and the package `nir`), an Euler step of dt, the
current updated before the voltage, starting at v = 0, in float64.

- **faithful**: every spike correct and every value within 1e-5, including the membrane if the framework reports it.
- **approximate**: another discretisation of the same equations, or correct spikes with a larger error of the membranes.
- **unsupported**: refused when the graph is read, or the importer does not support the dt.
- **wrong**: other equations. The first step and neuron that differ, and the reason, are given below.
"""


def page(results: Sequence[Conformance], steps: int, samples: int) -> str:
    n = max(len(each.verdicts) for each in results)
    parts = [HEAD.format(cases=n, steps=steps, samples=samples), _versions(results), "## By kind of node\n"]
    parts += [_by_kind(results), "## By graph\n", _by_case(results), "## Reasons\n", _reasons(results)]
    return "\n".join(parts)


def _versions(results: Sequence[Conformance]) -> str:
    lines = (f"{each.framework} ({', '.join(f'{k} {v}' for k, v in each.versions.items())})" for each in results)
    return f"Run: {'; '.join(lines)}.\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _head(results: Sequence[Conformance], first: str) -> list[str]:
    names = [first, *(each.framework for each in results)]
    return [_row(names), _row(["---"] * len(names))]


def _by_kind(results: Sequence[Conformance]) -> str:
    lines = _head(results, "node")
    for kind in dict.fromkeys(each.kind for each in results[0].verdicts):
        lines.append(_row([kind, *(_counted([v for v in each.verdicts if v.kind == kind]) for each in results)]))
    return "\n".join(lines) + "\n"


def _counted(verdicts: Sequence[Verdict]) -> str:
    counts = {word: sum(each.word == word for each in verdicts) for word in WORDS}
    return ", ".join(f"{word} {n}" if len(verdicts) > 1 else word for word, n in counts.items() if n)


def _by_case(results: Sequence[Conformance]) -> str:
    lines = _head(results, "graph")
    for case in (each.case for each in results[0].verdicts):
        words = [{verdict.case: verdict.word for verdict in each.verdicts}.get(case, "-") for each in results]
        lines.append(_row([case, *words]))
    return "\n".join(lines) + "\n"


def _reasons(results: Sequence[Conformance]) -> str:
    lines = []
    for each in results:
        lines.append(f"### {each.framework}\n")
        for one in each.verdicts:
            if one.word == "faithful":
                continue
            why = FAULTS.get((each.framework, one.case), "")
            lines.append(f"- **{one.case}** ({one.word}): {one.detail}.{f' {why}' if why else ''}")
        lines.append("")
    return "\n".join(lines)
