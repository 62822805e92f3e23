"""Command-line words are parsed once, and values are set as they were typed."""

import io
import sys
from pathlib import Path

import pytest

from neurobench.cli import catalogue as verbs
from neurobench.cli.main import main
from neurobench.config.compose import choices, composer, explain, read
from neurobench.config.errors import BAD_USAGE, FINE, ConfigError
from neurobench.config.overrides import keep_texts, override_of, parse_word, quote_texts, values_of

BARE = ["~/data", "mäßig", "a(1)", "a#b", "a=b", "it's", "2024", "12e4567", "007", "true", "with space", "C:\\x\\"]


@pytest.mark.parametrize("value", BARE)
def test_a_string_is_set_as_it_was_typed(value: str) -> None:
    with composer() as compose:
        assert compose(read([f"name={value}"])).name == value


def test_swept_strings_are_set_as_they_were_typed() -> None:
    override = parse_word("name=true,007,12e4567")
    assert override is not None
    assert list(values_of(override)) == ["name=true", "name=007", "name=12e4567"]


def test_strings_are_quoted_before_they_are_passed_to_hydra() -> None:
    """`run -m` leaves the sweep to Hydra, which would make `name=1e3` the number 1000.0 in its jobs."""
    words = ["name=1e3,true", "seed=7,8", "model.lr=1e-3", "model=qrbm,mlp", "tags=[1]", "~logger"]
    with composer() as compose:
        config = compose(["model=hxtorch_mlp"])
    assert quote_texts(config, words) == ["name='1e3','true'", *words[1:]]
    override = parse_word(quote_texts(config, words)[0])
    assert override is not None
    assert [value.text for value in override.sweep_iterator()] == ["1e3", "true"]


def test_numbers_stay_numbers() -> None:
    with composer() as compose:
        words = read(["seed=7", "model.lr=1e-3", "training.shuffle=false"])
        config = keep_texts(compose(words), words)
    assert (config.seed, config.model.lr, config.training.shuffle) == (7, 1e-3, False)


def test_an_ambiguous_comma_is_refused_with_both_ways_to_write_it() -> None:
    with pytest.raises(ConfigError, match="one string or several") as caught:
        read(["name=mäßig,grün"])
    for written in ("\"name='mäßig,grün'\"", "\"name='mäßig','grün'\""):
        assert written in str(caught.value)


@pytest.mark.parametrize("value", ["o, ü (t)", "it's", "\\", "a\\'b", "", "[x]", None, True, 1.5, [1, "a,b"]])
def test_a_value_written_as_an_override_is_read_back_unchanged(value: object) -> None:
    override = parse_word(override_of("key", value))
    assert override is not None
    assert override.value() == value


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("name=${", "no viable alternative"),
        ("=3", "'=3' is not an override"),
        ("model.lr.x=3", "model.lr has no key x. It is a value"),
        ("logger=interval(0,1)", "an interval has no list of values"),
        ("encoder=null", "encoder cannot be null"),
    ],
)
def test_a_faulty_override_is_refused_with_the_reason(word: str, sentence: str) -> None:
    assert sentence in " ".join(explain(read([word]))[0])


def test_validate_names_a_malformed_experiment_file_of_a_config_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "tab.yaml").write_text("# @package _global_\ntraining:\n\tbatch_size: 3\n")
    found = choices("experiment", str(tmp_path))
    assert "tab" in found
    few = {"model": ["mlp"], "experiment": ["tab"]}  # all shipped files take 15 s
    monkeypatch.setattr(verbs, "catalogue", lambda config_dir: few)
    assert main(["validate", "--config-dir", str(tmp_path)]) == BAD_USAGE
    assert "experiment=tab: while scanning for the next token found character" in capsys.readouterr().err


def test_a_folder_name_cannot_forge_a_line_of_the_list_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "x\nlatest  finished\x1b[31m" / "20260101-000000-abcdef"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    assert main(["list", "runs", "--outputs", str(tmp_path)]) == FINE
    printed = capsys.readouterr().out
    _, line, *folded = printed.splitlines()
    assert line.startswith("x\\nlatest")
    assert all(each.startswith("   ") for each in folded)  # the wrapped column of errors
    assert "\x1b" not in printed


def test_messages_are_escaped_on_a_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", out)
    assert main(["validate", "model.pixels=mäßig"]) == BAD_USAGE
    out.flush()
    assert b"m\\xe4\\xdfig" in out.buffer.getvalue()  # type: ignore[attr-defined]
