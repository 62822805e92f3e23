"""Paths that begin with ~. In `outputs=~/runs`, `key: ~/file` of a YAML file and quoted variables no shell, or only
some, puts the home folder in its place."""

import os


def home_path(text: str) -> str:
    """Path with the home folder in place of ~ or ~user; unchanged if it has neither, or the system knows no such
    folder."""
    return os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises RuntimeError
