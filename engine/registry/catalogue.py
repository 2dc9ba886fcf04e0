"""Lists: the repositories of a registry and the tags of a repository, page by page."""

import contextlib
import re
from dataclasses import dataclass

import aiohttp
from yarl import URL

from engine.registry.access import CATALOGUE, Access, pull
from engine.registry.errors import RegistryProtocolError
from engine.registry.fields import Malformed, parse_object, texts
from engine.registry.transport import Request, Transport

LIST_LIMIT = 16 * 1024 * 1024
_SCAN = 1000
"""Repositories asked for at a time while searching; Distribution gives no more."""
_SCANS = 10
"""Requests that one page of a search may cost."""
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next\b')


@dataclass(frozen=True, slots=True)
class Page:
    """Some names in order; `last` is what to go on after, None at the end.

    A page of a search may be short, or empty, and still not be the last.
    """

    names: tuple[str, ...]
    last: str | None


class Catalogue(Transport):
    """Lists what a registry holds, as far as the login may see it."""

    async def tags(self, repository: str, last: str | None = None, n: int = 100) -> Page:
        """Up to `n` tags after `last`."""
        url = self._url(repository, "tags/list")
        return await self._page(url, "tags", pull(repository), last, n)

    async def repositories(self, search: str = "", last: str | None = None, n: int = 100) -> Page:
        """Up to `n` repositories after `last` whose names contain `search`."""
        url = self._base.with_path("/v2/_catalog")
        if not search:
            return await self._page(url, "repositories", CATALOGUE, last, n)
        found: list[str] = []
        for _ in range(_SCANS):
            page = await self._page(url, "repositories", CATALOGUE, last, _SCAN)
            found += [name for name in page.names if search in name]
            if len(found) > n:
                return Page(tuple(found[:n]), found[n - 1])
            last = page.last
            if last is None:
                break
        return Page(tuple(found), last)

    async def _page(self, url: URL, key: str, access: Access, last: str | None, n: int) -> Page:
        query = {"n": str(n)} | ({"last": last} if last else {})
        request = Request("GET", url.with_query(query), access)
        response, body = await self._read(request, LIST_LIMIT)
        try:
            names = texts(parse_object(body), key) or ()
        except Malformed as error:
            raise RegistryProtocolError(f"{self.host} lists {access.what}, but {error}.") from error
        further = following(response, "last")
        if further is not None:
            return Page(names, further)
        return _paged_here(names, last, n)


def following(response: aiohttp.ClientResponse, key: str) -> str | None:
    """A part of the next page's address, where the registry names one."""
    for header in response.headers.getall("Link", []):
        with contextlib.suppress(ValueError):
            if found := _NEXT.search(header):
                return URL(found[1]).query.get(key)
    return None


def _paged_here(names: tuple[str, ...], last: str | None, n: int) -> Page:
    """Pages of a registry that gives everything at once, in any order, as Distribution 2 does."""
    rest = sorted(names)
    if last in names or len(names) > n:
        rest = [name for name in rest if last is None or name > last]
    return Page(tuple(rest[:n]), rest[n - 1] if len(rest) > n else None)
