"""Entry point of the command `neurobench VERB ...`: finds the module of the verb and calls it.

Only the standard library is needed here, so that help and typing mistakes are answered at once.
"""

import importlib
import io
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from neurobench.config.errors import BAD_USAGE, FAILED, FINE, ConfigError, UserError, did_you_mean
from neurobench.phases import phase, shown
from neurobench.process import importing, is_stop, outlive_readers, run_one_command

VERBS = {
    "run": "load, train, evaluate, record, draw: neurobench run model=qrbm backend=sim",
    "sweep": "plan and run many configurations, none twice: neurobench sweep model=qrbm seed=0,1,2 --dry-run",
    "tune": "search for better values on held-out samples: neurobench tune qrbm --trials 30",
    "poll": "fetch answers that have arrived from a device and resume the runs started with --no-wait",
    "list": "list models, datasets, backends, experiments and what runs with what; `list runs` for past runs",
    "show": "show a past run: configuration, figures of merit, files; predict from its checkpoint",
    "compare": "differences in settings and figures of runs, and their significance: neurobench compare A B",
    "results": "tabulate or plot many runs by their settings: neurobench results 'qrbm*' --by model.lr --plot lr.png",
    "rerun": "repeat a past run in a new folder and check whether its figures are the same",
    "import": "test a network of another framework (NIR): neurobench import FILE.nir --data nmnist",
    "export": "write a finished run's model in a format of its field: neurobench export RUN --format bqm",
    "conform": "check that norse, snnTorch, SpikingJelly, sinabs run NIR graphs as specified: neurobench conform norse",
    "table": "published and measured figures of a tutorial, bands, verdicts: neurobench table dynex",
    "report": "write every run, table and figure to one HTML page; --serve follows runs in progress",
    "matrix": "show every model on every data set on both backends, from finished runs",
    "validate": "check configurations without running them",
    "new": "create files for your own model, data set, device or experiment: neurobench new model mine",
    "cp": "copy a bundled recipe for editing: neurobench cp experiment dynex_qrbm mine",
    "schema": "print a JSON schema of all YAML files, for editors: neurobench schema > schema.json",
    "data": "verify the bundled data, print its path, fetch the full sets, emulate N-MNIST",
    "doctor": "check whether this machine and installation are in order",
    "help": "show the documentation: neurobench help data; every key of a model: neurobench help model=qrbm",
    "version": "print the version",
}
# Modules shared by several verbs; any other verb has a module of its own name. The function is `VERB_command`.
MODULES = {
    "show": "runs", "rerun": "runs", "export": "runs", "table": "tables",
    "matrix": "tables", "report": "tables", "list": "listing", "validate": "catalogue", "schema": "catalogue",
    "cp": "new", "version": "help", "import": "importing",
}  # fmt: skip
OTHER_WORDS = {
    "train": "run", "start": "run", "fit": "run", "test": "show RUN --predict N", "predict": "show RUN --predict N",
    "evaluate": "show RUN", "resume": "run ... --resume", "ls": "list", "info": "list", "models": "list",
    "runs": "list runs", "diff": "compare", "plot": "report", "check": "validate",
    "init": "new", "copy": "cp", "docs": "help", "man": "help", "optimize": "tune",
}  # fmt: skip  # what other tools call a verb -> what it is called here
COMPOSING = ("run", "validate")  # verbs whose arguments are Hydra overrides, which Hydra completes

HELP = """usage: neurobench VERB [ARGUMENTS]

A declarative experiment runner for classifiers that are computed in unusual ways.

{verbs}

Try:   neurobench run model=qrbm backend=sim
       neurobench run -m model=qrbm seed=0,1,2
       neurobench VERB --help
       neurobench help            (the documentation, by topic)

Your own code: neurobench VERB --plugin mine.py ...
Tab completion (bash):  eval "$(neurobench -sc install=bash)"
Exit codes: 0 fine, 1 a run failed, 2 bad usage or configuration, 3 a table row fell outside its band,
4 a run waits for jobs that are queued at a device.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        _open_closed_streams()
        outlive_readers()
        os.environ["MPLBACKEND"] = "agg"  # figures go into files; a notebook's shell sets a backend that may be absent
        _end_in_words()
        run_one_command()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode, a word that is not UTF-8
            stream.reconfigure(errors="backslashreplace")
    if not words or words[0] in ("-h", "--help"):
        verbs = "\n".join(f"  {verb:10} {line}" for verb, line in VERBS.items())
        print(HELP.format(verbs=verbs), end="")
        return FINE if words else BAD_USAGE
    if words[0] in ("-V", "--version"):
        words[0] = "version"
    if words[0] in ("-sc", "--shell-completion", "--shell_completion"):
        return _complete(words)
    if words[0] not in VERBS:
        print(f"neurobench: there is no verb {words[0]!r}.{_verb_hint(words[0])}", file=sys.stderr)
        return BAD_USAGE
    return _call(words[0], words[1:])


def _open_closed_streams() -> None:
    """Replace standard streams that the caller has closed (`>&-`), for which Python has None, by the null device. Else
    a file of the run would be opened in their place, and receive what libraries print."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their numbers
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115 - open until the process ends


