"""Where an account stands by each limit, for people: the limit, what there is now, and whether it vetoes."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.veto import VetoRule
from bot.risk import exposure_rules, loss_rules
from bot.risk.books import places
from bot.risk.case import Case, NotKnown
from bot.risk.flow_rules import MINUTE, streak_of
from bot.risk.trip_rules import losing_streak_of
from bot.seams.clock import format_time
from bot.storage.intents import OrderIntent

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Standing:
    """One limit of one account. `now` is None where nothing adds up (a bound of single orders) or is not known (`why`).

    `vetoes` says that the next entry, however small, would not be let out by it.
    """

    rule: VetoRule
    setting: str
    limit: Decimal
    unit: str
    now: Decimal | None
    vetoes: bool
    why: str = ""

    @property
    def left(self) -> Decimal | None:
        """The distance to the limit, never below 0."""
        return None if self.now is None else max(Decimal(0), self.limit - self.now)


def anyone(account_id: str) -> OrderIntent:
    """An entry that stands for whatever the account might enter next."""
    return OrderIntent(
        client_order_id="",
        account_id=account_id,
        signal_id=None,
        decision="",
        symbol="",
        side=Side.BUY,
        kind=OrderKind.ENTRY,
        order_type=OrderType.MARKET,
        quantity=Decimal(0),
        limit_price=None,
        balance_before=None,
        exit_plan=ExitPlan(),
        created_at=_NEVER,
    )


def standings(case: Case) -> Iterator[Standing]:
    """Every limit that is on; `case` is that of `anyone`."""
    rules, usd = case.rules, case.rules.quote_currency.lower()
    yield from _stand(VetoRule.MAX_POSITIONS, "max_positions", rules.max_positions, "positions", lambda: _places(case))
    yield from _stand(
        VetoRule.MAX_POSITIONS_ALL,
        "max_positions_all_accounts",
        rules.max_positions_all_accounts,
        "positions",
        lambda: _places_of_all(case),
    )
    yield from _bound(VetoRule.ORDER_NOTIONAL, "max_order_notional_usd", rules.max_order_notional_quote, usd)
    for rule, name, limit, used in (
        (VetoRule.SYMBOL_NOTIONAL, "max_symbol_notional_usd", rules.max_symbol_notional_quote, _largest_market),
        (
            VetoRule.ACCOUNT_NOTIONAL,
            "max_account_notional_usd",
            rules.max_account_notional_quote,
            exposure_rules.used_of_account,
        ),
        (VetoRule.ALL_NOTIONAL, "max_total_notional_usd", rules.max_total_notional_quote, Case.cost_of_all),
    ):
        # A full market leaves the others.
        only_one = rule is VetoRule.SYMBOL_NOTIONAL
        yield from _stand(rule, name, limit, usd, lambda used=used: used(case), vetoes=not only_one)  # type: ignore[misc]
    yield from _losses(case)
    yield from _trips(case)
    yield from _pace(case)
    yield from _bound(VetoRule.PRICE_COLLAR, "price_collar_percent", rules.price_collar_percent, "percent")
    yield from _bound(VetoRule.DEPEG, "max_depeg_percent", rules.max_depeg_percent, "percent")
    seconds = rules.duplicate_entry_seconds
    limit = None if seconds is None else Decimal(str(seconds))
    yield from _bound(VetoRule.DUPLICATE, "duplicate_entry_seconds", limit, "seconds")


def _losses(case: Case) -> Iterator[Standing]:
    for rule, name, limit, loss in (
        (
            VetoRule.DAILY_LOSS,
            "max_daily_loss_percent",
            case.rules.max_daily_loss_percent,
            loss_rules.loss_of_day,
        ),
        (VetoRule.DRAWDOWN, "max_drawdown_percent", case.rules.max_drawdown_percent, loss_rules.loss_from_peak),
    ):
        yield from _stand(rule, name, limit, "percent", lambda loss=loss: loss(case).percent)  # type: ignore[misc]


def _trips(case: Case) -> Iterator[Standing]:
    """Of masters alone: a copy is not held back by them. A user's label is its id and the brokerage."""
    if "_" in case.intent.account_id:
        return
    rules = case.rules
    minutes = None if rules.cooldown_after_loss_minutes is None else Decimal(rules.cooldown_after_loss_minutes)
    yield from _bound(VetoRule.COOLDOWN, "cooldown_after_loss_minutes", minutes, "minutes")
    if rules.max_losses_in_a_row is not None:
        streak = losing_streak_of(case)
        paused = streak.paused_until is not None and streak.paused_until > case.now
        yield Standing(
            VetoRule.LOSING_STREAK,
            "max_losses_in_a_row",
            Decimal(rules.max_losses_in_a_row),
            "losses",
            Decimal(streak.losses),
            paused,
            f"none before {format_time(streak.paused_until)}" if paused and streak.paused_until is not None else "",
        )


def _pace(case: Case) -> Iterator[Standing]:
    rules, since, account = case.rules, case.now - MINUTE, case.intent.account_id
    yield from _stand(
        VetoRule.ORDER_RATE,
        "max_entries_per_minute",
        rules.max_entries_per_minute,
        "entries",
        lambda: case.books.sent(account, since=since, besides=""),
    )
    yield from _stand(
        VetoRule.ORDER_RATE,
        "max_entries_per_minute_all_accounts",
        rules.max_entries_per_minute_all_accounts,
        "entries",
        lambda: case.books.sent_by_all(since=since, besides=""),
    )
    if rules.max_rejects_in_a_row is not None:
        streak = streak_of(case)
        paused = streak.paused_until is not None and (streak.paused_until > case.now or bool(case.entries))
        yield Standing(
            VetoRule.REPEATED_REJECTS,
            "max_rejects_in_a_row",
            Decimal(rules.max_rejects_in_a_row),
            "refusals",
            Decimal(streak.refusals),
            paused,
            streak.last_reason if paused else "",
        )


def _stand(
    rule: VetoRule,
    setting: str,
    limit: Decimal | int | None,
    unit: str,
    read: Callable[[], Decimal | int],
    *,
    vetoes: bool = True,
) -> Iterator[Standing]:
    if limit is None:
        return
    most = Decimal(limit)
    try:
        value = Decimal(read())
        full = vetoes and value >= most
    except NotKnown as error:
        yield Standing(rule, setting, most, unit, None, True, str(error))
    except (ValueError, TypeError, ArithmeticError) as error:
        yield Standing(rule, setting, most, unit, None, True, f"a row cannot be read: {error}"[:200])
    else:
        yield Standing(rule, setting, most, unit, value, full)


def _bound(rule: VetoRule, setting: str, limit: Decimal | None, unit: str) -> Iterator[Standing]:
    """A limit on single orders: there is nothing that adds up."""
    if limit is not None:
        yield Standing(rule, setting, limit, unit, None, False)


def _places(case: Case) -> int:
    return len(places(case, case.held, case.entries))


def _places_of_all(case: Case) -> int:
    return len(case.places_of_all())


def _largest_market(case: Case) -> Decimal:
    used: dict[str, Decimal] = defaultdict(Decimal)
    for held in case.held:
        used[held.symbol] += case.cost_of([held])
    for entry in case.entries:
        used[entry.symbol] += case.cost_of_open([entry])
    return max(used.values(), default=Decimal(0))
