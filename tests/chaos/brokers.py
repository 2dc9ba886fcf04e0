"""The brokers that a run breaks in turn, each with what carries notifications beside it."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos.leaks import Leaks
from tests.fixtures.brokers import BrokerServer, rabbitmq_server, redis_server
from tests.servers.network import Network
from tests.servers.program import Program

NAMES = ("Redis", "RabbitMQ")


@dataclass(frozen=True)
class Broker:
    """One broker, the network to it, and what machines are told that use it."""

    program: Program
    network: Network
    settings: Mapping[str, str]
    kept: Path | None
    """Where it keeps what outlives it."""
    search: Callable[[Leaks], None]
    """Look for secrets in whatever it holds now."""

    def forget(self) -> None:
        """Lose everything, as on a new machine."""
        self.program.kill()
        if self.kept:
            shutil.rmtree(self.kept)
        self.program.start()


@contextlib.contextmanager
def brokers(folder: Path) -> Iterator[dict[str, Broker]]:
    """All of them, by name, until the block ends."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder))
        rabbitmq = stack.enter_context(rabbitmq_server(folder))
        networks = [stack.enter_context(_network(server)) for server in (redis, rabbitmq)]
        by_redis, by_rabbitmq = map(_address, (redis, rabbitmq), networks)
        kept = folder / "mnesia"
        yield {
            "Redis": Broker(
                redis.program,
                networks[0],
                {"BROKER_URL": by_redis, "NOTIFY_URL": by_redis},
                None,
                lambda leaks: leaks.search_redis(redis.url),
            ),
            # Beside RabbitMQ, which carries no notifications, it is the database that does.
            "RabbitMQ": Broker(
                rabbitmq.program,
                networks[1],
                {"BROKER_URL": by_rabbitmq, "NOTIFY_URL": ""},
                kept,
                lambda leaks: leaks.search_changing("RabbitMQ", kept),
            ),
        }


def _network(server: BrokerServer) -> contextlib.AbstractContextManager[Network]:
    return Network(urlsplit(server.url).port or 0).running()


def _address(server: BrokerServer, network: Network) -> str:
    """The broker's address by way of the network."""
    return server.url.replace(f":{urlsplit(server.url).port}/", f":{network.port}/")
