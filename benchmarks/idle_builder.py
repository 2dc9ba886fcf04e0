"""A Docker Engine that builds nothing, and a registry that has whatever it is asked for.

What is measured with it is Darkroom alone: real ones would take a hundred times as long for each
build as everything around it. Run as a program, it serves both on the port that it is given.
"""

import sys

from aiohttp import web

from engine.registry.digest import digest_of
from tests.fixtures.images import tiny_image, to_json
from tests.fixtures.service import JSON

_IMAGE = tiny_image()
_DIGEST = digest_of(_IMAGE.manifest)
_ID = digest_of(_IMAGE.config)
_VERSION = {"Version": "0", "ApiVersion": "1.38", "Os": "linux", "Arch": "amd64"}
_BUILT: list[JSON] = [
    {"stream": "Step 1/1 : LABEL idle=true\n"},
    {"stream": "\n"},
    {"aux": {"ID": _ID}},
]
_PUSHED: list[JSON] = [{"aux": {"Tag": "1", "Digest": _DIGEST, "Size": len(_IMAGE.manifest)}}]


async def _engine(request: web.Request) -> web.Response:
    """By the last word of the path, which is what the Engine's API is asked to do."""
    await request.read()
    match request.path.rpartition("/")[2]:
        case "version":
            return web.json_response(_VERSION)
        case "info":
            return web.json_response({"ID": "idle"})
        case "build":
            return _lines(_BUILT)
        case "push":
            return _lines(_PUSHED)
        case "json":
            return web.json_response([])
        case "prune":
            return web.json_response({})
    return web.json_response([])


async def _manifest(request: web.Request) -> web.Response:
    """Every repository has the one image, and none has a tag."""
    if request.match_info["reference"] != _DIGEST:
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)
    headers = {"Content-Type": _IMAGE.media_type, "Docker-Content-Digest": _DIGEST}
    return web.Response(body=_IMAGE.manifest, headers=headers)


async def _blob(request: web.Request) -> web.Response:
    return web.Response(body=_IMAGE.config)


async def _registry(request: web.Request) -> web.Response:
    return web.json_response({})


def _lines(messages: list[JSON]) -> web.Response:
    return web.Response(body=b"\n".join(map(to_json, messages)), content_type="application/json")


def application() -> web.Application:
    """Both, told apart by their paths."""
    app = web.Application(client_max_size=2**30)
    app.router.add_get(r"/v2/{repository:.+}/manifests/{reference}", _manifest)
    app.router.add_get(r"/v2/{repository:.+}/blobs/{digest}", _blob)
    app.router.add_get("/v2/", _registry)
    app.router.add_route("*", "/{path:.*}", _engine)
    return app


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
