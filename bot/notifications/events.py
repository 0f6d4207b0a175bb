"""What happened that is told once: an account's first fill, a stop that was hit, another build, an end unasked for."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from bot.storage.alerts import AlertNow
from bot.storage.boots import has_crashed, latest_boots
from bot.storage.notifications import was_written
from bot.storage.schema import fill, round_trip

STOPS = {"hard_stop": "stop", "trailing_stop": "trailing stop"}
# After a start, what happened shortly before it is told too, unless it was.
LOOK_BACK = timedelta(minutes=15)
_MOST = 2000


class Events:
    """`read` again and again; each event once. `one_process`: starts of other processes are none of this one's."""

    def __init__(self, *, one_process: bool = True) -> None:
        self._fill: int | None = None
        self._trip: int | None = None
        self._reads_start = one_process

    def read(self, connection: Connection, now: datetime) -> Sequence[AlertNow]:
        """What has happened since `noted`, and has not been written down before."""
        found = [*self._first_fills(connection, now), *self._stops(connection, now)]
        found += _of_this_start(connection) if self._reads_start else []
        return [one for one in found if not was_written(connection, one.cause, one.subject)]

    def noted(self, connection: Connection) -> None:
        """All that the connection sees was read and written: it is not read again."""
        self._fill, self._trip = _newest_fill(connection), _newest_trip(connection)
        self._reads_start = False

    def _first_fills(self, connection: Connection, now: datetime) -> Iterator[AlertNow]:
        newest = _newest_fill(connection)
        after = max(0, newest - _MOST) if self._fill is None else self._fill
        query = select(fill).where(fill.c.sequence > after).order_by(fill.c.sequence).limit(_MOST)
        seen = set()
        for row in connection.execute(query).all() if newest > after else ():
            if row.account_id in seen or row.recorded_at < now - LOOK_BACK:
                continue
            seen.add(row.account_id)
            earlier = select(fill.c.sequence).where(fill.c.account_id == row.account_id, fill.c.sequence < row.sequence)
            if connection.execute(earlier.limit(1)).first() is None:
                deed = "bought" if row.side == "buy" else "sold"
                text = f"first fill: {deed} {row.quantity:f} {row.symbol} at {row.price:f}"
                yield AlertNow("first_fill", row.account_id, "info", text)

    def _stops(self, connection: Connection, now: datetime) -> Iterator[AlertNow]:
        newest = _newest_trip(connection)
        after = max(0, newest - _MOST) if self._trip is None else self._trip
        query = select(round_trip).where(round_trip.c.id > after, round_trip.c.exit_rule.in_(STOPS))
        for row in connection.execute(query.order_by(round_trip.c.id).limit(_MOST)).all() if newest > after else ():
            if row.closed_at >= now - LOOK_BACK:
                known = row.fees_quote is not None
                result = row.sold_quote - row.bought_quote - (row.fees_quote or 0)
                worth = f"{result:+.2f} after fees" if known else "its fees are not known"
                text = f"{row.symbol} was sold by its {STOPS[row.exit_rule]}: {worth} {row.symbol.partition('/')[2]}"
                yield AlertNow("stop_hit", f"{row.account_id} {row.symbol} #{row.id}", "info", text)


def _newest_fill(connection: Connection) -> int:
    return connection.execute(select(func.max(fill.c.sequence))).scalar() or 0


def _newest_trip(connection: Connection) -> int:
    return connection.execute(select(func.max(round_trip.c.id))).scalar() or 0


def _of_this_start(connection: Connection) -> Iterator[AlertNow]:
    boots = latest_boots(connection, limit=2)
    if len(boots) < 2:
        return
    this, before = boots
    if this.build != before.build:
        text = f"build {this.build} runs now; before it was {before.build}"
        yield AlertNow("build_changed", f"start {this.id}", "info", text)
    if before.ended_at is None or has_crashed(before) or before.exit_code not in (0, None):
        how = "without a word" if before.ended_at is None else f"with exit code {before.exit_code}: {before.detail}"
        yield AlertNow("restarted", f"start {this.id}", "warning", f"it runs again; the start before ended {how}")
