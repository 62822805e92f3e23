"""Tests of the dispatcher: help without heavy imports, answers to typing mistakes, completion of verbs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurobench.cli.main import VERBS, main
from neurobench.config.errors import BAD_USAGE, FINE
from tests.cli.conftest import Neurobench, environment


def test_help_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys\nbefore = set(sys.modules)\n"
        "from neurobench.cli.main import main\nmain(['--help'])\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(names - set(sys.stdlib_module_names)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "['neurobench']"
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("rum", "Did you mean run?"),
        ("model=qrbm", "Did you mean neurobench run model=qrbm?"),
        ("zzz", "There is run, sweep"),
    ],
)
def test_an_unknown_verb_is_refused_with_a_suggestion_or_the_list_of_verbs(
    word: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == BAD_USAGE
    assert sentence in capsys.readouterr().err


def test_no_verb_is_bad_usage_and_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == BAD_USAGE
    assert "usage: neurobench VERB" in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, neurobench: Neurobench) -> None:
    done = neurobench(verb, "--help")
    assert done.returncode == FINE, done.stderr
    assert "neurobench" in done.stdout


def completed(line: str) -> list[str]:
    environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
    command = [sys.executable, "-m", "neurobench", "-sc", "query=bash"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()


def test_a_package_that_cannot_be_imported_is_named_in_a_sentence(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['numpy'] = None; from neurobench.cli.main import main; main(['run', 'model=qrbm'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment(), cwd=tmp_path, check=False
    )
    assert "neurobench run: ModuleNotFoundError: import of numpy halted" in done.stderr
    assert "Traceback" not in done.stderr


def test_completion_knows_verbs_groups_choices_and_keys() -> None:
    assert completed("neurobench va") == ["validate"]
    assert set(completed("neurobench ")) == set(VERBS)
    assert {"dataset=mnist", "dataset=nmnist", "dataset=yin_yang"} <= set(completed("neurobench run dataset="))
    assert "training.epochs=" in completed("neurobench run model=qrbm training.e")
    assert completed("neurobench show x") == []


def test_completion_can_be_installed() -> None:
    command = str(Path(sys.executable).with_name("neurobench"))  # the environment need not be activated
    done = subprocess.run([command, "-sc", "install=bash"], capture_output=True, text=True, check=True)
    assert "complete -o nospace" in done.stdout
    assert done.stdout.rstrip().endswith("neurobench")
    assert main(["-sc"]) == BAD_USAGE
