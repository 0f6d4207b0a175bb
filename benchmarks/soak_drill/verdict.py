"""What the samples say: flat, growing, or not long enough to tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.soak_drill.sample import Sample
from benchmarks.soak_drill.slope import Slope, slope_of

# What may grow, as units an hour: resident memory 1 MiB, and of threads and waiting things none that is seen to grow.
LIMITS = {
    "rss": 1.0,
    "threads": 1.0,
    "descriptors": 1.0,
    "store_queue": 1.0,
    "inboxes": 1.0,
    "unanswered": 1.0,
    "unresolved": 1.0,
    "zombies": 1.0,
}
# Or so much of the mean over the whole run, however short it was.
PART = 0.05
# So much of it is one thing (a thread, a note) more or less, which is not growth.
ONE_THING = 1.0
WARM_UP_PART = 0.25


@dataclass(frozen=True)
class Verdict:
    """`word`: "flat", "grows", or "cannot tell" when the interval of the slope holds both."""

    name: str
    first: float
    last: float
    highest: float
    slope: Slope
    word: str


def verdicts(samples: Sequence[Sample]) -> list[Verdict]:
    """One for each quantity that must not grow; the first quarter of the time is warming up and counts for nothing."""
    warm = [one for one in samples if one.seconds >= samples[0].seconds + WARM_UP_PART * _length(samples)]
    return [_verdict(name, warm) for name in LIMITS]


def database_growth(samples: Sequence[Sample]) -> tuple[float, float]:
    """KiB a trade that was booked, in the first and in the second half: linear growth has the same in both."""
    middle = len(samples) // 2
    return _kib_a_fill(samples[0], samples[middle]), _kib_a_fill(samples[middle], samples[-1])


def _kib_a_fill(before: Sample, after: Sample) -> float:
    fills = after.fills - before.fills
    return (after.database - before.database) * 1024 / fills if fills else 0.0


def _verdict(name: str, samples: Sequence[Sample]) -> Verdict:
    values = [float(getattr(one, name)) for one in samples]
    slope = slope_of([one.seconds for one in samples], values)
    return Verdict(name, values[0], values[-1], max(values), slope, _word(name, slope, _length(samples) / 3600))


def _word(name: str, slope: Slope, hours: float) -> str:
    least = 0.0 if name == "rss" else ONE_THING
    allowed = max(LIMITS[name], PART * slope.mean / hours, least / hours)
    if slope.low > allowed:
        return "grows"
    return "flat" if slope.high <= allowed else "cannot tell"


def _length(samples: Sequence[Sample]) -> float:
    return samples[-1].seconds - samples[0].seconds
