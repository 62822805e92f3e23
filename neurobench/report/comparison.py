"""Pairwise comparison of finished runs on the samples that both were tested on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from neurobench.config.errors import UserError
from neurobench.metrics.paired import PairedTest, holm, paired_test
from neurobench.storage.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np

    from neurobench.storage.predictions import Predictions

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # labels of runs, in the order in which they were named
LEVEL = 0.05  # significance level: below it a difference is reported
LEAST = 1e-300  # p values below are not printed: floating-point numbers end near 1e-308


class Pair(NamedTuple):
    """Two runs, and McNemar's test of them if there is one."""

    a: str
    b: str
    test: PairedTest | None
    corrected: float | None  # p, by Holm's rule over all pairs
    reason: str  # why there is no test, or ""


def paired(runs: Sequence[RunFolder]) -> list[Pair]:
    """Test each pair of runs."""
    read = [_predictions(run) for run in runs]
    made: list[Pair] = []
    for a, b in combinations(range(len(runs)), 2):
        test = _test(runs, read, a, b)
        reason = test if isinstance(test, str) else ""
        made.append(Pair(LETTERS[a], LETTERS[b], test if isinstance(test, PairedTest) else None, None, reason))
    corrected = iter(holm([pair.test.p for pair in made if pair.test]))
    return [pair._replace(corrected=next(corrected)) if pair.test else pair for pair in made]


def _predictions(run: RunFolder) -> Predictions | str:
    """Predictions of a run, or the reason why there are none."""
    from neurobench.data.dataset import DataError
    from neurobench.experiment.predictions import predictions_of

    try:
        return predictions_of(run)
    except (UserError, DataError) as error:
        return str(error).splitlines()[0]


def _test(runs: Sequence[RunFolder], read: Sequence[Predictions | str], a: int, b: int) -> PairedTest | str:
    import numpy as np

    one, other = read[a], read[b]
    if isinstance(one, str) or isinstance(other, str):
        return one if isinstance(one, str) else str(other)
    data = [(runs[k].result() or {})["data"] for k in (a, b)]
    sha256 = [each["sha256"] for each in data]
    if sha256[0] != sha256[1]:
        return f"they read different data (sha256 {sha256[0]:.8} and {sha256[1]:.8}): no samples in common"
    if len(np.unique(one.ids)) < len(one.ids) or len(np.unique(other.ids)) < len(other.ids):
        return "samples of their data cannot be distinguished"
    _, of_one, of_other = np.intersect1d(one.ids, other.ids, return_indices=True)
    if not len(of_one):
        return "they were tested on different samples of the same data"
    classes, targets = [each.get("classes") for each in data], (one.target[of_one], other.target[of_other])
    if not _same_classes(classes, targets):
        return "their samples are the same but the classes differ: they solve different tasks"
    right = [(each.predicted == each.target)[index].tolist() for each, index in ((one, of_one), (other, of_other))]
    return paired_test(*right)


def _same_classes(names: Sequence[Sequence[str] | None], targets: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether two runs distinguish the same classes, and the samples of both are of the same. `names`: of the classes,
    in the order of their numbers; if a run states none, numbers are compared. Names tell more: of two digits those that
    ten digits share may have the same numbers, and the same two may be numbered in the other order."""
    one, other = names
    if not one or not other:
        return bool((targets[0] == targets[1]).all())
    return {*one} == {*other} and all(one[a] == other[b] for a, b in zip(*targets, strict=True))


def conclusion(pair: Pair) -> str:
    """Conclusion of a test in one sentence; with several tests, by the corrected p."""
    test = pair.test
    if test is None:
        return f"{pair.a} and {pair.b}: no paired test, {pair.reason}"
    if not test.only_a + test.only_b:
        return f"{pair.a} and {pair.b} are correct on the same samples"
    assert pair.corrected is not None
    if pair.corrected >= LEVEL:
        return f"{pair.a} and {pair.b}: no significant difference on {test.n:,} samples"
    better, worse = (pair.b, pair.a) if test.only_b > test.only_a else (pair.a, pair.b)
    return f"{better} is better than {worse} on these {test.n:,} samples"


def numbers(pair: Pair) -> str:
    """Figures of a test: "B - A = +0.30 points (95 %: +0.05 to +0.55); only A correct on 12, only B on 42; p = 0.0002
    (McNemar, chi squared)"."""
    test = pair.test
    assert test is not None
    low, high = (f"{100 * end:+.2f}" for end in test.interval)
    method = "exact" if test.exact else "chi squared"
    corrected = "" if pair.corrected == test.p else f", {p_text(pair.corrected)} by Holm"
    return (
        f"{pair.b} - {pair.a} = {100 * test.difference:+.2f} points (95 %: {low} to {high}); only {pair.a} correct on "
        f"{test.only_a}, only {pair.b} on {test.only_b}; {_p_equation(test.p)} (McNemar, {method}){corrected}"
    )


def _p_equation(p: float) -> str:
    text = p_text(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def p_text(p: float | None) -> str:
    """A p value as text; one that floating-point numbers cannot hold is never 0."""
    if p is None:
        return "-"
    if p < LEAST:
        return f"< {LEAST:g}"
    return f"{p:.2g}" if p >= 0.0001 else f"{p:.1e}"
