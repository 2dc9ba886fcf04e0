"""Who asks."""

import getpass

from starlette.requests import HTTPConnection

from schema.context import Viewer


def viewer(connection: HTTPConnection) -> Viewer:
    """The one local user, an administrator: the server listens on loopback for them alone."""
    return Viewer(name=getpass.getuser(), admin=True)
