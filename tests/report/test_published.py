"""Tests of the published column: it contains what the named source prints and nothing else. A reference states what it
is, a band when and from what it was set."""

import json
import re
import subprocess
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from neurobench.config.bounds import BoundsError
from neurobench.config.schema import Row
from neurobench.metrics.catalog import metric
from neurobench.report.published import Published, dangling, not_proportions, published_tables

QUOTATIONS = yaml.safe_load((Path(__file__).parent / "quotations.yaml").read_text())
ROOT = Path(__file__).parents[2]
DIGITS = 4  # minimum number that a table keeps of a longer figure


def quoted(line: str) -> Decimal:
    """The number that ends a quotation, as it is printed."""
    match = re.search(r"(-?\d+\.\d+) ?%?$", line)
    assert match, line
    return Decimal(match[1])


def states(line: str, figure: float, name: str) -> bool:
    """Whether a quotation's last number is the figure of that metric: all of its digits or, if more than six are
    printed, rounded to as many as the figure has. A proportion that is printed in per cent is converted."""
    number, ours = quoted(line), Decimal(repr(float(figure)))
    if line.endswith("%") and metric(name).unit == "proportion":
        number /= 100
    long = len(number.as_tuple().digits) > 6 and len(ours.as_tuple().digits) >= DIGITS
    return ours == number or (long and ours == number.quantize(ours))


@cache
def settings() -> list[tuple[str, Published]]:
    return [(table, setting) for table, settings in published_tables().items() for setting in settings]


def rows() -> list[tuple[str, Row]]:
    return [(table, row) for table, setting in settings() for row in setting.rows]


def lines_of(table: str, row: Row) -> list[str]:
    quotations = QUOTATIONS.get(table, {}).get("quotations", {})
    return [line for line, ids in quotations.items() if row.id in ids]


def test_every_published_figure_equals_the_figure_that_its_source_prints() -> None:
    published = [(table, row) for table, row in rows() if row.published is not None]
    assert len(published) >= 25
    unquoted = [row.id for table, row in published if not lines_of(table, row)]
    assert unquoted == [], "in tests/report/quotations.yaml; what no source prints is a reference"
    wrong = [
        (row.id, row.published, line)
        for table, row in published
        for line in lines_of(table, row)
        if not states(line, row.published or 0.0, row.metric)
    ]
    assert wrong == []
    ids = {(table, row.id) for table, row in published}
    assert [id for table in QUOTATIONS for q in QUOTATIONS[table]["quotations"].values() for id in q
            if (table, id) not in ids] == []  # fmt: skip


def test_a_slightly_wrong_published_figure_contradicts_its_quotation() -> None:
    """Changes: the last digit by one either way, the sign, per cent for a proportion, all but three digits dropped."""
    for table, row in rows():
        if row.published is None:
            continue
        figure = Decimal(repr(row.published))
        step = Decimal(1).scaleb(int(figure.as_tuple().exponent))
        for changed in (figure + step, figure - step, -figure, figure * 100, Decimal(f"{figure:.3g}")):
            if changed != figure:
                assert not all(states(line, float(changed), row.metric) for line in lines_of(table, row))


def test_measured_references_equal_the_stored_figures_of_their_runs() -> None:
    """NEST's losses and errors, in the vectors of its run; the plain re-implementation's figures, seed by seed."""
    references = {row.id: row.reference for _, row in rows() if row.reference}
    nest = np.load(ROOT / "tests/models/eprop/vectors/tutorial_600.npz")
    for name, figures in (("loss", nest["loss"]), ("error", nest["err"])):
        for number in range(5):
            assert references[f"nest_{name}_{number + 1}"].value == pytest.approx(figures[number], abs=5e-6)
    lines = (ROOT / "tests/models/qrbm/plain_dynex.jsonl").read_text().splitlines()
    plain = [json.loads(line) for line in lines]
    for row, name, factor in (
        ("sme_plain", "sme", 6), ("lr_150_fit_and_scored_plain", "lr_150_fit_and_scored", 1),
        ("lr_150_on_the_other_9850", "lr_150_on_the_other_9850", 1), ("test_accuracy", "test_accuracy", 1),
    ):  # fmt: skip
        values = [factor * run[name] for run in plain]
        assert references[row].values == pytest.approx(values, abs=5e-5)


