"""The user's folders. In `outputs=~/runs`, `key: ~/file` of a YAML file and quoted variables no shell, or only some,
puts the home folder in place of ~."""

import os
from pathlib import Path


def home_path(text: str) -> str:
    """Path with the home folder in place of ~ or ~user; unchanged if it has neither, or the system knows no such
    folder."""
    return os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises RuntimeError


def as_stored(key: str, text: str) -> str:
    """Value of a key as a run stores it: paths of data and of initial networks mean the same in every folder. Unless
    there is such a file, `model.init_from` names a run."""
    if key in ("dataset.root", "dataset.camera") or (key == "model.init_from" and _is_named_file(text)):
        return absolute_path(text)
    # `outputs` names a folder in any case, as --outputs and NEUROBENCH_OUTPUTS do; other keys may be texts of any kind
    return home_path(text) if key == "outputs" or text.startswith("~/") else text


def _is_named_file(text: str) -> bool:
    """Whether there is a file, with a suffix, which says what it is."""
    path = Path(home_path(text))
    return bool(path.suffix) and path.is_file()


def absolute_path(text: str) -> str:
    """Path that means the same in every folder."""
    place = Path(home_path(text))  # links stay in the path, unless it contains `..`
    return str(place.resolve() if ".." in place.parts else place.absolute())


def user_cache() -> Path:
    """The user's folder for what can be made again. A user without a home folder, as in a container that is run under
    any number, has none: then it is a path at which nothing can be created."""
    import platformdirs

    try:
        return Path(platformdirs.user_cache_dir("neurobench"))
    except RuntimeError:
        return Path(os.devnull, "neurobench")
