"""What every test may use: real servers, started on demand and ended with the run."""

import pytest

pytest_plugins = [
    "tests.fixtures.registry",
    "tests.fixtures.docker",
    "tests.fixtures.git",
    "tests.fixtures.database",
    "tests.fixtures.brokers",
    "tests.fixtures.blobs",
    "tests.fixtures.service",
    "tests.fixtures.cluster",  # after those that it imports, so that their asserts explain
]


@pytest.hookimpl(tryfirst=True)  # before `-m` selects by the marks that are given here
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file run in one process, in their order, when several processes share them.

    So do those of the cluster, which share its containers, unless they say otherwise.
    """
    for item in items:
        on_cluster = "lab" in getattr(item, "fixturenames", ())
        if on_cluster:
            item.add_marker(pytest.mark.cluster)
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("cluster" if on_cluster else str(item.path)))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are no name: some hold the time, and every process must find the same tests."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
