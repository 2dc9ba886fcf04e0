"""How much one user may start, and may have under way, so that all others have their turn."""

import time
from dataclasses import dataclass
from itertools import islice

# Users whose buckets are kept; those of users who were quiet for a minute are full, and go first.
REMEMBERED = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Rates:
    """A token bucket for each user: a minute's worth at once, and then as it fills again."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, _Bucket] = {}

    def take(self, user: str, count: int = 1) -> float:
        """Start `count` operations: 0 when they may, else the seconds until they may."""
        if not self._per_minute:
            return 0
        now = time.monotonic()
        bucket = self._buckets.get(user)
        if bucket is None:
            self._forget(now)
            bucket = self._buckets[user] = _Bucket(self._per_minute, now)
        bucket.left = min(self._per_minute, bucket.left + (now - bucket.at) * self._per_minute / 60)
        bucket.at = now
        if bucket.left < count:
            return (count - bucket.left) * 60 / self._per_minute
        bucket.left -= count
        return 0

    def _forget(self, now: float) -> None:
        """Make room for another user; many go at once, so that it is not done for each."""
        if len(self._buckets) < REMEMBERED:
            return
        for user in [name for name, bucket in self._buckets.items() if now - bucket.at > 60]:
            del self._buckets[user]
        if len(self._buckets) >= REMEMBERED:
            for user in list(islice(self._buckets, REMEMBERED // 10)):
                del self._buckets[user]
