"""The query of a request: lists are joined by commas, times are RFC 3339 or a day of New York."""

from __future__ import annotations

from datetime import date, time
from urllib.parse import parse_qs

from paper_exchange.alpaca.replies import BAD_PARAMETER, ApiError
from paper_exchange.clock import parse_rfc3339
from paper_exchange.trading_calendar import at_new_york

LAST_DAY = date(2199, 12, 31)


def _date(text: str) -> date:
    """A day from 1970 to the last one. Raises ValueError."""
    day = date.fromisoformat(text)
    return min(max(day, date(1970, 1, 1)), LAST_DAY)


class Query:
    """Raises ApiError, naming the parameter, for a value that can't be read."""

    def __init__(self, query: bytes) -> None:
        self._values = parse_qs(query.decode("latin-1"), keep_blank_values=False)

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[-1]

    def texts(self, name: str) -> list[str]:
        """All values, whether repeated or joined by commas."""
        return [part.strip() for value in self._values.get(name, []) for part in value.split(",") if part.strip()]

    def whole(self, name: str, default: int, *, maximum: int) -> int:
        """A whole number from 1 to ``maximum``."""
        given = self.text(name)
        if not given:
            return default
        if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= maximum and len(given) <= 9):
            raise ApiError(BAD_PARAMETER, f"{name} must be a whole number from 1 to {maximum}")
        return int(given)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the choices, the first by default."""
        given = self.text(name, choices[0]).lower()
        if given not in choices:
            raise ApiError(BAD_PARAMETER, f"{name} must be one of {', '.join(choices)}")
        return given

    def time_ns(self, name: str) -> int | None:
        """Nanoseconds since 1970 of an RFC 3339 time, or of a day's midnight in New York."""
        # An unescaped + of a zone has become a blank on its way through the query.
        given = self.text(name).strip().replace(" ", "+")
        if not given:
            return None
        try:
            found = at_new_york(_date(given), time()) if len(given) == 10 else parse_rfc3339(given)
        except (ValueError, OverflowError):
            raise ApiError(BAD_PARAMETER, f"{name} is not a time in RFC 3339") from None
        # What lies beyond is as good as the first or the last time there is.
        return min(max(found, 0), at_new_york(LAST_DAY, time()))

    def day(self, name: str, default: date) -> date:
        given = self.text(name)
        try:
            return _date(given[:10]) if given else default
        except ValueError:
            raise ApiError(BAD_PARAMETER, f"{name} is not a date") from None
