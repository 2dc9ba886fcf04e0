"""Waking workers: a message holds a build's id, and nothing else travels.

The database is the truth: whoever is woken claims there what is next, or finds that there is
nothing to do. So a message may be lost or come twice, and a broker may be away: a worker that is
idle looks by itself, as often as a lease may run out.

Servers and workers alike run builds on their own event loop. dramatiq brings the message and holds
one of its threads for as long as the build runs; so its threads are the limit of builds at once.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.brokers.stub import StubBroker

from engine import metrics

Work = Callable[[int], Coroutine[Any, Any, None]]

QUEUE = "darkroom-builds"
SEND_SECONDS = 2.0

log = logging.getLogger(__name__)


class _OwnLoop(EventLoopThread):
    """What dramatiq takes for its event-loop thread: it hands coroutines to our own loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(logging.getLogger("dramatiq"))
        self.loop.close()
        self.loop = loop


class Queue:
    """Sends builds to workers, and runs them where `work` is called.

    Arguments: the broker's address (`memory:`, `redis://…`, `amqp://…`).
    """

    def __init__(self, url: str) -> None:
        self._broker = _broker(url)
        self._work: Work | None = None
        self._actor = dramatiq.actor(actor_name="build", queue_name=QUEUE, broker=self._broker)(
            self._run
        )
        self._worker: dramatiq.Worker | None = None
        # One thread: brokers' clients keep a connection for each thread that ever used them.
        self._sender = ThreadPoolExecutor(1, "darkroom-send")

    async def send(self, build_id: int, seconds: float = 0) -> None:
        """Wake a worker for a build, after so many seconds. Never waits long for a broker."""
        delay = int(seconds * 1000) or None
        message = self._actor.message_with_options(args=(build_id,))
        sending = asyncio.get_running_loop().run_in_executor(
            self._sender, lambda: self._broker.enqueue(message, delay=delay)
        )
        try:
            await asyncio.wait_for(asyncio.shield(sending), SEND_SECONDS)
        except Exception as error:  # noqa: BLE001  # brokers raise as many kinds as there are
            sending.add_done_callback(_heard)
            metrics.messages_unsent.inc()
            log.warning("no worker was woken for build %s: %s", build_id, type(error).__name__)

    async def ping(self) -> None:
        """Return when the broker answers."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._sender, _ping, self._broker)

    async def work(self, work: Work, at_once: int) -> None:
        """Run builds on this event loop, so many at once, until `stop`."""
        self._work = work
        set_event_loop_thread(_OwnLoop(asyncio.get_running_loop()))
        self._broker.emit_after("process_boot")
        self._worker = dramatiq.Worker(self._broker, worker_threads=at_once, worker_timeout=100)
        # No more than run at once: a message that waited here could run elsewhere.
        self._worker.queue_prefetch = at_once
        await asyncio.to_thread(self._worker.start)

    def pause(self) -> None:
        """Take no more messages, which others could have; those that run go on."""
        if self._worker:
            for consumer in self._worker.consumers.values():
                # For good: one that pauses closes its connection, and sleeps for three seconds.
                consumer.stop()

    async def stop(self) -> None:
        """Take no more builds. Those that run must be ended first, or this waits for them."""
        if self._worker:
            await asyncio.to_thread(self._worker.stop)
            set_event_loop_thread(None)
            self._worker = None

    async def close(self) -> None:
        """Let go of the broker."""
        self._sender.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._broker.close)

    async def _run(self, build_id: int) -> None:
        if self._work:
            await self._work(build_id)


def _heard(sending: asyncio.Future[Any]) -> None:
    """Take note of how it ended, or asyncio would complain that nobody did."""
    if not sending.cancelled():
        sending.exception()


def _ping(broker: dramatiq.Broker) -> None:
    # Each broker has one of these: Redis a client, RabbitMQ a connection for each thread.
    if client := getattr(broker, "client", None):
        client.ping()
    elif connection := getattr(broker, "connection", None):
        try:
            connection.process_data_events()
        except Exception:
            delattr(broker, "connection")  # whoever asks next gets a new one
            raise


def _broker(url: str) -> dramatiq.Broker:
    middleware: list[dramatiq.Middleware] = [
        # Tries, time limits and cancels are the engine's own. dramatiq's Retries, TimeLimit and
        # ShutdownNotifications would interrupt a build without letting it clean up.
        dramatiq.middleware.AgeLimit(),
        dramatiq.middleware.Callbacks(),
    ]
    if url.startswith(("redis:", "rediss:")):
        from dramatiq.brokers.redis import RedisBroker

        # The defaults redeliver what a killed worker held after three minutes.
        return RedisBroker(  # type: ignore[no-untyped-call]  # dramatiq leaves it untyped
            url=url,
            middleware=middleware,
            heartbeat_timeout=10_000,
            maintenance_chance=1_000_000,
        )
    if url.startswith(("amqp:", "amqps:")):
        from dramatiq.brokers.rabbitmq import RabbitmqBroker

        return RabbitmqBroker(url=url, middleware=middleware)
    return StubBroker(middleware=middleware)
