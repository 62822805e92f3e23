"""Conformance to NIR: the reference graphs can be run, and verdicts describe deviations correctly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurobench.cli.main import main
from neurobench.config.errors import UserError
from neurobench.conformance.cases import Case, cases
from neurobench.conformance.faults import FAULTS
from neurobench.conformance.frameworks import FRAMEWORKS, Conformance
from neurobench.conformance.stored import stored, stored_file
from neurobench.conformance.table import page
from neurobench.conformance.verdicts import Answer, exact, verdict
from neurobench.models.nir_graph.dynamics import Dynamics
from neurobench.problems.nir_file import parse_nir

pytest.importorskip("nir", reason="the extra spiking is not installed")
CASES = {case.name: case for case in cases()}


def answered(case: Case, how: Dynamics | None = None) -> Any:
    return exact(parse_nir(case.graph), case.x, how or Dynamics(case.dt))


def test_there_are_at_least_thirty_reference_graphs_and_none_is_silent() -> None:
    assert len(CASES) >= 30
    for case in CASES.values():
        y = answered(case).y
        assert (y != 0).mean() > 0.01, case.name
        assert (y[:, 0] != y[:, 1]).any() or "IF" in case.name, f"{case.name}: both samples are alike"


def test_a_reference_graph_gives_the_same_output_at_another_dt() -> None:
    """Frameworks with a fixed dt are judged by the graphs at that dt."""
    for case in cases(1.0):
        if not case.own_dt and case.name != "IF, r = 1":
            assert answered(case).y == pytest.approx(answered(CASES[case.name]).y, abs=1e-5), case.name


def test_listed_faults_refer_to_existing_cases_and_frameworks() -> None:
    assert {framework for framework, _ in FAULTS} <= set(FRAMEWORKS)
    assert {case for _, case in FAULTS} <= set(CASES)


LIF = "LIF, reset to -0.5"


@pytest.mark.parametrize(
    ("name", "how", "word", "detail"),
    [
        (LIF, {}, "faithful", ""),
        (LIF, {"reset": "subtract"}, "wrong", "resets by subtraction, as in NIR before"),
        ("LIF", {"reset": "subtract"}, "approximate", "resets by subtraction, as in NIR before"),
        ("LI", {"scheme": "exponential"}, "approximate", "exp"),
        ("CubaLI", {"scheme": "lagged"}, "approximate", "the current of the previous step"),
        ("IF, v = threshold", {"tie": "reached"}, "wrong", "fires where v = threshold"),
        (LIF, {"begins": "reset"}, "approximate", "v starts at v_reset, which NIR does not specify"),
    ],
)
def test_a_verdict_says_how_the_dynamics_of_a_simulator_deviate(
    name: str, how: dict[str, Any], word: str, detail: str
) -> None:
    case = CASES[name]
    y = answered(case, Dynamics(case.dt, **how)).y
    told = verdict(case, Answer(y))
    assert (told.word, told.kind) == (word, case.kind)
    assert detail in told.detail


def test_a_verdict_locates_the_first_wrong_spike_and_tells_refusals_and_failures_apart() -> None:
    case = CASES["CubaLIF, reset to -0.5"]
    truth = answered(case)
    y = truth.y.copy()
    y[7, 1, 2] = 1 - y[7, 1, 2]
    told = verdict(case, Answer(y))
    assert told.word == "wrong"
    assert "first at step 7, neuron 2" in told.detail
    assert "1 of 240 values differ" in told.detail
    assert verdict(case, Answer(refusal="ValueError: no")).word == "unsupported"
    assert verdict(case, Answer(failure="TypeError: no")).detail == "fails when run: TypeError: no"
    off = verdict(case, Answer(truth.y, truth.v + 0.25))
    assert (off.word, off.detail) == ("approximate", "all spikes correct, membranes off by up to 0.25")


def test_the_conformance_page_has_a_row_per_node_and_the_reason_for_a_wrong_verdict(tmp_path: Path) -> None:
    case = CASES["LIF, r = 2"]
    verdicts = [verdict(case, Answer(np.zeros_like(answered(case).y)))]
    text = page([Conformance("norse", {"norse": "1"}, verdicts)], 40, 2)
    assert "| LIF | wrong |" in text
    assert "The importer logs a warning that it expects r = 1" in text


def test_the_recorded_page_gives_the_reasons_that_the_program_gives() -> None:
    recorded = (Path(__file__).parent.parent / "outputs/readme/CONFORMANCE.md").read_text()
    for framework, case in FAULTS:
        part = recorded.partition(f"### {framework}\n")[2].partition("\n### ")[0]
        (line,) = [each for each in part.splitlines() if each.startswith(f"- **{case}** (")]
        assert line.endswith(f". {FAULTS[framework, case]}"), line


def test_an_unknown_or_missing_framework_is_reported_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conform", "norsk", "--outputs", str(tmp_path)]) != 0
    assert "Did you mean norse?" in capsys.readouterr().err
    assert main(["conform", "norse", "--outputs", str(tmp_path), "--python", str(tmp_path / "no")]) != 0
    assert "`make conform-norse` creates it" in capsys.readouterr().err


def test_values_that_are_not_numbers_and_inexact_spikes_are_wrong_and_located() -> None:
    case = CASES["LIF"]
    y = answered(case).y
    nowhere = verdict(case, Answer(np.full_like(y, np.nan)))
    assert (nowhere.word, nowhere.detail) == (
        "wrong",
        "first at step 0, neuron 0: nan instead of 0; 240 of 240 values differ",
    )
    inexact = verdict(case, Answer(y * (1 - 2.0**-24)))
    assert inexact.word == "wrong"
    assert "0.9999999404 instead of 1" in inexact.detail
    fewer = verdict(case, Answer(y[:, :1]))
    assert fewer.detail == "gives (40, 1) steps and samples, not (40, 2)"


def program(file: Path, content: str, mode: int = 0o755) -> str:
    file.write_text(content)
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        ("#!/bin/sh\nexit 0\n", 0o755, "wrote no answers: it is not a Python interpreter. Name norse's."),
        ("#!/bin/sh\nexit 7\n", 0o755, "cannot run norse: it ended with exit code 7"),
        ("#!/bin/sh\nkill -9 $$\n", 0o755, "cannot run norse: it was ended by signal 9, as if memory was short"),
        ("#!/bin/sh\nprintf 'caf\\351\\n' >&2; exit 1\n", 0o755, "cannot run norse: caf"),
        ("#!/no/such/interpreter\n", 0o755, "cannot be started: No such file or directory. Name norse's Python."),
        ("text", 0o755, "cannot be started: Exec format error"),
        ("#!/bin/sh\n", 0o644, "cannot be started: Permission denied"),
    ],
)
def test_an_interpreter_that_cannot_run_the_graphs_is_reported_in_a_sentence(
    content: str, mode: int, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = program(tmp_path / "python", content, mode)
    assert main(["conform", "norse", "--outputs", str(tmp_path), "--python", python]) != 0
    said = capsys.readouterr().err
    assert sentence in said
    assert "traceback" not in said


@pytest.mark.parametrize("content", ['{"framework": "sin', "[]", '{"framework": "sinabs", "versions": {}}', "\x00"])
def test_a_damaged_stored_result_is_named_with_a_remedy(content: str, tmp_path: Path) -> None:
    file = stored_file(tmp_path, "sinabs")
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(UserError, match=r"sinabs.json is damaged .* or run `neurobench conform sinabs` again"):
        stored(tmp_path)
