"""How late cycles begin, from the bot's log and nothing else.

A cycle is due one period after the one before it began. Whatever holds an account up, be it before a cycle or within
one, makes the next one late; so does what never comes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

_CYCLE = re.compile(r"^(?P<time>[\d-]+ [\d:]+,\d+) .*\] (?P<label>\w+)(?: \(USER\))? - Cycle #\d+$")
Starts = Mapping[str, Sequence[float]]


def cycle_starts(lines: Iterable[str]) -> Starts:
    """When each account's cycles began, in seconds since the epoch."""
    starts: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        match = _CYCLE.match(line)
        if match:
            moment = datetime.strptime(match["time"], "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007 - local time, as logged
            starts[match["label"]].append(moment.timestamp())
    return starts


def lateness(starts: Sequence[float], *, since: float, until: float, period: float) -> list[float]:
    """Seconds by which the cycles that were due in this window began late; one that is still due counts too."""
    late = [
        max(0.0, start - before - period) for before, start in pairwise(starts) if since <= before + period <= until
    ]
    last = max((start for start in starts if start <= until), default=since - period)
    return [*late, *([until - last - period] if last + period < until and not _begun(starts, last) else [])]


def _begun(starts: Sequence[float], after: float) -> bool:
    return any(start > after for start in starts)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0
