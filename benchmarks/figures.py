"""A figure: what was measured, what it is held against, and what it is to stay under."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["s", "ms", "µs", "MiB", "builds/min", "statements", "messages"]
Compared = Literal["ratio", "difference", "measured"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `measured` and `baseline` hold a value for each round.

    `compared` says what the target limits: the ratio, the difference, or what was measured. Each is
    the median over the rounds, so that what else the machine does weighs on both sides alike.
    Without a target, the figure tells how something grows, and no more.
    """

    title: str
    command: str
    measured: Sequence[float]
    baseline: Sequence[float]
    baseline_name: str
    unit: Unit
    compared: Compared = "ratio"
    target: float | None = None

    @property
    def ratio(self) -> float:
        """What was measured, in units of the baseline."""
        return statistics.median(measured / baseline for measured, baseline in self._rounds)

    @property
    def score(self) -> float:
        """What the target limits."""
        match self.compared:
            case "ratio":
                return self.ratio
            case "difference":
                return statistics.median(measured - baseline for measured, baseline in self._rounds)
            case "measured":
                return statistics.median(self.measured)

    @property
    def _rounds(self) -> Iterable[tuple[float, float]]:
        return zip(self.measured, self.baseline, strict=True)

    @property
    def met(self) -> bool:
        """Whether the target was kept."""
        return self.target is None or self.score <= self.target

    @property
    def goal(self) -> str:
        """The target in words."""
        if self.target is None:
            return "none"
        match self.compared:
            case "ratio":
                return f"at most {self.target:.2f} times the baseline"
            case "difference":
                return f"at most {self.target:g} {self.unit} more"
            case "measured":
                return f"under {self.target:g} {self.unit}"

    def shown(self, values: Sequence[float]) -> str:
        """The median of the rounds, and how far they lie apart."""
        digits = 2 if self.unit == "s" else 1
        low, middle, high = min(values), statistics.median(values), max(values)
        text = f"{middle:.{digits}f} {self.unit}"
        return f"{text} ({low:.{digits}f}–{high:.{digits}f})" if len(values) > 1 else text
