"""The registry as the rest of the engine sees it."""

from engine.registry.access import LOGIN
from engine.registry.harbor import HarborCatalogue
from engine.registry.images import Images
from engine.registry.transport import Request


class Registry(Images, HarborCatalogue):
    """One registry, used inside `async with`; every method raises RegistryError.

    `host` is `host[:port]`. `insecure` chooses plain http; left out, loopback hosts alone get it.
    """

    async def ping(self) -> None:
        """Return when the registry answers and takes the login."""
        await self._do(Request("GET", self._base.with_path("/v2/"), LOGIN))
