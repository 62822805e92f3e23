"""Removal of possible D-Wave credentials from messages."""

from __future__ import annotations

import os
import re

from neurobench.config.secrets import hide, scrubbed

_TOKEN = re.compile(r"[A-Za-z0-9]+-[0-9a-fA-F]{16,}")  # the format of D-Wave's tokens


def cleaned(text: str) -> str:
    """Remove tokens from a message, and the proxy, whose address may contain a password."""
    hide(os.environ.get("DWAVE_PROXY"))
    return _TOKEN.sub("***", scrubbed(text))
