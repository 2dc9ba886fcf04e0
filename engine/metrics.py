"""What this process counts of its own work, for Prometheus; `server/metrics.py` shows it.

Names follow Prometheus's conventions: base units, `_total` for counters.
"""

import time
from collections import OrderedDict

from prometheus_client import Counter, Gauge, Histogram

from models.enums import BuildStatus, FailureCode

_SECONDS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 7200)

builds_ended = Counter(
    "darkroom_builds_ended", "Builds that this process ended.", ["status", "code", "blame"]
)
phase_seconds = Histogram(
    "darkroom_build_phase_seconds",
    "How long builds stay in each phase on their way.",
    ["phase"],
    buckets=_SECONDS,
)
log_lines = Counter("darkroom_log_lines", "Lines that were written to logs of builds.")
log_bytes = Counter("darkroom_log_bytes", "Bytes that were written to logs of builds.")
subscribers = Gauge(
    "darkroom_subscribers", "Readers that wait for news in this process.", ["channel"]
)
engine_seconds = Histogram(
    "darkroom_engine_seconds", "How long the Docker Engine takes to describe itself."
)
registry_seconds = Histogram(
    "darkroom_registry_seconds", "How long the registry takes to begin an answer.", ["method"]
)
leases_lost = Counter("darkroom_leases_lost", "Claims that this process lost while it worked.")
taken_over = Counter("darkroom_builds_taken_over", "Builds taken over from a worker that was lost.")
messages_unsent = Counter("darkroom_messages_unsent", "Messages that the broker did not take.")
housekeeping_removed = Counter(
    "darkroom_removed", "What housekeeping has removed, by kind.", ["kind"]
)
cache_removed_bytes = Counter(
    "darkroom_engine_cache_removed_bytes", "Bytes that were removed from engines' build caches."
)

# When each build of this process entered its phase; builds that left by another way are few.
_entered: OrderedDict[int, tuple[str, float]] = OrderedDict()
_MOST_ENTERED = 1000


def entered(build_id: int, phase: BuildStatus) -> None:
    """A build has gone into its next phase, which ends the one before."""
    moment = time.monotonic()
    before = _entered.pop(build_id, None)
    if before:
        phase_seconds.labels(before[0].lower()).observe(moment - before[1])
    if not phase.final and phase is not BuildStatus.QUEUED:
        _entered[build_id] = (phase.value, moment)
        if len(_entered) > _MOST_ENTERED:
            _entered.popitem(last=False)


def ended(build_id: int, status: BuildStatus, code: FailureCode | None = None) -> None:
    """A build is over."""
    entered(build_id, status)
    builds_ended.labels(status.value, code or "", code.blame if code else "").inc()
