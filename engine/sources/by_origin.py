"""Which source serves which way of making an image."""

from engine.sources import Fetch, dockerfile, git, upload
from models.enums import Origin

FETCH: dict[Origin, Fetch] = {
    Origin.DOCKERFILE: dockerfile.fetch,
    Origin.UPLOAD: upload.fetch,
    Origin.GIT: git.fetch,
}
