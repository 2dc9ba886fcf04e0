"""Lists by Harbor's own API, where the registry is Harbor.

Harbor gives `/v2/_catalog` to its administrators alone; its own API lists what the login may read.
"""

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import quote

from engine.registry.access import CATALOGUE, LOGIN, Access, pull
from engine.registry.catalogue import LIST_LIMIT, Catalogue, Page, following
from engine.registry.errors import (
    RegistryDenied,
    RegistryNotFound,
    RegistryProtocolError,
)
from engine.registry.fields import Malformed, Object, objects, parse_object, parse_objects, text
from engine.registry.transport import Request

_API = "/api/v2.0"
_LARGEST_PAGE = 100
# What else is in no repository's name; a comma would begin another condition of `q`.
_SEARCHED = re.compile(r"[a-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class _Place:
    """A page by number and size, and how many names of it were given before."""

    page: int
    size: int
    given: int = 0

    @classmethod
    def parse(cls, last: str | None, n: int) -> Self:
        """What `str` made; the beginning where there is nothing. Raises RegistryNotFound."""
        if last is None:
            return cls(1, min(n, _LARGEST_PAGE))
        if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,3}/[0-9]{1,9}", last):
            raise RegistryNotFound("There is no such page.")
        return cls(*map(int, last.split("/")))

    def __str__(self) -> str:
        return f"{self.page}/{self.size}/{self.given}"


class HarborCatalogue(Catalogue):
    """Lists what a registry holds, as far as the login may see it."""

    _harbor: bool | None = None  # not known before the first list

    async def repositories(self, search: str = "", last: str | None = None, n: int = 100) -> Page:
        """Up to `n` repositories after `last` whose names contain `search`."""
        if not await self._is_harbor():
            return await super().repositories(search, last, n)
        if not _SEARCHED.fullmatch(search):
            return Page((), None)
        query = {"sort": "name"} | ({"q": f"name=~{search}"} if search else {})
        request = self._api("/repositories", query, CATALOGUE)
        return await self._names(request, lambda repository: [text(repository, "name")], last, n)

    async def tags(self, repository: str, last: str | None = None, n: int = 100) -> Page:
        """Up to `n` tags after `last`; of Harbor, those of the artifact pushed last come first."""
        project, _, name = repository.partition("/")
        # No tag has a slash in it, and every place has.
        ours = last is None or "/" in last
        if name and ours and await self._is_harbor():
            # Harbor takes the name as one segment, and decodes it once more than other servers.
            path = f"/projects/{project}/repositories/{quote(quote(name, safe=''))}/artifacts"
            request = self._api(path, {"with_tag": "true", "q": "tags=*"}, pull(repository))
            # An account that may do no more than pull is told the tags by the registry.
            with contextlib.suppress(RegistryDenied):
                return await self._names(request, _tags, last, n)
        return await super().tags(repository, last, n)

    async def _is_harbor(self) -> bool:
        """Whether Harbor's API answers; remembered. Raises RegistryUnreachable."""
        if self._harbor is None:
            request = Request("GET", self._base.with_path(f"{_API}/systeminfo"), LOGIN)
            try:
                _, body = await self._read(request, LIST_LIMIT)
                self._harbor = "auth_mode" in parse_object(body)
            except (RegistryNotFound, RegistryDenied, RegistryProtocolError, Malformed):
                self._harbor = False
        return self._harbor

    def _api(self, path: str, query: Mapping[str, str], access: Access) -> Request:
        url = self._base.with_path(_API + path, encoded=True).with_query(query)
        # Harbor does not ask somebody unknown for a login: it lists what is public.
        return Request("GET", url, access, headers=self._auth.basic)

    async def _names(
        self, request: Request, read: Callable[[Object], list[str]], last: str | None, n: int
    ) -> Page:
        """At most `n` names of a page: one entry may have several."""
        place = _Place.parse(last, n)
        paged = request.url.update_query(page=place.page, page_size=place.size)
        response, body = await self._read(replace(request, url=paged), LIST_LIMIT)
        try:
            names = [name for entry in parse_objects(body) for name in read(entry)]
        except Malformed as error:
            what = request.access.what
            raise RegistryProtocolError(f"{self.host} lists {what}, but {error}.") from error
        end = place.given + n
        further = replace(place, page=place.page + 1, given=0)
        is_last = following(response, "page") is None
        if end < len(names):
            further, is_last = replace(place, given=end), False
        return Page(tuple(names[place.given : end]), None if is_last else str(further))


def _tags(artifact: Object) -> list[str]:
    return [text(tag, "name") for tag in objects(artifact, "tags")]
