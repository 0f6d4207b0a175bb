"""The live limits over the accounts of a backtest: the same rules, reading from memory what live is in rows."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.backtest.account import Account
from bot.backtest.result import MASTER
from bot.domain.instrument import Instrument
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.position import ExitPlan
from bot.domain.veto import Veto
from bot.risk.books import MastersTrade, Place, Pricing, places
from bot.risk.case import Case, LimitRules, NotKnown
from bot.risk.limits import RULES
from bot.risk.loss_rules import day_of
from bot.risk.rooms import rooms
from bot.storage.exposure import Answer, Held, OpenEntry, Rough, Twin
from bot.storage.intents import OrderIntent
from bot.storage.risk_marks import LossMark
from bot.storage.round_trips import RoundTrip

_ZERO = Decimal(0)


@dataclass
class _Mark:
    """What an account was worth when its day began, at its peak, and when it was last looked at."""

    day: str
    day_start: Decimal
    peak: Decimal
    now: Decimal


class MasterLimits:
    """Judges the master's entries; `equity_of` says what an account is worth at the moment it is asked."""

    def __init__(
        self,
        rules: LimitRules,
        accounts: Mapping[str, Account],
        instruments: Mapping[str, Instrument],
        equity_of: Callable[[Account], Decimal],
    ) -> None:
        self._rules, self._accounts, self._instruments = rules, accounts, instruments
        self._equity_of = equity_of
        self._books = MemoryBooks(accounts)

    def look(self, at: datetime) -> None:
        """Keep up what the limits on loss compare: the worth at the beginning of the day, and the peak."""
        self._books.look(self._equity_of(self._accounts[MASTER]), at)

    def rooms(self, symbol: str, price: Decimal, at: datetime) -> Mapping[str, Decimal]:
        """The largest notionals that the limits leave, by the limit's name."""
        try:
            return rooms(self._case(symbol, Decimal(1), price, at))
        except NotKnown:
            return {}

    def veto(self, symbol: str, quantity: Decimal, price: Decimal, at: datetime) -> Veto | None:
        """Why this entry may not leave, or None; it counts as sent when it may."""
        case = self._case(symbol, quantity, price, at)
        for rule, judge in RULES:
            try:
                found = judge(case)
            except NotKnown as error:
                found = Veto(rule, str(error))
            if found is not None:
                return found
        self._books.sent_at.append(at)
        return None

    def _case(self, symbol: str, quantity: Decimal, price: Decimal, at: datetime) -> Case:
        intent = OrderIntent(
            client_order_id=f"backtest-{len(self._books.sent_at)}",
            account_id=MASTER,
            signal_id=None,
            decision="",
            symbol=symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            order_type=OrderType.MARKET,
            quantity=quantity,
            limit_price=None,
            balance_before=None,
            reference_price=price,
            exit_plan=ExitPlan(),
            created_at=at,
        )
        return Case(
            self._books,
            intent,
            now=at,
            rules=self._rules,
            listed=lambda _account, one: self._instruments.get(one),
            peg_of=lambda _currency: Decimal(1),
        )


class MemoryBooks:
    """`bot.risk.books.Books` of accounts in memory. Nothing is ever open or refused here: orders end at once."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts
        self._mark: _Mark | None = None
        self._marked_at: datetime | None = None
        self.sent_at: list[datetime] = []

    def look(self, equity: Decimal, at: datetime) -> None:
        """See `MasterLimits.look`."""
        day = day_of(at)
        mark = self._mark or _Mark(day, equity, equity, equity)
        if mark.day != day:
            # The day began with what it was worth when it was last looked at.
            mark = _Mark(day, mark.now, mark.peak, equity)
        mark.now, mark.peak = equity, max(mark.peak, equity)
        self._mark, self._marked_at = mark, at

    def held_of(self, account_id: str) -> Sequence[Held]:
        held = self._accounts[account_id].positions.values()
        return [Held(account_id, one.symbol, one.quantity, one.average_entry_price) for one in held]

    def entries_of(self, account_id: str, *, besides: str) -> Sequence[OpenEntry]:
        return []

    def cost_of_all(self, pricing: Pricing, *, besides: str) -> Decimal:
        return sum((pricing.cost_of(self.held_of(name)) for name in self._accounts), _ZERO)

    def places_of_all(self, pricing: Pricing, *, besides: str) -> AbstractSet[Place]:
        return places(pricing, [held for name in self._accounts for held in self.held_of(name)], [])

    def rough_of_all(self, *, currencies: AbstractSet[str], besides: str) -> Rough:
        held = [one for name in self._accounts for one in self.held_of(name)]
        return Rough(len(held), float(sum((one.quantity * one.average_entry_price for one in held), _ZERO)))

    def sent(self, account_id: str, *, since: datetime, besides: str) -> int:
        return sum(1 for at in reversed(self.sent_at[-1000:]) if at > since)

    def sent_by_all(self, *, since: datetime, besides: str) -> int:
        return self.sent(MASTER, since=since, besides=besides)

    def answers(self, account_id: str, *, most: int) -> Sequence[Answer]:
        return []

    def twins(self, intent: OrderIntent, *, since: datetime) -> Sequence[Twin]:
        return []

    def masters_trade(self, signal_id: str) -> MastersTrade:
        return None, None

    def mark(self, account_id: str) -> LossMark | None:
        mark, at = self._mark, self._marked_at
        if mark is None or at is None:
            return None
        # The profit is the worth itself: no deposits move it here, and only differences count.
        return LossMark(
            account_id, mark.day, mark.day_start, mark.peak, mark.now, mark.day_start, mark.peak, at, "", "USD"
        )

    def trips(
        self, account_id: str, *, symbol: str | None = None, since: datetime | None = None, limit: int | None = None
    ) -> Sequence[RoundTrip]:
        found = []
        for one in reversed(self._accounts[account_id].ended):
            if since is not None and one.closed_at is not None and one.closed_at < since - timedelta(seconds=1):
                break
            if (
                (symbol is None or one.symbol == symbol)
                and one.closed_at is not None
                and one.closed_at >= (since or datetime.min.replace(tzinfo=UTC))
            ):
                found.append(
                    RoundTrip(
                        account_id=account_id,
                        symbol=one.symbol,
                        opened_at=one.opened_at,
                        closed_at=one.closed_at,
                        bought_quantity=one.quantity,
                        bought_quote=one.quantity * one.entry_price,
                        sold_quote=(one.profit or _ZERO) + one.fees + one.quantity * one.entry_price,
                        fees_quote=one.fees,
                        exit_rule=one.exit_rule,
                    )
                )
            if limit is not None and len(found) >= limit:
                break
        return found

    def has_traded(self, account_id: str) -> bool:
        return bool(self._accounts[account_id].fills)
