"""`darkroom rotate-key`: seal every stored token with a new key."""

import asyncio
from pathlib import Path

import click

from engine.resealing import Resealed, reseal
from engine.sealing import SealBroken, Sealer, add_key
from models import database
from settings import Settings


def rotate_key(settings: Settings) -> None:
    """Make the key current, then seal with it what an older one sealed. Raises ClickException."""
    given = settings.secret_key.get_secret_value()
    try:
        if not given:
            add_key(settings.data_dir)
            click.echo(f"{_file(settings)} has a new key. Servers that run notice by themselves.")
        sealer = Sealer.from_settings(given, settings.data_dir)
    except SealBroken as broken:
        raise click.ClickException(broken.message) from broken
    done = asyncio.run(_reseal(settings, sealer))
    click.echo(f"Tokens sealed with the new key: {done.count}.")
    if done.broken:
        listed = ", ".join(done.broken)
        raise click.ClickException(
            f"Tokens that no key opens: {len(done.broken)}. Enter them again, with updateImage, "
            f"for {listed}."
        )


async def _reseal(settings: Settings, sealer: Sealer) -> Resealed:
    await database.migrate(settings.database)
    async with database.opened(settings.database):
        return await reseal(sealer)


def _file(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "secret.key"
