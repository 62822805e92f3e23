import hashlib

import pytest

from neurobench.data.dataset import DataError
from neurobench.data.files import ALL_BUNDLED, BUNDLED, MNIST_GZ, Declared, checked_bytes, combined

CONTENT = b"five bytes and some more"
DECLARED = Declared("some/file", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_the_bundled_mnist_files_are_those_that_torchvision_downloads():
    from torchvision.datasets import MNIST

    ours = [(BUNDLED / gz.name).read_bytes() for gz in MNIST_GZ]
    assert [(gz.name.split("/")[1], hashlib.md5(raw).hexdigest()) for gz, raw in zip(MNIST_GZ, ours, strict=True)] == (
        MNIST.resources
    )


def test_every_bundled_file_is_declared_and_every_declared_file_exists():
    there = {path.relative_to(BUNDLED).as_posix() for path in BUNDLED.rglob("*") if path.is_file()}
    own = {"README.md", "camera.json"}  # not third-party files, which have a known checksum
    assert there - own == {declared.name for declared in ALL_BUNDLED}


def test_an_intact_file_is_read(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    assert checked_bytes(tmp_path / "file", DECLARED, "-") == CONTENT


@pytest.mark.parametrize(
    ("content", "found"),
    [
        pytest.param(CONTENT[:-1], "23 bytes", id="cut"),
        pytest.param(b"", "0 bytes", id="empty"),
        pytest.param(CONTENT + b"\0", "25 bytes", id="too long"),
        pytest.param(b"F" + CONTENT[1:], hashlib.sha256(b"F" + CONTENT[1:]).hexdigest(), id="altered"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_its_actual_size_or_hash_and_the_remedy(tmp_path, content, found):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError) as refusal:
        checked_bytes(tmp_path / "file", DECLARED, "Fetch again.")
    expected = DECLARED.sha256 if len(content) == DECLARED.size else "24 bytes"
    for part in (str(tmp_path / "file"), found, expected, "was not used", "Fetch again."):
        assert part in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: cannot be read \(No such file or directory\)\. Fetch again\."):
        checked_bytes(tmp_path / "nowhere", DECLARED, "Fetch again.")


def test_the_combined_hash_is_what_sha256sum_gives_for_the_listed_digests():
    assert combined(["aa", "bb"]) == hashlib.sha256(b"aa\nbb\n").hexdigest()
    assert combined(["aa", "bb"]) != combined(["bb", "aa"])
