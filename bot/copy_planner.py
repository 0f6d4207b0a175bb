"""What one signal means for each of its users: an order to send, a debt to sell, or an answer why not.

What all users have in common is read and worked out once for the signal; what is left for each is arithmetic in memory.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache, partial

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.books.fan_out_order import ranks_of
from bot.copy_rows import USER_LEFT, answered, entry_intent, lowered, ordered, owed, planning_failed
from bot.domain.account import BrokerType
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.money import percent_to_fraction
from bot.domain.order import OrderKind, Side
from bot.domain.quote import Quote
from bot.domain.signal import CopyReason, TradeSignal
from bot.domain.symbol import quote_of
from bot.followers import CopyLimits, Follower, Followers
from bot.position_sizer import CopyMode, EarlierParts, EntryToCopy, NoSize, PositionSizer, Size
from bot.storage import copies, intents, positions, symbol_pauses
from bot.storage.accumulations import Kept, kept_of
from bot.storage.copies import PlannedCopy
from bot.storage.intents import OrderIntent
from bot.storage.parts_of_order import sized_before
from bot.user_means import MarkOf, Means, UserMeans, Worth, no_marks

log = logging.getLogger(__name__)

_NOT_LOOKED_AT = Worth(None)


@dataclass
class CopyPlan:
    """A row for every user who is owed an answer, and the entries to be sent, both in the order of the users.

    `kept` are the shares below the minimum that change by it.
    """

    copies: list[PlannedCopy] = field(default_factory=list)
    entries: list[OrderIntent] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _EntrySignal:
    """An entry of the master, and what is the same for all users who copy it."""

    signal: TradeSignal
    now: datetime
    quote: str
    paused: Mapping[str, str]
    needs_person: frozenset[str]
    means: UserMeans
    kept: Mapping[str, Kept]
    earlier: Mapping[str, EarlierParts]
    market: Callable[[], tuple[Instrument | None, Decimal | None]]


def nobody_looks(_broker: BrokerType, _symbol: str) -> Quote | None:
    """No market is looked at."""
    return None


class CopyPlanner:
    """Plans a signal for its users; writes nothing.

    One user's trouble is that user's answer (`planning_failed`) and nobody else's; the store's trouble is raised.
    `quote_of` tells, from memory, the best prices of a market as they are now, where somebody looks at it.
    """

    def __init__(
        self,
        *,
        install_id: str,
        sizer: PositionSizer,
        followers: Followers,
        limits: CopyLimits,
        quote_of: Callable[[BrokerType, str], Quote | None] = nobody_looks,
        mark_of: MarkOf = no_marks,
    ) -> None:
        self._quote_of = quote_of
        self._mark_of = mark_of
        self._install_id = install_id
        self._sizer = sizer
        self._followers = followers
        self._limits = limits
        # A brokerage has a handful of fees.
        self._reserve_percent = cache(limits.entry_reserve_percent)
        self._price_bound = 1 + percent_to_fraction(limits.max_copy_slippage_percent)

    def plan(
        self,
        connection: Connection,
        signal: TradeSignal,
        members: Sequence[str],
        now: datetime,
        *,
        ranks: Mapping[str, int] | None = None,
    ) -> CopyPlan:
        """One answer, debt or order for each of `members` (labels): who is a member decides, not who is connected.

        The members' order is the order in which they are served, and is written down as their ranks, unless these are
        only some of all members: then `ranks` says where each stands among all.
        """
        plan = self._plan_all(connection, signal, members, now)
        ranks, seen = ranks_of(members) if ranks is None else ranks, self._seen_price(signal)
        plan.copies = [copy._replace(rank=ranks[copy.account_id], seen_price=seen) for copy in plan.copies]
        return plan

    def _seen_price(self, signal: TradeSignal) -> Decimal | None:
        """What the market's best price for the users is at this moment, where somebody looks at it."""
        quote = self._quote_of(signal.broker, signal.symbol)
        if quote is None:
            return None
        return quote.ask if signal.side is Side.BUY else quote.bid

    def _plan_all(self, connection: Connection, signal: TradeSignal, members: Sequence[str], now: datetime) -> CopyPlan:
        followers = {each.account.label: each for each in self._followers.followers_of(signal.broker)}
        if signal.kind is OrderKind.EXIT:
            return self._plan_exit(connection, signal, members, followers, now)
        return self._plan_entry(connection, signal, members, followers, now)

    # -- exits ------------------------------------------------------------------------------------------------------
    def _plan_exit(
        self,
        connection: Connection,
        signal: TradeSignal,
        members: Sequence[str],
        followers: Mapping[str, Follower],
        now: datetime,
    ) -> CopyPlan:
        """An exit is a debt: planned whatever the balance or connection; the user's thread sizes it when it runs."""
        holders = positions.holders_of(connection, signal.symbol)
        if not holders.issuperset(members):
            holders |= copies.with_planned_entry(connection, signal.symbol)
        means, kept = self._means(connection, signal, now), kept_of(connection, signal.symbol)
        plan = CopyPlan(kept=[lowered(kept[label], signal.size) for label in members if label in kept])
        for label in members:
            follower = followers.get(label)
            # Of one whom no file names any more nobody knows the wish: what the master sells stays owed.
            if follower is not None and follower.leaving is WhenDisabled.KEEP:
                plan.copies.append(answered(signal, label, now, USER_LEFT))
            elif follower is not None and follower.shadow:
                plan.copies.append(self._shadow_exit(means, signal, label, now))
            elif label in holders:
                plan.copies.append(owed(signal, label, now))
            else:
                nothing = NoSize(CopyReason.NOTHING_HELD, f"no copied {signal.symbol} is held")
                plan.copies.append(answered(signal, label, now, nothing))
        return plan

    def _shadow_exit(self, means: UserMeans, signal: TradeSignal, label: str, now: datetime) -> PlannedCopy:
        """What it would sell of what it would hold; nothing is owed."""
        held = means.shadow_units(label)
        instrument = self._followers.instrument_of(signal.broker, signal.symbol)
        if held <= 0 or instrument is None:
            nothing = NoSize(CopyReason.NOTHING_HELD, f"no copied {signal.symbol} would be held")
            return answered(signal, label, now, nothing)
        due = held * min(Decimal(1), signal.size)
        size = self._sizer.size_exit(due=due, held=held, instrument=instrument, price=signal.reference_price)
        if isinstance(size, NoSize):
            return answered(signal, label, now, replace(size, ratio=signal.size))
        why = NoSize(CopyReason.SHADOW, f"would have sold {size.quantity:f}", signal.size, due)
        return answered(signal, label, now, why)._replace(planned_quantity=size.quantity)

    # -- entries ----------------------------------------------------------------------------------------------------
    def _plan_entry(
        self,
        connection: Connection,
        signal: TradeSignal,
        members: Sequence[str],
        followers: Mapping[str, Follower],
        now: datetime,
    ) -> CopyPlan:
        entry = self._entry_signal(connection, signal, now)
        plan = CopyPlan()
        for label in members:
            follower = followers.get(label)
            if follower is None or follower.leaving is not None:
                plan.copies.append(answered(signal, label, now, USER_LEFT))
            else:
                self._plan_guarded(plan, entry, follower, label)
        return plan

    def _entry_signal(self, connection: Connection, signal: TradeSignal, now: datetime) -> _EntrySignal:
        return _EntrySignal(
            signal=signal,
            now=now,
            quote=quote_of(signal.symbol),
            paused=symbol_pauses.reasons_of(connection, signal.symbol),
            needs_person=intents.accounts_needing_a_person(connection, signal.symbol),
            means=self._means(connection, signal, now),
            kept=kept_of(connection, signal.symbol),
            earlier=_earlier_parts(connection, signal),
            market=cache(partial(self._market, signal)),
        )

    def _means(self, connection: Connection, signal: TradeSignal, now: datetime) -> UserMeans:
        return UserMeans(
            connection,
            signal,
            followers=self._followers,
            now=now,
            mark_of=self._mark_of,
            at_par=self._limits.at_par,
        )

    def _market(self, signal: TradeSignal) -> tuple[Instrument | None, Decimal | None]:
        """The market's rules, and the price above which nobody buys."""
        instrument = self._followers.instrument_of(signal.broker, signal.symbol)
        return instrument, None if instrument is None else instrument.buy_cap(
            signal.reference_price * self._price_bound
        )

    def _plan_guarded(self, plan: CopyPlan, entry: _EntrySignal, follower: Follower, label: str) -> None:
        try:
            self._plan_one(plan, entry, follower, label)
        except SQLAlchemyError:
            raise
        except Exception as error:
            log.exception("%s: the copy of signal %s could not be planned", label, entry.signal.signal_id)
            plan.copies.append(planning_failed(entry.signal, label, entry.now, error))

    def _plan_one(self, plan: CopyPlan, entry: _EntrySignal, follower: Follower, label: str) -> None:
        reading = entry.means.reading_of(follower)
        balance = entry.means.cash_of(follower, reading)
        size = self._size(entry, follower, label, reading)
        cash = None if balance is None else balance.total
        if isinstance(size, NoSize):
            if size.kept is not None:
                plan.kept.append(_kept(entry, follower, label, size.kept))
            # What it would have been is worth knowing, whatever stood in the way.
            ratio = self._ratio(entry, follower, cash) if size.ratio is None else size.ratio
            plan.copies.append(answered(entry.signal, label, entry.now, replace(size, ratio=ratio), cash))
            return
        if label in entry.kept:
            plan.kept.append(replace(entry.kept[label], quantity=Decimal(0)))
        if follower.shadow:
            shadow = NoSize(CopyReason.SHADOW, f"would have bought {size.quantity:f}", size.ratio, size.capped)
            answer = answered(entry.signal, label, entry.now, shadow, cash)
            plan.copies.append(answer._replace(planned_quantity=size.quantity))
        else:
            intent = self._intent(entry, label, size)
            plan.entries.append(intent)
            plan.copies.append(ordered(intent, size, cash))

    def _size(self, entry: _EntrySignal, follower: Follower, label: str, reading: BalanceReading) -> Size | NoSize:
        paused = entry.paused.get(label)
        if paused:
            return NoSize(CopyReason.SYMBOL_PAUSED, paused)
        if label in entry.needs_person:
            return NoSize(CopyReason.NEEDS_PERSON, "an earlier order's outcome is contradictory: python bot.py resolve")
        not_ready = self._followers.not_ready_reason(follower.account)
        if not_ready and not follower.shadow:
            return NoSize(CopyReason.ACCOUNT_NOT_READY, not_ready)
        if reading.holdings is None:
            return NoSize(CopyReason.BALANCE_UNKNOWN, reading.reason)
        if reading.status is not BalanceStatus.FRESH:
            return NoSize(CopyReason.BALANCE_STALE, f"{reading.age_seconds:.0f} s old: {reading.reason}")
        instrument, _ = entry.market()
        if instrument is None:
            return NoSize(CopyReason.SYMBOL_UNKNOWN, f"{entry.signal.broker} lists no {entry.signal.symbol}")
        return self._size_of_means(entry, follower, entry.means.of(follower, reading), instrument)

    def _size_of_means(
        self, entry: _EntrySignal, follower: Follower, means: Means, instrument: Instrument
    ) -> Size | NoSize:
        assert means.cash is not None, "the balance is known"
        not_funded = self._not_funded(entry.quote, means.cash.total, means.costs)
        if not_funded:
            return NoSize(CopyReason.ACCOUNT_NOT_READY, not_funded)
        kept = entry.kept.get(follower.account.label)
        to_copy = replace(
            self._to_copy(entry, follower, means.reading, means.cash.total),
            user_available=means.cash.available,
            user_exposure_by_symbol=means.costs,
            kept=kept.quantity if kept is not None and kept.expires_at > entry.now else Decimal(0),
        )
        return self._sizer.size_entry(to_copy, follower.rules, instrument)

    def _to_copy(
        self, entry: _EntrySignal, follower: Follower, reading: BalanceReading | None, cash: Decimal
    ) -> EntryToCopy:
        """As far as the ratio needs it; what both are worth is found out only where that counts."""
        signal, masters, own = entry.signal, _NOT_LOOKED_AT, _NOT_LOOKED_AT
        if follower.rules.mode is CopyMode.EQUITY_RATIO and reading is not None:
            masters, own = entry.means.masters_worth, entry.means.worth_of(reading)
        return EntryToCopy(
            symbol=signal.symbol,
            quantity=signal.quantity,
            price=signal.reference_price,
            master_balance=signal.master_balance,
            user_balance=cash,
            user_available=cash,
            reserve_percent=self._reserve_percent(self._followers.taker_fee_percent(follower.account, signal.symbol)),
            user_exposure_by_symbol={},
            at_par=self._limits.at_par,
            master_equity=masters.value,
            user_equity=own.value,
            equity_problem=own.problem or masters.problem,
            earlier=entry.earlier.get(follower.account.label),
        )

    def _ratio(self, entry: _EntrySignal, follower: Follower, cash: Decimal | None) -> Decimal | None:
        """Of a copy that is not made. The last known balance will do, and none at all where none counts."""
        if cash is None and follower.rules.mode is CopyMode.BALANCE_RATIO:
            return None
        known = cash if cash is not None else Decimal(0)
        return self._sizer.ratio_of(self._to_copy(entry, follower, None, known), follower.rules)

    def _not_funded(self, quote: str, cash: Decimal, costs: Mapping[str, Decimal]) -> str:
        """Why the account is too small to copy, or empty. One that holds what nobody can put into USD is not judged."""
        least, at_par = self._limits.minimum_funded_quote, self._limits.at_par
        if least <= 0:
            return ""
        if quote not in at_par:
            return f"not known to be funded: what its {quote} are worth in USD is not known"
        value = sum(costs.values(), cash)
        if value >= least or not all(quote_of(symbol) in at_par for symbol in costs):
            return ""
        return f"not funded: {value:.2f} is below {least:f}"

    def _intent(self, entry: _EntrySignal, label: str, size: Size) -> OrderIntent:
        bound = entry.market()[1]
        return entry_intent(
            entry.signal, label, size, limit_price=bound, install_id=self._install_id, now=entry.now
        )  # fmt: skip


def _kept(entry: _EntrySignal, follower: Follower, label: str, quantity: Decimal) -> Kept:
    """Its time runs from the first share that is in it."""
    before = entry.kept.get(label)
    since = before.since if before is not None and before.expires_at > entry.now else entry.now
    expires_at = since + timedelta(hours=float(follower.rules.accumulate_hours))
    return Kept(
        account_id=label, symbol=entry.signal.symbol, quantity=quantity, since=since, expires_at=max(expires_at, since)
    )


def _earlier_parts(connection: Connection, signal: TradeSignal) -> Mapping[str, EarlierParts]:
    """By label: what each has got of the parts of the master's order that were traded before this one."""
    before = sized_before(connection, signal.signal_id)
    return {label: EarlierParts(each.ratio, each.due, each.planned) for label, each in before.items()}
