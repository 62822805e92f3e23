"""A terminal of 24 lines and 80 columns, for tests of the output that a user sees."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_a_terminal(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> str:
    """Output that a command writes to the terminal. The command's exit code must be 0."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen(command, cwd=folder, env={**environment, "TERM": "xterm"}, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:
        pass  # Linux reports the closed terminal as an error
    os.close(ours)
    assert child.wait() == 0, seen
    return seen.decode()
