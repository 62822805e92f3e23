import pytest


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Separate cache folder of these tests, filled by the first one that reads MNIST."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEUROBENCH_DATA", str(folder))
        yield folder
