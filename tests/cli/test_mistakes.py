"""Tests of commands that another tool would accept: the message helps, before anything is run."""

import pytest

from neurobench.cli.main import VERBS, main
from neurobench.config.errors import BAD_USAGE, FAILED
from tests.cli.conftest import Neurobench

MISTAKES = {
    "a choice without its group": ("run qrbm", "Did you mean model=qrbm?"),
    "an experiment without its group": ("run dynex_qrbm", "Did you mean experiment=dynex_qrbm?"),
    "a data set, misspelt": ("run model=qrbm mnst", "Did you mean dataset=mnist?"),
    "a group as an option": ("run --model qrbm", "model=qrbm"),
    "a group as an option with =": ("run --model=qrbm", "model=qrbm"),
    "a key as an option": ("run model=qrbm --epochs 3", "training.epochs=3"),
    "an option of a sweep": ("sweep --batch-size 3 model=qrbm", "training.batch_size=3"),
    "an option as a key": ("report outputs=elsewhere", "--outputs elsewhere"),
    "an option as a key, before a run": ("show outputs=elsewhere latest", "--outputs elsewhere"),
    "an option as a key, where filters are taken": ("results outputs=elsewhere", "--outputs elsewhere"),
    "an option as a key, where runs are taken": ("compare a b format=tex", "--format tex"),
    "an option that wants another value": ("tune seed=3 model=qrbm --trials abc", "argument --trials: invalid"),
    "an option, misspelt": ("run --resum", "Did you mean --resume?"),
    "a drawing of an unknown kind": ("data camera --figure a.foo", "a.foo: its suffix is not one of .png, .pdf, .svg"),
    "no file to import": ("import", "the following arguments are required: FILE.nir\n"),
    "no space to search": ("tune", "the following arguments are required: space\n"),
    "a graph that is not there": ("import nosuch.nir", "nosuch.nir: there is no such file."),
    "a folder in place of a graph": ("import .", ".: there is no such file."),
    "spaces on both sides": ("run model.lr = 0.1", "without spaces: model.lr=0.1"),
    "a space behind": ("run model.lr= 0.1", "without spaces: model.lr=0.1"),
    "a space in front": ("run model.lr =0.1", "without spaces: model.lr=0.1"),
    "no = at all": ("run model.lr 0.1", "without spaces: model.lr=0.1"),
    "a range with dots": ("run seed=0..5", "range(0,6)"),
    "a range with a dash": ("validate seed=3-5", "range(3,6)"),
    "capitals": ("run model=QRBM", "Did you mean qrbm?"),
    "the beginning of an experiment": ("run experiment=dynex", "dynex_qrbm_best"),
    "a model in place of a run": ("show qrbm", "qrbm is a model: neurobench help model=qrbm"),
    "help on nothing": ("help qrbmm", "Did you mean model=qrbm?"),
    "help on a topic, misspelt": ("help dat", "Did you mean data?"),
    "help on a group that is not there": ("help modle=qrbm", "Did you mean model?"),
    "help on a choice that is not there": ("help model=qrmb", "Did you mean qrbm?"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_answered_with_what_to_write(case: str, neurobench: Neurobench) -> None:
    words, sentence = MISTAKES[case]
    done = neurobench(*words.split())
    assert done.returncode == BAD_USAGE
    assert sentence in done.stderr
    assert done.stdout == ""


def test_only_choices_that_contain_the_mistyped_name_are_suggested(neurobench: Neurobench) -> None:
    answer = neurobench("run", "experiment=dynex").stderr
    assert "dynex_sklearn_rbm" in answer
    assert "lava" not in answer


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("trian", "Did you mean neurobench run?"),
        ("predict", "Did you mean neurobench show RUN --predict N?"),
        ("qrbm", "Did you mean neurobench run model=qrbm?"),
        ("troubleshooting", "Did you mean neurobench help troubleshooting?"),
    ],
)
def test_a_verb_of_another_tool_is_answered_with_the_command_to_write(
    word: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == BAD_USAGE
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_verbose_or_quiet_but_not_both(verb: str, neurobench: Neurobench) -> None:
    described = neurobench(verb, "--help").stdout
    assert "--verbose" in described
    assert "--quiet" in described
    assert neurobench(verb, "-q", "-v").returncode == BAD_USAGE


def test_a_drawing_that_cannot_be_written_is_refused_before_it_is_computed(neurobench: Neurobench) -> None:
    done = neurobench("data", "camera", "--figure", "nosuch/camera.jpeg")
    assert done.returncode == FAILED
    assert "nosuch/camera.jpeg cannot be written to" in done.stderr
    assert "name a file elsewhere: --figure FILE.png" in done.stderr
    assert "emulating" not in done.stderr
    assert done.stdout == ""


def test_the_name_of_a_run_may_look_like_a_range(neurobench: Neurobench) -> None:
    assert neurobench("validate", "name=0-5").returncode == 0
