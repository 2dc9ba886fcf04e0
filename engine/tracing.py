"""Traces for OpenTelemetry, across server and worker; without `DARKROOM_OTLP_URL`, nothing at all.

A span tells what was done, for how long and for which record. It never holds what a user gave, nor
the text of an error, for both may hold a secret.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from settings import VERSION, Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracer: "Tracer | None" = None


@contextlib.asynccontextmanager
async def exporting(settings: Settings) -> AsyncIterator[None]:
    """Send the spans of this process to the collector, if there is one, until the block ends."""
    global _tracer
    if not settings.otlp_url:
        yield
        return
    # Imported here: who does not trace does not pay for it, nor needs it installed.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": "darkroom",
                "service.version": VERSION,
                "service.instance.id": settings.worker_name,
            }
        )
    )
    exporter = OTLPSpanExporter(f"{settings.otlp_url.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("darkroom", VERSION)
    try:
        yield
    finally:
        _tracer = None
        await asyncio.to_thread(provider.shutdown)  # sends what is left


@contextlib.contextmanager
def span(name: str, parent: str | None = None, **attributes: str | int) -> Iterator[None]:
    """What is done until the block ends, as part of what is under way, or of `parent`."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(
        name,
        context,
        attributes={f"darkroom.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(StatusCode.ERROR)
            raise


def traceparent() -> str | None:
    """What is under way, as W3C's Trace Context names it; None where nothing is traced."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")
