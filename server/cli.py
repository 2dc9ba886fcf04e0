"""The `darkroom` command."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import sys

import click

import settings as settings_module
from server import http_protocol
from server.logging import configure
from settings import Settings, WrongSetting

log = logging.getLogger(__name__)

PORT = click.IntRange(0, 65535)

# Each command imports what it runs: a saving Job, whose user waits, needs little of the service.


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(settings_module.VERSION, prog_name="darkroom")
@click.pass_context
def main(context: click.Context) -> None:
    """Make container images, and keep their whole story on record.

    Settings are DARKROOM_… variables; docs/settings.md lists them.
    """


def _settings() -> Settings:
    try:
        found = settings_module.load()
    except WrongSetting as wrong:
        raise click.ClickException(str(wrong)) from None
    configure(found.log_format)
    return found


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, type=PORT, show_default=True, help="Port to listen on.")
def serve(host: str, port: int) -> None:
    """Serve the API, and build where no broker says otherwise."""
    found = _settings()  # first: a wrong one is told at once

    import uvicorn

    from server.app import application

    if found.auth == "local" and not _is_loopback(host):
        log.warning("listening on %s: everybody who reaches this address is an administrator", host)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    # uvicorn ends its work and then lets the signal do what it did before: here, a good end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _prepare(found)
    _collect_seldom()
    uvicorn.run(
        application(found),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        http=http_protocol.limited(found),
        ws="websockets-sansio",
        ws_max_size=found.body_bytes,
        server_header=False,
        # Logs come in floods: compressing each message would take longer than sending it.
        ws_per_message_deflate=False,
        # An open subscription would keep the server for ever.
        timeout_graceful_shutdown=int(found.grace_seconds),
    )


@main.command()
def worker() -> None:
    """Build what servers queue, until SIGTERM."""
    found = _settings()
    if found.embedded_worker:
        raise click.ClickException(
            "With DARKROOM_BROKER_URL=memory: the server builds by itself. Give servers and "
            "workers the same redis:// or amqp:// address."
        )
    _prepare(found)
    asyncio.run(_work(found))


@main.command()
def migrate() -> None:
    """Bring the database up to date. `serve` and `worker` do so when they start."""
    _prepare(_settings())
    click.echo("The database is up to date.")


@main.command(name="rotate-key")
def rotate_key() -> None:
    """Seal every stored git token anew.

    With DARKROOM_SECRET_KEY: put the new key in front of the old one, comma-separated, restart the
    servers, run this, then take the old key away. Without: a new key is made in the data folder.
    """
    from server.rotate_key import rotate_key as rotate

    rotate(_settings())


@main.command()
@click.option("--port", default=8000, type=PORT, show_default=True, help="Port to listen on.")
@click.option("--once", is_flag=True, help="End once the image is built, instead of serving on.")
def demo(port: int, once: bool) -> None:
    """Build an example image before your eyes, then serve until Ctrl-C.

    Starts a Docker Engine and a registry of its own where none is reachable.
    """
    from server.demo import run

    sys.exit(run(port, once=once))


@main.command(hidden=True)
def schema() -> None:
    """Print the GraphQL schema, as schema.graphql holds it."""
    from resolvers.schema import schema as built

    click.echo(built.as_str())


@main.command(name="settings", hidden=True)
def settings_table() -> None:
    """Print every setting, as docs/settings.md holds them."""
    click.echo(settings_module.as_markdown())


@main.command(hidden=True)
@click.option("--only-clean", is_flag=True, help="Save nothing; undo what a killed process left.")
def commit(only_clean: bool) -> None:
    """Save a container of this node: what the Jobs run that Darkroom starts on a cluster."""
    from engine.saving.node.commit import commit as run

    sys.exit(asyncio.run(run(only_clean=only_clean)))


def _prepare(found: Settings) -> None:
    from server.starting import prepare

    try:
        asyncio.run(prepare(found))
    except WrongSetting as wrong:
        raise click.ClickException(str(wrong)) from None


async def _work(found: Settings) -> None:
    from server.app import running
    from server.building import building

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(found) as services, building(services):
        if found.worker_port:
            from prometheus_client import start_http_server

            start_http_server(found.worker_port)
        log.info("building as %s", found.worker_name)
        await stop.wait()


def _collect_seldom() -> None:
    """Let the garbage collector pass over what stays, and come less often.

    By default it comes after 700 new objects; a thousand subscriptions hold a thousand times as
    many, so that a third of the time went into looking at what was no garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether it is more than a stream that was still open when the server stopped."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError)


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
