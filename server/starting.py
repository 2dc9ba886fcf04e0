"""What must be right before a process begins its work; what is not is told in one line."""

import asyncio
import contextlib
from collections.abc import Iterator

from tortoise.exceptions import DBConnectionError, OperationalError

from engine import tags
from engine.blobs import Blobs, BlobsUnavailable
from engine.sealing import SealBroken, Sealer
from models import database
from settings import PREFIX, Settings, WrongSetting

# What drivers raise for a database that is not there, or does not let us in.
_NO_DATABASE = (OSError, DBConnectionError, OperationalError)


async def prepare(settings: Settings) -> None:
    """Try what the settings name, and bring the database up to date. Raises WrongSetting."""
    with _blaming("DATA_DIR", OSError):
        await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
    with _blaming("BLOB_URL", OSError, ValueError, BlobsUnavailable):
        await asyncio.to_thread(Blobs.open, settings.blobs)
    with _blaming("SECRET_KEY", OSError, SealBroken):
        key = settings.secret_key.get_secret_value()
        await asyncio.to_thread(Sealer.from_settings, key, settings.data_dir)
    with _blaming("DATABASE_URL", *_NO_DATABASE):
        async with database.opened(settings.database) as context:
            await context.db().execute_query("SELECT 1")
    await database.migrate(settings.database)
    async with database.opened(settings.database):
        await tags.seed()


@contextlib.contextmanager
def _blaming(setting: str, *errors: type[Exception]) -> Iterator[None]:
    """Tell an error of these kinds as the setting's."""
    try:
        yield
    except errors as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WrongSetting(f"{PREFIX}{setting} cannot be used: {reason}") from error
