"""What every test may use: real servers, started on demand and ended with the run."""

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
