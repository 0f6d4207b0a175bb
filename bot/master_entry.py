"""One entry of a master: is the market seen, price, worth its fees, size, followers, order."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.balance import AssetBalance
from bot.domain.decision import EntryOutcome
from bot.domain.errors import CredentialsRejected, RetryLater, UnreadableReply
from bot.domain.money import plain
from bot.domain.order import IntentState, OrderKind, Side
from bot.domain.position import ExitPlan
from bot.domain.quote import Quote
from bot.domain.veto import Veto, VetoRule
from bot.execution.order_executor import NOT_SENT
from bot.master_rules import MasterRules
from bot.master_sizer import PRICE_RESERVE_PERCENT, EntryFacts, MasterSize, NoMasterSize, Sizing, size_master_entry
from bot.own_orders import OwnOrders
from bot.risk.fees import TakerFee, fee_problem, taker_fee_of
from bot.risk.safe_mode import NO_SAFE_MODE, SafeMode, SafeModeRules, SafeModes
from bot.risk.volatility import daily_move_percent
from bot.risk.worth import worth_of
from bot.seams.clock import Clock
from bot.storage import vetoes
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from bot.strategies.interface import EntryIntent

log = logging.getLogger(__name__)

# The same obstacle of the same wish is written down no more often.
SAY_AGAIN_SECONDS = 600.0
# What an order is called that was given up for another reason than a rule.
UNSENT = "not_sent"
_STOPPING = EntryOutcome(ordered=False, rule=UNSENT, detail="the bot is stopping")

Rooms = Callable[[Connection, str, str], Mapping[str, Decimal]]


def no_rooms(_connection: Connection, _account_id: str, _symbol: str) -> Mapping[str, Decimal]:
    """Where no limit on notional is known."""
    return {}


class CapacityVerdict(Protocol):
    """What the followers allow of an entry: base units, 0 = nothing (`sentence` says why, or why it is less)."""

    @property
    def quantity(self) -> Decimal: ...

    @property
    def sentence(self) -> str: ...


Capacity = Callable[[AccountDesk, str, Decimal, Decimal], CapacityVerdict]


class MasterEntry:
    """`price_age_seconds` is that of a market's last known price; `rooms` are what limits leave, by their name.

    `capacity` is asked (symbol, quantity, price) before an order; None = nobody's following is looked at.
    """

    def __init__(
        self,
        *,
        rules: MasterRules,
        store: Store,
        clock: Clock,
        orders: OwnOrders,
        price_age_seconds: Callable[[BrokerType, str], float | None],
        rooms: Rooms = no_rooms,
        capacity: Capacity | None = None,
        safe_mode: SafeModeRules = NO_SAFE_MODE,
    ) -> None:
        self._rules = rules
        self._store = store
        self._clock = clock
        self._orders = orders
        self._price_age_seconds = price_age_seconds
        self._rooms = rooms
        self._capacity = capacity
        self._safe_modes = SafeModes(safe_mode, clock)
        self._said: dict[tuple[str, str], tuple[VetoRule, float]] = {}

    def safe_mode_of(self, desk: AccountDesk) -> SafeMode:
        """To be told once a cycle how well the account sees its markets; while it is on nothing is entered."""
        return self._safe_modes.of(desk.account.label)

    def enter(self, desk: AccountDesk, entry: EntryIntent) -> EntryOutcome:
        """Buy what the strategy wants, or the rule that holds it back; each such rule is also a row of `veto`."""
        safe = self.safe_mode_of(desk)
        if desk.executor.stopping:
            return _STOPPING
        if safe.is_on:
            return self._held_back(desk, entry.symbol, Veto(VetoRule.SAFE_MODE, safe.sentence))
        # Before the price, which must not grow old while a fee is asked for.
        fee = taker_fee_of(desk.broker, entry.symbol)
        quote = self._fresh_quote(desk, entry.symbol)
        if desk.executor.stopping:
            return _STOPPING  # a call that was cut off says nothing about the market
        safe.price(entry.symbol, known=isinstance(quote, Quote))
        if isinstance(quote, Veto):
            return self._held_back(desk, entry.symbol, quote)
        plan = entry.exit_plan(self._rules.exit_plan)
        unprofitable = fee_problem(quote, plan, fee)
        if unprofitable is not None:
            return self._held_back(desk, entry.symbol, unprofitable)
        cash = _cash_of(desk)
        size = size_master_entry(self._rules.sizing_rules, self._facts(desk, quote, plan, fee, cash))
        if isinstance(size, NoMasterSize):
            return self._held_back(desk, entry.symbol, Veto(size.rule, size.detail, size.numbers))
        return self._order(desk, entry, self._as_many_as_follow(desk, quote, size), quote, plan, cash)

    # -- the steps --------------------------------------------------------------------------------------------------
    def _fresh_quote(self, desk: AccountDesk, symbol: str) -> Quote | Veto:
        numbers = {"max_age_seconds": f"{self._rules.max_price_age_seconds:g}"}
        try:
            quote = desk.broker.get_best_bid_ask(symbol)
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            age = self._price_age_seconds(desk.account.broker, symbol)
            last = "none was ever read" if age is None else f"the last one is {age:.0f} s old"
            numbers |= {} if age is None else {"age_seconds": f"{age:.1f}"}
            return Veto(VetoRule.STALE_PRICE, f"its price is not known ({last}): {error}", numbers)
        age = (self._clock.now() - quote.taken_at).total_seconds()
        if age > self._rules.max_price_age_seconds:
            numbers |= {"age_seconds": f"{age:.1f}"}
            return Veto(VetoRule.STALE_PRICE, f"its price is {age:.0f} s old", numbers)
        return quote

    def _facts(self, desk: AccountDesk, quote: Quote, plan: ExitPlan, fee: TakerFee, cash: AssetBalance) -> EntryFacts:
        """A part of the cash is what the operator has named, and a limit holds it back; what is computed fits in."""
        facts = EntryFacts(
            price=quote.ask,
            cash=cash.available,
            instrument=desk.broker.get_trading_pairs()[quote.symbol],
            taker_fee_percent=fee.percent,
            stop_loss_percent=plan.stop_loss_percent,
        )
        if self._rules.sizing is Sizing.FIXED_FRACTION:
            return facts
        assert desk.candles is not None, "a master's desk has candles"
        candles, label = desk.candles, desk.account.label
        with self._store.read() as connection:
            caps = self._rooms(connection, label, quote.symbol)
            equity = worth_of(connection, label, cash=cash.total, now=self._clock.now())
        return replace(
            facts,
            equity=equity,
            daily_move_percent=daily_move_percent(
                candles.closed(quote.symbol), interval_minutes=candles.interval_minutes
            ),
            # An order may be let go at a somewhat higher price than this, and the limits are held against that one.
            caps={name: cap * 100 / (100 + PRICE_RESERVE_PERCENT) for name, cap in caps.items()},
        )

    def _as_many_as_follow(self, desk: AccountDesk, quote: Quote, size: MasterSize) -> MasterSize | Veto:
        if self._capacity is None:
            return size
        verdict = self._capacity(desk, quote.symbol, size.quantity, quote.ask)
        if verdict.quantity >= size.quantity:
            return size
        numbers = {**size.numbers, "capacity_base": plain(verdict.quantity)}
        instrument = desk.broker.get_trading_pairs()[quote.symbol]
        quantity = instrument.floor_quantity(verdict.quantity)
        if instrument.below_minimum(quantity, quote.ask):
            return Veto(VetoRule.CAPACITY, verdict.sentence, numbers)
        return MasterSize(quantity, "capacity", numbers | {"quantity_base": plain(quantity), "set_by": "capacity"})

    def _order(
        self,
        desk: AccountDesk,
        entry: EntryIntent,
        size: MasterSize | Veto,
        quote: Quote,
        plan: ExitPlan,
        cash: AssetBalance,
    ) -> EntryOutcome:
        if isinstance(size, Veto):
            return self._held_back(desk, entry.symbol, size)
        self._said.pop((desk.account.label, entry.symbol), None)
        intent = self._orders.place(
            desk,
            symbol=entry.symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            quantity=size.quantity,
            decision=entry.reason,
            exit_plan=plan,
            balance_before=cash.total,
            reference_price=quote.ask,
            quote=quote,
        )
        return _outcome(intent, size)

    def _held_back(self, desk: AccountDesk, symbol: str, veto: Veto) -> EntryOutcome:
        """The row is written once in a while as long as the same rule is in the way of the same market."""
        log.warning("%s: %s not entered: %s", desk.account.label, symbol, veto.detail)
        outcome = EntryOutcome(ordered=False, rule=str(veto.rule), detail=veto.detail, numbers=veto.numbers)
        label, moment, now = desk.account.label, self._clock.monotonic(), self._clock.now()
        rule, said_at = self._said.get((label, symbol), (None, 0.0))
        if rule is veto.rule and moment - said_at < SAY_AGAIN_SECONDS:
            return outcome
        self._said[label, symbol] = veto.rule, moment
        self._store.write(
            lambda connection: vetoes.add_early_veto(
                connection, account_id=label, symbol=symbol, side=Side.BUY, why=veto, at=now
            )
        )
        return outcome


def _cash_of(desk: AccountDesk) -> AssetBalance:
    holdings = desk.broker.balance_book.reading().holdings
    assert holdings is not None, "entries are vetoed without a fresh balance"
    return holdings.of(desk.broker.quote_currency)


def _outcome(intent: OrderIntent, size: MasterSize) -> EntryOutcome:
    """A limit's veto as the order was to be sent comes back in the order's reason."""
    if intent.state is not IntentState.ABANDONED:
        return EntryOutcome(ordered=True, numbers=size.numbers, client_order_id=intent.client_order_id)
    rule, _, detail = intent.reason.removeprefix(NOT_SENT).partition(": ")
    known = rule in frozenset(map(str, VetoRule))
    return EntryOutcome(
        ordered=False,
        rule=rule if known else UNSENT,
        detail=detail if known else intent.reason,
        numbers=size.numbers,
        client_order_id=intent.client_order_id,
    )
