"""How far the first reading of all candles has come, said now and then while it takes long."""

import logging
from collections.abc import Callable, Sequence

from bot.seams.clock import Clock

log = logging.getLogger(__name__)

# A reading that is over sooner is not worth a line.
TELL_SECONDS = 10.0


class CandleProgress:
    """Of one account. `tell` may be called after each reading."""

    def __init__(self, clock: Clock, *, name: str) -> None:
        self._clock = clock
        self._name = name
        self._told_at = clock.monotonic()
        self._read = 0
        self._is_filling = False

    def tell(self, read_count: Callable[[Sequence[str]], int], wanted: Sequence[str]) -> None:
        """A line every ten seconds while symbols of `wanted` were never read, with the time that the rest will take."""
        now = self._clock.monotonic()
        seconds = now - self._told_at
        if seconds < TELL_SECONDS:
            return
        read = read_count(wanted)
        if read < len(wanted):
            log.info(
                "%s: candles of %d of %d markets are known%s",
                self._name,
                read,
                len(wanted),
                self._rest(read, len(wanted), seconds),
            )
        elif self._is_filling:
            log.info("%s: candles of all %d markets are known", self._name, len(wanted))
        self._is_filling = read < len(wanted)
        self._told_at, self._read = now, read

    def _rest(self, read: int, wanted: int, seconds: float) -> str:
        """By the pace since the last line; nothing where there was none."""
        newly = read - self._read
        return (
            f", the rest takes about {(wanted - read) * seconds / newly:.0f} s"
            if self._is_filling and newly > 0
            else ""
        )
