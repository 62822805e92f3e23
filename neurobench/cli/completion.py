"""Tab completion: verbs here, overrides by Hydra."""

import os
import sys
from collections.abc import Iterable

from neurobench.config.errors import BAD_USAGE, FINE

COMPOSING = ("run", "validate")  # verbs whose arguments are Hydra overrides


def complete(words: list[str], verbs: Iterable[str]) -> int:
    """Answer `-sc install=SHELL`, `-sc uninstall=SHELL` and `-sc query=SHELL`.

    Hydra knows no verbs: the verb is taken out of the line that the shell hands over before Hydra sees it.
    """
    if len(words) != 2 or "=" not in words[1]:
        print('usage: eval "$(neurobench -sc install=bash)"   (or zsh, fish)', file=sys.stderr)
        return BAD_USAGE
    if words[1].startswith("query="):
        typed = os.environ.get("COMP_LINE", "").split(" ")
        if len(typed) <= 2:
            start = typed[1] if len(typed) == 2 else ""
            print(" ".join(verb for verb in verbs if verb.startswith(start)))
            return FINE
        if typed[1] not in COMPOSING:
            return FINE
        os.environ["COMP_LINE"] = " ".join([typed[0], *typed[2:]])
    from neurobench.cli.run import hydra_app

    hydra_app([], None, words)
    return FINE
