"""A package of an optional extra that is missing or broken is reported with a message, never a traceback."""

from pathlib import Path

import pytest

from neurobench.config.errors import UserError
from neurobench.config.targets import import_extra


def test_a_missing_package_is_named_with_its_extra() -> None:
    with pytest.raises(UserError, match=r"ours needs no_such_package, which is not installed: .*\[such\]"):
        import_extra("no_such_package", "such", "ours")


@pytest.mark.parametrize("fault", ["KeyError('libsuch.so')", "OSError('libsuch.so')", "ImportError('libsuch.so')"])
def test_an_installed_package_that_cannot_be_imported_is_not_called_missing(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outer_of_two.py").write_text("import inner_of_two\n")
    (tmp_path / "inner_of_two.py").write_text(f"raise {fault}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as refused:
        import_extra("outer_of_two", "such", "ours")
    said = str(refused.value)
    assert "outer_of_two, which is installed but cannot be imported" in said
    assert "libsuch.so" in said
    assert "in the package inner_of_two" in said
