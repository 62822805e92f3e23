"""Tests of the documentation: every command and every line of Python in its pages works unchanged."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurobench.cli.main import VERBS, main
from neurobench.config import targets
from neurobench.data.files import bundled_folder
from neurobench.docs import TOPICS, page
from neurobench.experiment import host_energy

AS_TYPED = (
    "help",
    "version",
    "list",
    "validate",
    "show",
    "compare",
    "table",
    "matrix",
    "new",
    "cp",
    "schema",
    "export",
)
OWN_MODULES = ("mine", "mynet")  # modules that the pages make
REFUSED_NOTHING = {0, 3}  # exit codes; 3: a row of a table is outside its band
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(topic: str, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(page(topic)) if kind == language]


def commands(topic: str) -> list[str]:
    return [line for code in blocks(topic, "sh") for line in code.splitlines() if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folder in which a reader of the pages types: user files, named as in the pages, and a finished run."""
    place = tmp_path_factory.mktemp("reader")
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{y:.3f},{'ab'[k % 2]}" for k, (x, y) in enumerate(rng.random((40, 2)))]
    (place / "table.csv").write_text("\n".join(["width,height,kind", *rows]) + "\n")
    for kind in "ab":
        (place / "pictures" / kind).mkdir(parents=True)
        (place / "gestures" / kind).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (28, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(place / "pictures" / kind / f"{number}.png")
            events = np.zeros(20, dtype=[("t", int), ("x", int), ("y", int), ("p", int)])
            events["t"], events["x"], events["y"] = np.arange(20), rng.integers(0, 8, 20), rng.integers(0, 8, 20)
            np.save(place / "gestures" / kind / f"{number}.npy", events)
    (place / "full_nmnist").symlink_to(bundled_folder("nmnist"))
    for code in blocks("plugins", "python"):
        (place / "mynet.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.delenv("NEUROBENCH_OUTPUTS", raising=False)
        others = str(tmp_path_factory.getbasetemp())  # folders of other tests, with modules of the same names
        patch.setattr(sys, "path", [entry for entry in sys.path if not entry.startswith(others)])
        patch.setattr(targets, "PLUGIN_FILES", {})  # code that a page allows is allowed in no other test
        patch.setattr(targets, "ALLOWED", targets.ALLOWED)
        patch.setenv("NEUROBENCH_ALLOW", os.environ.get("NEUROBENCH_ALLOW", ""))
        for name in OWN_MODULES:  # other tests have modules of these names
            patch.delitem(sys.modules, name, raising=False)
        patch.setattr(host_energy, "is_installed", lambda module: True)  # its page names the extra that measures joules
        assert main(["run", "model=qrbm", "scale=smoke", "threads=1"]) == 0
        yield place
        for name in OWN_MODULES:
            sys.modules.pop(name, None)


def call(words: list[str]) -> int:
    """Run a command as if in a separate process: code that one command allows, the next one does not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "PLUGIN_FILES", dict(targets.PLUGIN_FILES))
        patch.setattr(targets, "ALLOWED", targets.ALLOWED)
        patch.setenv("NEUROBENCH_ALLOW", os.environ.get("NEUROBENCH_ALLOW", ""))
        try:
            return main(words)
        except SystemExit as ended:
            return int(ended.code or 0)


CHECKED: set[str] = set()  # lines that have been checked: pages share some


def check(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Check a command: short ones are run unchanged, runs validated, sweeps planned; others' options are looked up."""
    typed = [word for word in shlex.split(line, comments=True) if word not in (">", "schema.json")]
    verb, *words = typed[typed.index("neurobench") + 1 :]  # after environment variables
    if verb == "run":
        questions = ("--resume", "--cfg", "job", "--dry-run", "--no-wait")
        several = "-m" in words
        kept = [word for word in words if word not in (*questions, "-m")]
        verb, words = ("sweep", [*kept, "--dry-run"]) if several else ("validate", kept)
    on_cluster = "--launcher" in words  # a cluster, which this machine need not have
    if verb in AS_TYPED or (verb == "sweep" and "--dry-run" in words and not on_cluster):
        assert call([verb, *words]) in REFUSED_NOTHING, f"{line}\n{capsys.readouterr().err}"
        return
    assert verb in VERBS
    capsys.readouterr()
    assert call([verb, *[word for word in words[:1] if verb == "data"], "--help"]) == 0
    described = capsys.readouterr().out
    assert all(word in described for word in words if word.startswith("-")), line


@pytest.mark.parametrize("topic", TOPICS)
def test_every_command_of_a_page_works(topic: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in commands(topic):
        if line not in CHECKED:
            check(line, capsys)
            CHECKED.add(line)


def test_the_user_defined_network_of_the_page_on_plugins_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    network = next(line for line in commands("plugins") if "mynet" in line)
    assert call([*shlex.split(network)[1:], "dataset=mnist_01_400"]) == 0


@pytest.mark.parametrize("topic", ["python", "sweeps"])
def test_every_line_of_python_in_a_page_runs(topic: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for code in blocks(topic, "python"):
        exec(code, names)


@pytest.mark.parametrize("topic", TOPICS)
def test_messages_that_a_page_quotes_are_those_that_its_command_prints(
    topic: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page writes `...` for a part that it leaves out."""
    for quoted in re.findall(r"^    \$ neurobench run (.*)\n((?:    .*\n)+)", page(topic), re.MULTILINE):
        capsys.readouterr()
        call(["validate", *shlex.split(quoted[0])])
        answer = capsys.readouterr().err
        parts = [" ".join(part.split()) for part in quoted[1].split("...")]
        assert [part for part in parts if part not in " ".join(answer.split())] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_short_and_refers_only_to_existing_pages_and_verbs(topic: str) -> None:
    lines = page(topic).splitlines()
    assert lines[0] == f"# {topic.capitalize()}"
    assert len(lines[2]) <= 60
    assert 40 <= len(lines) <= 120
    assert set(re.findall(r"`neurobench help (\w+)`", page(topic))) <= {*TOPICS, "TOPIC"}
    assert set(re.findall(r"`neurobench (\w+)", page(topic))) <= set(VERBS)


def test_the_pages_are_in_the_folder_that_ships() -> None:
    import neurobench

    shipped = {file.stem for file in (Path(neurobench.__file__).parent / "docs").glob("*.md")}
    assert shipped == set(TOPICS)


def test_a_page_is_typeset_on_a_terminal_and_plain_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["help", "data"]) == 0
    assert capsys.readouterr().out == page("data")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["help", "data"]) == 0
    typeset = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "```" not in typeset
    assert "neurobench data verify" in typeset
    assert max(map(len, typeset.splitlines())) <= 80
