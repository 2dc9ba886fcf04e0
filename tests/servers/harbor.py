"""What Harbor's published API (v2.0) answers to who lists repositories and tags.

Harbor itself cannot run here: it is a dozen images, and none of its services is in a package.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote

from aiohttp import web

from engine.registry import Credentials

Artifacts = list[list[str]]
"""The tags of each artifact of a repository, newest first."""


class Harbor:
    """Repositories, and the login that may read some of them; anybody reads `library/`."""

    def __init__(self, login: Credentials, held: Mapping[str, Artifacts], hidden: str) -> None:
        self.login, self.held, self.hidden = login, held, hidden
        self.paths: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.raw_path)
        path = unquote(request.raw_path.partition("?")[0])
        if path == "/api/v2.0/systeminfo":
            return web.json_response({"auth_mode": "db_auth", "self_registration": False})
        if path == "/api/v2.0/repositories":
            return self._page(request, [{"name": name} for name in self._found(request)])
        match path.split("/"):
            case ["", "api", "v2.0", "projects", project, "repositories", name, "artifacts"]:
                # The name is one segment of the decoded path: `a/b` is sent as `a%252Fb`.
                held = self.held.get(f"{project}/{unquote(name)}")
                if held is None or not self._may_read(request)(f"{project}/"):
                    return web.json_response({"errors": [{"code": "NOT_FOUND"}]}, status=404)
                assert request.query["q"] == "tags=*"
                rows = [{"tags": [{"name": tag} for tag in tags] or None} for tags in held if tags]
                return self._page(request, rows)
        # The registry behind it gives its catalogue to administrators alone.
        return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)

    def _found(self, request: web.Request) -> list[str]:
        search = request.query.get("q", "name=~").removeprefix("name=~")
        assert request.query["sort"] == "name"
        return sorted(name for name in filter(self._may_read(request), self.held) if search in name)

    def _may_read(self, request: web.Request) -> Callable[[str], bool]:
        known = request.headers.get("Authorization") == self.login.basic
        return lambda name: (
            name.startswith("library/") or (known and not name.startswith(self.hidden))
        )

    def _page(self, request: web.Request, rows: Sequence[object]) -> web.Response:
        page, size = int(request.query["page"]), int(request.query["page_size"])
        assert 1 <= size <= 100
        headers = {"X-Total-Count": str(len(rows))}
        if page * size < len(rows):
            further = request.rel_url.update_query(page=page + 1)
            headers["Link"] = f'<{further}>; rel="next"'
        return web.json_response(rows[(page - 1) * size : page * size], headers=headers)
