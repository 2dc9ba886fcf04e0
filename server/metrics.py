"""`/metrics` for Prometheus: what this process counted, and what the database says of all."""

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge
from prometheus_client.exposition import generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tortoise.functions import Count

from engine.clock import now
from models import Build
from models.enums import FINAL, BuildStatus


async def metrics(request: Request) -> Response:
    """The text format; the queue is the whole system's, whichever server is asked."""
    own = generate_latest(REGISTRY)
    shared = generate_latest(await _of_database())
    return Response(own + shared, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _of_database() -> CollectorRegistry:
    registry = CollectorRegistry()
    builds = Gauge(
        "darkroom_builds", "Builds that are not over, by state.", ["status"], registry=registry
    )
    oldest = Gauge(
        "darkroom_queue_age_seconds",
        "How long the oldest build has been waiting.",
        registry=registry,
    )
    unfinished = [status for status in BuildStatus if status not in FINAL]
    rows = Build.filter(status__in=unfinished).annotate(builds=Count("id")).group_by("status")
    found = {row["status"]: row["builds"] for row in await rows.values("status", "builds")}
    for status in unfinished:
        builds.labels(status.value).set(found.get(status, 0))
    first = await Build.filter(status=BuildStatus.QUEUED).order_by("created_at").first()
    oldest.set((now() - first.created_at).total_seconds() if first else 0)
    return registry


def routes() -> list[BaseRoute]:
    """Where Prometheus looks by default."""
    return [Route("/metrics", metrics)]
