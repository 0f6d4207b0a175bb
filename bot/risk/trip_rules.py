"""What a master's last ended positions say about its next one: a pause in a market, and a pause altogether.

For what a master decides by itself. A copy follows its master, who has paused already where there was a reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.veto import Veto, VetoRule
from bot.risk.case import Case, shown
from bot.seams.clock import format_time
from bot.storage.round_trips import RoundTrip


def cooldown(case: Case) -> Veto | None:
    """Not in a market where something was just lost."""
    minutes = case.rules.cooldown_after_loss_minutes
    if minutes is None or case.intent.signal_id is not None:
        return None
    pause = timedelta(minutes=minutes)
    trips = case.books.trips(case.intent.account_id, symbol=case.intent.symbol, since=case.now - pause)
    lost = next((trip for trip in trips if trip.is_loss), None)
    if lost is None:
        return None
    until = lost.closed_at + pause
    numbers = {
        "lost_quote": _lost(lost),
        "closed_at": format_time(lost.closed_at),
        "cooldown_after_loss_minutes": str(minutes),
        "paused_until": format_time(until),
    }
    why = f"{case.intent.symbol} was sold at a loss at {format_time(lost.closed_at)}; not again before"
    return Veto(VetoRule.COOLDOWN, f"{why} {format_time(until)}", numbers)


@dataclass(frozen=True)
class LosingStreak:
    """Positions that ended with a loss, one after the other up to now; `paused_until` is set from the limit on."""

    losses: int
    paused_until: datetime | None


def losing_streak_of(case: Case) -> LosingStreak:
    """Counted up to the limit. After the pause one more may be tried; if that is lost too, it pauses again."""
    limit = case.rules.max_losses_in_a_row
    trips = () if limit is None else case.books.trips(case.intent.account_id, limit=limit)
    losses = _losses(trips)
    if limit is None or losses < limit:
        return LosingStreak(losses, None)
    return LosingStreak(losses, trips[0].closed_at + timedelta(minutes=case.rules.losing_streak_pause_minutes))


def losing_streak(case: Case) -> Veto | None:
    """A pause after so many losses in a row, in whatever markets."""
    if case.rules.max_losses_in_a_row is None or case.intent.signal_id is not None:
        return None
    streak = losing_streak_of(case)
    if streak.paused_until is None or streak.paused_until <= case.now:
        return None
    numbers = {
        "losses_in_a_row": str(streak.losses),
        "max_losses_in_a_row": str(case.rules.max_losses_in_a_row),
        "paused_until": format_time(streak.paused_until),
    }
    why = f"the last {streak.losses} positions of {case.intent.account_id} ended with a loss"
    return Veto(VetoRule.LOSING_STREAK, f"{why}; none before {format_time(streak.paused_until)}", numbers)


def _losses(trips: Sequence[RoundTrip]) -> int:
    return next((number for number, trip in enumerate(trips) if not trip.is_loss), len(trips))


def _lost(trip: RoundTrip) -> str:
    result = trip.result_quote
    return "unknown" if result is None else shown(-result)
