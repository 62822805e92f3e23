"""Credentials stay where their vendors keep them: whatever is written or shown is freed of them first.

They are known by the names of the environment's variables, and from those who open an account (`hide`).
"""

from __future__ import annotations

import os
import re

_NAMES = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
_SHORTEST = 8  # characters: what is shorter is no credential, and stands in other words
_hidden: set[str] = set()


def hide(secret: str | None) -> None:
    """From here on `scrubbed` knows it."""
    if secret and len(secret) >= _SHORTEST:
        _hidden.add(secret)


def scrubbed(text: str) -> str:
    """The same with *** in place of every credential that is known."""
    named = {value for name, value in os.environ.items() if _NAMES.search(name) and len(value) >= _SHORTEST}
    for secret in sorted(named | _hidden, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