def test_every_band_says_when_and_from_what_it_was_set() -> None:
    silent = [row.id for _, row in rows() if row.band != (None, None) and row.band_from is None]
    assert silent == []
    for _, row in rows():
        for text in (row.source, row.means):
            assert "before any run" not in text, row.id


def test_a_relation_names_a_row_of_its_own_table() -> None:
    ids = {(table, row.id) for table, row in rows()}
    related = [(table, row.relation.row) for table, row in rows() if row.relation]
    assert len(related) >= 2
    assert [pair for pair in related if pair not in ids] == []


def test_the_rows_that_ship_pass_the_checks_of_a_users_rows() -> None:
    tables = published_tables()
    experiments = {setting.experiment for table in tables.values() for setting in table}
    for table in tables.values():
        for setting in table:
            assert [*dangling(setting, table, experiments), *not_proportions(setting)] == []


def test_the_seeds_of_every_experiment_are_those_that_its_make_target_runs() -> None:
    targets = ["runs", "table-camera", "table-emulated", "table-controls"]
    words = ["make", "-n", *targets, "SCALE=paper"]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    run: dict[str, set[int]] = {}
    for line in re.findall(r"neurobench sweep ([^#\n]*)", printed):
        chosen = dict(word.split("=", 1) for word in line.split())
        for experiment in chosen["experiment"].split(","):
            run.setdefault(experiment, set()).update(map(int, chosen.get("seed", "0").split(",")))
    declared = {setting.experiment: set(setting.seeds) for table, setting in settings() if table != "matrix"}
    assert declared == {name: seeds for name, seeds in run.items() if not name.startswith("matrix_")}


ROW = Row("a", "b", "test_accuracy", None, "c", (0.9, None), "d")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"band_from": {"basis": "guess", "commit": "a95273c"}}, "band_from.basis='guess' is not one of declared"),
        ({"band_from": {"basis": "declared", "commit": "yesterday"}}, "is not the first seven digits of a commit"),
        ({"band_from": {"basis": "declared", "commit": "a95273c", "n": 3}}, "band_from.n=3 applies to basis=runs"),
        ({"band_from": {"basis": "runs", "when": "now"}}, "band_from.when is not a key here"),
        (
            {"band_from": {"basis": "declared", "commit": "a95273c"}, "band": [None, None]},
            "gives the origin of a band",
        ),
        ({"relation": {"row": "x", "kind": "within"}}, "relation.margin=None does not go with kind=within"),
        ({"relation": {"row": "x", "kind": "equal", "margin": 0.1}}, "which has no margin"),
        ({"reference": {"value": 1.0, "kind": "rumour", "source": "x"}}, "reference.kind='rumour' is not one of"),
        ({"reference": {"value": 1.0, "kind": "other"}}, "reference.source is missing"),
        ({"reference": {"value": 1.0, "kind": "measured", "source": "x", "values": [1.0, 2.0]}}, "not the mean"),
        ({"reference": {"value": 1.0, "kind": "measured", "source": "x", "values": [1.0]}}, "has one run"),
        (
            {"reference": {"value": 1.0, "kind": "other", "source": "x"}, "published": 0.5},
            "only for unpublished figures",
        ),
        ({"relation": "best"}, "relation='best' is not a section of keys"),
    ],
)
def test_an_inconsistent_band_relation_or_reference_of_a_row_is_refused_with_its_reason(
    changed: dict[str, object], sentence: str
) -> None:
    with pytest.raises(BoundsError, match=re.escape(sentence)):
        replace(ROW, **changed)  # type: ignore[arg-type]
