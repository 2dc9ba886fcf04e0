"""The Kubernetes API as JSON: logins by kubernetes-asyncio, errors instead of statuses.

Objects stay as the cluster sends them: of most kinds (Kubeflow's, Volcano's) no library has
classes, and of every object few fields are read.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from engine.cluster.errors import (
    ClusterConflict,
    ClusterError,
    ClusterExpired,
    ClusterNotFound,
    ClusterRefused,
    ClusterUnreachable,
)

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient

Object = Mapping[str, Any]

# Without a time limit the library waits for ever.
_PATIENCE = aiohttp.ClientTimeout(total=20, sock_connect=5)
_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=None)
_CHUNK = 64 * 1024
_PAGE = 500
_ERRORS: dict[int, type[ClusterError]] = {
    401: ClusterRefused,
    403: ClusterRefused,
    404: ClusterNotFound,
    409: ClusterConflict,
    410: ClusterExpired,
    429: ClusterUnreachable,
}


class Api:
    """One cluster's API server; nothing is connected to before the first request.

    `kubeconfig` is a file's path; None takes the account of the pod that this process runs in.
    Every method raises ClusterError.
    """

    def __init__(self, kubeconfig: Path | None) -> None:
        self._kubeconfig = kubeconfig
        self._client: ApiClient | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def get(self, path: str, **query: str) -> Object:
        """Read an object or a list."""
        return await self._request("GET", path, query)

    async def create(self, path: str, body: Object) -> Object:
        """Create an object in the collection at `path`; the object as the cluster keeps it."""
        return await self._request("POST", path, {}, body)

    async def delete(self, path: str, **options: object) -> None:
        """Delete an object; quiet when it is gone already. `options` are DeleteOptions."""
        with contextlib.suppress(ClusterNotFound):
            await self._request("DELETE", path, {}, options)

    async def items(self, path: str, **query: str) -> list[Object]:
        """All objects of a list, read page by page."""
        try:
            return await self._pages(path, {**query, "limit": str(_PAGE)})
        except ClusterExpired:  # between two pages; one answer cannot expire
            return list((await self.get(path, **query)).get("items") or [])

    @contextlib.asynccontextmanager
    async def stream(self, path: str, **query: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an answer that goes on, such as a log that is followed."""
        with _translated(f"GET {path}"):
            response = await self._send("GET", path, query, None, _STREAM)
            try:
                if response.status >= 400:
                    raise _refusal(response.status, await response.read(), f"GET {path}")
                yield response.content.iter_chunked(_CHUNK)
            finally:
                response.close()

    async def close(self) -> None:
        """Let go of the connections, for good."""
        self._closed = True
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._client:
            await self._client.close()
            self._client = None

    async def _pages(self, path: str, query: dict[str, str]) -> list[Object]:
        found: list[Object] = []
        while True:
            page = await self.get(path, **query)
            found += page.get("items") or []
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return found
            query["continue"] = following

    async def _request(
        self, method: str, path: str, query: Mapping[str, str], body: Object | None = None
    ) -> Object:
        doing = f"{method} {path}"
        with _translated(doing):
            response = await self._send(method, path, query, body, _PATIENCE)
            if response.status == 401:
                # Tokens of kubeconfigs that a program makes expire: read it again, once.
                response.close()
                await self._disconnect()
                response = await self._send(method, path, query, body, _PATIENCE)
            async with response:
                content = await response.read()
            if response.status >= 400:
                raise _refusal(response.status, content, doing)
            found: Object = json.loads(content)
            return found

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None,
        patience: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        client = await self._connected()
        response: aiohttp.ClientResponse = await client.call_api(
            path,
            method,
            query_params=list(query.items()),
            header_params={"Accept": "application/json, */*"},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=patience,
        )
        return response

    async def _connected(self) -> "ApiClient":
        async with self._connecting:
            if self._closed:
                raise ClusterUnreachable("This process stops.")
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> "ApiClient":
        # Here, for it takes a sixth of the start of a process that may have no cluster.
        from kubernetes_asyncio.client import ApiClient, Configuration
        from kubernetes_asyncio.config import (
            ConfigException,
            load_incluster_config,
            new_client_from_config,
        )

        try:
            if self._kubeconfig:
                return await new_client_from_config(
                    config_file=str(self._kubeconfig), persist_config=False
                )
            configuration = Configuration()
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # untyped there
            return ApiClient(configuration=configuration)
        except (ConfigException, OSError, ValueError) as error:
            raise ClusterError(
                "The cluster's kubeconfig cannot be used. Check DARKROOM_KUBECONFIG."
            ) from error


def within_cluster() -> bool:
    """Whether this process runs in a pod that has an account of the cluster."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST"))


@contextlib.contextmanager
def _translated(doing: str) -> Iterator[None]:
    """Transport errors as this package's."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ClusterUnreachable(
            "The cluster's API server does not answer. Check that it runs, and the network."
        ) from error
    except json.JSONDecodeError as error:
        raise ClusterError(
            f"The cluster answered {doing} with something else than JSON."
        ) from error


def _refusal(status: int, body: bytes, doing: str) -> ClusterError:
    kind = _ERRORS.get(status, ClusterUnreachable if status >= 500 else ClusterError)
    return kind(f"The cluster answered {doing} with status {status}: {_reason(body)}.")


def _reason(body: bytes) -> str:
    """The `Status` object's message, which names users and resources but no secret."""
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get("message") or "no reason given").rstrip(".")
    return "no reason given"