def _verb_hint(word: str) -> str:
    """Suggestion for an unknown verb, or the list of all verbs."""
    if "=" in word:
        return f" Did you mean neurobench run {word}?"
    if hint := did_you_mean(word, VERBS):
        return hint
    if near := did_you_mean(word, OTHER_WORDS):
        verb = OTHER_WORDS[near.removeprefix(" Did you mean ").removesuffix("?")]
        return f" Did you mean neurobench {verb}?"
    from neurobench.config.compose import all_choices
    from neurobench.config.suggestions import choice_hint
    from neurobench.docs import TOPICS

    if word in TOPICS:
        return f" Did you mean neurobench help {word}?"
    return choice_hint(word, all_choices(), "neurobench run ") or f" There is {', '.join(VERBS)}."


def _end_in_words() -> None:
    """Treat a closed terminal or a `kill` like Ctrl-C, so that the run says how to resume it; not if these signals are
    ignored (nohup)."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _call(verb: str, words: list[str]) -> int:
    # For run.json, also for runs in a sweep's worker processes; sys.argv does not serve, since Hydra changes it.
    os.environ["NEUROBENCH_COMMAND"] = shlex.join(["neurobench", verb, *words])
    with nullcontext() if {"-q", "--quiet"} & set(words) else shown(), phase(f"neurobench {verb}"):
        return _answer(verb, words)


def _answer(verb: str, words: list[str]) -> int:
    """Run a verb and return its exit code; any exception is reported in a sentence."""
    try:
        _require_folder()
        with importing(""):
            module = importlib.import_module(f"neurobench.cli.{MODULES.get(verb, verb)}")
        code = getattr(module, f"{verb}_command")(words)
        sys.stdout.flush()  # a closed pipe is noticed here, not when Python exits
        return code
    except KeyboardInterrupt:
        return _stopped(verb)
    except ConfigError as error:
        _say(error)
        return BAD_USAGE
    except UserError as error:
        _say(f"neurobench {verb}: {error}")
        return error.exit_code
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            # The reader (head, less) has closed the pipe: discard the rest of the buffer.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FINE
        where = f"{error.filename}: " if error.filename else ""
        _say(f"neurobench {verb}: {where}{error.strerror or error}{_story(error)}")
        return FAILED
    except Exception as error:
        if is_stop(error):
            return _stopped(verb)
        is_of_data = isinstance(error, getattr(sys.modules.get("neurobench.data.dataset"), "DataError", ()))
        _say(f"neurobench {verb}: " + (f"{error}" if is_of_data else f"{type(error).__name__}: {error}{_story(error)}"))
        return FAILED


def _stopped(verb: str) -> int:
    hint = "; the same command resumes it" if verb in ("sweep", "tune") else ""
    _say(f"neurobench {verb}: stopped{hint}")
    return 130


def _require_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the folder in which you are has been deleted: change to another one") from None


def _say(sentence: object) -> None:
    """Print a sentence on stderr; control characters in user input or files are made visible, never passed to the
    terminal."""
    from neurobench.config.secrets import scrubbed
    from neurobench.storage.files import printable

    with suppress(OSError):  # if a full disk prevents the message, the exit code still reports it
        print(printable(scrubbed(str(sentence))), file=sys.stderr)


def _story(error: Exception) -> str:
    """Write the traceback of an unexpected error to a file and return a sentence that names it, so that only those who
    look for it see it."""
    import tempfile
    import traceback

    from neurobench.config.secrets import scrubbed

    try:
        with tempfile.NamedTemporaryFile("w", prefix="neurobench-", suffix=".log", delete=False) as file:
            file.write(scrubbed("".join(traceback.format_exception(error))))
    except OSError:
        return ""
    return f"\nThe traceback is in {file.name}"


def _complete(words: list[str]) -> int:
    """Tab completion: `-sc install=SHELL`, `-sc uninstall=SHELL` and `-sc query=SHELL`.

    Hydra knows no verbs, so the verb is removed from the line that the shell passes on before Hydra sees it.
    """
    if len(words) != 2 or "=" not in words[1]:
        print('usage: eval "$(neurobench -sc install=bash)"   (or zsh, fish)', file=sys.stderr)
        return BAD_USAGE
    if words[1].startswith("query="):
        command, *typed = os.environ.get("COMP_LINE", "").split(" ")
        if len(typed) <= 1:
            print(" ".join(verb for verb in VERBS if verb.startswith("".join(typed))))
            return FINE
        if typed[0] not in COMPOSING:
            return FINE
        os.environ["COMP_LINE"] = " ".join([command, *typed[1:]])
    from neurobench.cli.run import hydra_app

    hydra_app([], None, words)
    return FINE
