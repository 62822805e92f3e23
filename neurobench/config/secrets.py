"""Removal of credentials, which stay where their vendors store them, from anything that is written or shown.

They are recognised by the names of environment variables, or registered by code that opens an account (`hide`).
"""

from __future__ import annotations

import os
import re
from typing import Any

_NAMES = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY", re.IGNORECASE)
HIDDEN = "***"  # in place of a credential
_SHORTEST = 8  # characters: a shorter text is no credential, and occurs in other words
_hidden: set[str] = set()


def hide(secret: str | None) -> None:
    """Register a credential for `scrubbed`."""
    if secret and len(secret) >= _SHORTEST:
        _hidden.add(secret)


def scrubbed(text: str) -> str:
    """Text with HIDDEN in place of every known credential."""
    named = {value for name, value in os.environ.items() if _NAMES.search(name) and len(value) >= _SHORTEST}
    for secret in sorted(named | _hidden, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def scrubbed_values(value: Any) -> Any:
    """Plain values with `scrubbed` texts."""
    if isinstance(value, dict):
        return {key: scrubbed_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [scrubbed_values(item) for item in value]
    return scrubbed(value) if isinstance(value, str) else value
