"""Any words after `run` give a plan or a refusal with a message, never a traceback.

The suite tries a few thousand words; `make fuzz` runs for half an hour.
"""

import contextlib
import copy
import io
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from neurobench.cli.main import main
from neurobench.config.compose import GROUPS, composer, set_value
from neurobench.config.errors import BAD_USAGE, FINE, ConfigError
from neurobench.config.overrides import override_of, parse_word, read_words
from neurobench.config.resolve import leaves
from neurobench.experiment.plan import parse

# `make fuzz` draws new words each time; the suite tries the same words on every machine.
HOW: dict[str, Any] = {
    "deadline": None,
    "derandomize": "NEUROBENCH_FUZZ" not in os.environ,
    "suppress_health_check": list(HealthCheck),
}
TIMES = 2 if "NEUROBENCH_FUZZ" in os.environ else 1
MODELS = ("qrbm", "hxtorch_mlp", "slayer_snn", "eprop_rsnn", "hybrid_qcnn", "eventprop_snn")
NASTY = (
    "nan", "inf", "-inf", "1e400", "-1e400", "0", "-1", "1e-400", "99999999999999999999", "null", "true", "''", "[]",
    "{}", "[1,2]", "{a:1}", "[[[[]]]]", "${seed}", "${nope}", "${oc.env:HOME}", "${model.${seed}}", "???", "~", "~/x",
    "a=b", "a#b", "a(1)", "it's", "mäßig", "\x1b[31m", "\t", "\n", "[red]x[/red]", "glob(*)", "interval(0,1)",
    "range(10)", "1,2", ",", "=", "'", '"', "\\", "a b", "x" * 300, "../..", "/dev/null", "1_000",
    "0x10", "1:2", "!!python/object:os.system", "{_target_:os.system}", "\udc80", "😀", "0.1.2", "--", "-m", "@", "a@b",
)  # fmt: skip
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12)  # no shell can pass a null byte
VALUE = st.one_of(
    st.sampled_from(NASTY), TEXT, st.integers().map(str), st.floats().map(repr),
    st.lists(st.sampled_from(NASTY), max_size=3).map(lambda items: f"[{','.join(items)}]"),
)  # fmt: skip


@cache
def base(model: str) -> DictConfig:
    with composer() as compose:
        return compose([f"model={model}", "scale=smoke"])


@cache
def keys() -> list[str]:
    """Every key of every model's configuration, the groups, and some keys that do not exist."""
    known = dict.fromkeys(key for model in MODELS for key, _ in leaves(base(model)))
    odd = [
        "",
        "x",
        "model",
        "model.",
        ".lr",
        "model..lr",
        "model.lr.x",
        "hydra",
        "hydra.run.dir",
        "hydra.job.env_set.A",
    ]
    return [*known, *GROUPS, *odd]


def word() -> st.SearchStrategy[str]:
    prefix = st.sampled_from(["", "", "", "", "", "", "+", "++", "~"])
    return st.builds(lambda mark, key, value: f"{mark}{key}={value}", prefix, st.sampled_from(keys()), VALUE)


def none_of(group: str) -> Sequence[str]:
    return ()


@settings(max_examples=600 * TIMES, **HOW)
@given(st.data())
def test_a_word_is_an_override_or_is_refused(data: st.DataObject) -> None:
    typed = data.draw(word())
    try:
        (read,) = read_words([typed], none_of)
    except ConfigError:
        return
    override = parse_word(read)
    if override is not None and not override.is_delete() and parse_word(typed) is None:
        assert override.value() == typed.partition("=")[2], "what is quoted is what was typed"


@settings(max_examples=300 * TIMES, **HOW)
@given(VALUE)
def test_a_written_value_is_read_back(text: str) -> None:
    override = parse_word(override_of("key", text))
    if override is not None:
        assert override.value() == text


@settings(max_examples=100 * TIMES, **HOW)
@given(st.data())
def test_overridden_values_give_a_plan_or_a_config_error(data: st.DataObject) -> None:
    """Set values on a composed configuration, as a sweep does, which composes nothing anew."""
    config = copy.deepcopy(base(data.draw(st.sampled_from(MODELS))))
    for typed in data.draw(st.lists(word(), min_size=1, max_size=3)):
        with contextlib.suppress(ConfigError):
            (read,) = read_words([typed], none_of)
            override = parse_word(read)
            if override is None or override.is_delete() or override.is_sweep_override() or "hydra" in read:
                continue
            with contextlib.suppress(Exception):  # an unknown key, which Hydra and `explain` refuse
                set_value(config, read)
    with contextlib.suppress(ConfigError):
        parse(config)


@contextlib.contextmanager
def quiet() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield out, err


@settings(max_examples=8 * TIMES, **HOW)
@given(st.data())
def test_validate_ends_without_a_traceback_and_explains_a_refusal(data: st.DataObject) -> None:
    words = data.draw(st.lists(word(), min_size=1, max_size=3))
    with quiet() as (out, err):
        try:
            code: Any = main(["validate", *words])
        except SystemExit as ended:
            code = ended.code
    assert code in (FINE, BAD_USAGE), words
    assert "Traceback" not in out.getvalue() + err.getvalue()
    if code == BAD_USAGE:
        assert err.getvalue().strip() or out.getvalue().strip(), words
