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
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are no name: some hold the time, and every process must find the same tests."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
