"""Messages without what could be a credential of D-Wave's."""

from __future__ import annotations

import os
import re

from neurobench.config.secrets import hide, scrubbed

_TOKEN = re.compile(r"[A-Za-z0-9]+-[0-9a-fA-F]{16,}")  # as D-Wave writes them


def cleaned(text: str) -> str:
    """Without tokens, and without the proxy, whose address may hold a password."""
    hide(os.environ.get("DWAVE_PROXY"))
    return _TOKEN.sub("***", scrubbed(text))
