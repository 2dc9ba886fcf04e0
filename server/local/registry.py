"""A registry on loopback (Debian's `docker-registry`), for trying things out and for tests."""

import contextlib
import http.client
import json
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.local.process import free_port, running


@dataclass(frozen=True, slots=True)
class Htpasswd:
    """Logins by Basic; `file` holds `user:bcrypt` lines."""

    file: Path

    def config(self) -> dict[str, Any]:
        """Distribution's `auth` section."""
        return {"htpasswd": {"realm": "registry", "path": str(self.file)}}


@dataclass(frozen=True, slots=True)
class TokenService:
    """Logins by Bearer: `realm` is the service's address, `certificates` prove its tokens."""

    realm: str
    service: str
    issuer: str
    certificates: Path

    def config(self) -> dict[str, Any]:
        """Distribution's `auth` section."""
        return {
            "token": {
                "realm": self.realm,
                "service": self.service,
                "issuer": self.issuer,
                "rootcertbundle": str(self.certificates),
            }
        }


@dataclass(frozen=True, slots=True)
class LocalRegistry:
    """A registry that runs; `host` is `127.0.0.1:port`, served over plain http."""

    host: str


@contextlib.contextmanager
def local_registry(
    data: Path, port: int | None = None, auth: Htpasswd | TokenService | None = None
) -> Iterator[LocalRegistry]:
    """Run a registry until the block ends; what it holds stays in the folder `data`.

    Without `auth` whoever reaches loopback may read, write and delete. Raises DidNotStart.
    """
    host = f"127.0.0.1:{port or free_port()}"
    data.mkdir(parents=True, exist_ok=True)
    config = data / "registry.yml"
    config.touch(mode=0o600)
    # JSON is YAML, and quotes paths better than one would by hand.
    config.write_text(json.dumps(registry_config(data, host, auth), indent=2))
    with running(
        ["docker-registry", "serve", str(config)],
        log=data / "registry.log",
        ready=_answers(host),
        # REGISTRY_… variables would override the file.
        env={"PATH": os.environ.get("PATH", os.defpath)},
    ):
        yield LocalRegistry(host)


def registry_config(
    data: Path, host: str, auth: Htpasswd | TokenService | None = None
) -> dict[str, Any]:
    """Distribution's configuration for a registry that keeps everything under `data`."""
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(data / "storage")},
            "delete": {"enabled": True},
        },
        "http": {"addr": host, "secret": secrets.token_hex(32)},
    }
    return config | ({"auth": auth.config()} if auth else {})


def _answers(host: str) -> Callable[[], bool]:
    def answers() -> bool:
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in {200, 401}
        except OSError:
            return False
        finally:
            connection.close()

    return answers
