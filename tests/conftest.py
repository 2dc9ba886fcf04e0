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

# One cluster serves them all, and each looks whether anything was left on its nodes.
CLUSTER = ("test_saving.py", "test_saving_killed.py", "test_saving_registry.py", "test_cluster.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file run in one process, in their order, when several processes share them."""
    for item in items:
        group = "cluster" if item.path.name in CLUSTER else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are no name: some hold the time, and every process must find the same tests."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
