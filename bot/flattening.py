"""Sells what the bot holds in one account, and proves it: what was cancelled and sold, what the venue says is left.

Runs in the account's own thread, for as long as a flatten covers the account and something is left to do. The halt is
the campaign: however often it is looked at, over restarts and while the venue is away, the same lots are sold once.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection

from bot.brokers.base import BaseBroker
from bot.domain.account import AccountRef
from bot.domain.errors import Fenced, NijaError, StoreUnavailable, VenueError
from bot.domain.halt import Halt, HaltScope
from bot.domain.money import plain
from bot.domain.order import LIVE_STATES, IntentState, OrderKind, OrderType, Side
from bot.domain.position import Position
from bot.domain.symbol import base_of
from bot.execution.dust_book import end_as_dust
from bot.execution.lots import Lots, lots_of
from bot.execution.order_executor import OrderExecutor, has_ended
from bot.flatten_proof import VenueRest, read_venue_rest
from bot.position_sizer import NoSize, PositionSizer
from bot.seams.clock import Clock
from bot.seams.failpoints import failpoint
from bot.seams.ids import client_order_id
from bot.storage import flatten_results, halts, intents, positions
from bot.storage.flatten_results import ACCOUNT, FlattenResult, FlattenState
from bot.storage.intents import OrderIntent
from bot.storage.store import Store

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 15.0
# While the venue is closed nothing can be sold: it is looked at again at the opening, or after so long.
CLOSED_WAIT_SECONDS = 120.0
KEPT = "the user left with when_disabled: keep; what it holds is its owner's"


@dataclass(frozen=True)
class _Stand:
    """How one market stands: working, done or left, and why in words."""

    state: FlattenState
    why: str = ""


_DONE = _Stand(FlattenState.DONE)


class Flattening:
    """One account's. Orders and coins that are not the bot's are named and never touched."""

    def __init__(
        self,
        *,
        broker: BaseBroker,
        store: Store,
        clock: Clock,
        install_id: str,
        executor: OrderExecutor,
        sizer: PositionSizer,
        kept_by_owner: bool = False,
    ) -> None:
        self._broker = broker
        self._account: AccountRef = broker.account
        self._store = store
        self._clock = clock
        self._install_id = install_id
        self._executor = executor
        self._sizer = sizer
        self._kept_by_owner = kept_by_owner
        self._tries = 0

    def step(self) -> float | None:
        """Bring every flatten that covers the account further; returns in how many seconds to go on, None when done."""
        with self._store.read() as connection:
            campaigns = halts.flattens_of(connection, self._account.label)
        working = [halt for halt in campaigns if not self._advance(halt)]
        if not working:
            self._tries = 0
            return None
        self._tries += 1
        wait: float = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(self._tries, 10))
        return max(wait, self._closed_seconds())

    def _closed_seconds(self) -> float:
        """How long the venue takes no order at all, as far as one should wait for it."""
        session = self._broker.trading_session()
        if session.is_open is not False:
            return 0.0
        if session.until is None:
            return LONGEST_WAIT_SECONDS
        left = (session.until - (self._broker.venue_now() or self._clock.now())).total_seconds()
        return min(CLOSED_WAIT_SECONDS, max(0.0, left))

    # -- one campaign -----------------------------------------------------------------------------------------------
    def _advance(self, halt: Halt) -> bool:
        """True when nothing is left to do for now. What comes in later is sold too, while it is in force."""
        rows = self._rows(halt)
        account = rows.pop(ACCOUNT, None)
        symbols = self._symbols_to_sell(halt)
        unproven = [symbol for symbol, row in rows.items() if row.state is FlattenState.WORKING]
        if account is not None and account.state is not FlattenState.WORKING and not symbols and not unproven:
            return True
        account = account or self._begin(halt)
        if self._kept_by_owner:
            self._save(replace(account, state=FlattenState.LEFT, why=KEPT))
            return True
        for symbol in sorted(symbols - set(rows)):
            # Before anything is sold: who dies right after the sale finds what is to be proven.
            rows[symbol] = self._new_row(halt, symbol, started_at=account.started_at)
            self._save(rows[symbol])
        if self._tries:
            # The first try trusts the last reading; what went wrong then may be that it was old.
            self._broker.refresh_balance(max_age_seconds=0)
        stands = {symbol: self._sell_off_guarded(halt, symbol) for symbol in sorted({*symbols, *unproven})}
        failpoint("flatten_sold")
        return self._prove(halt, account, rows, stands)

    def _rows(self, halt: Halt) -> dict[str, FlattenResult]:
        with self._store.read() as connection:
            rows = flatten_results.results_of(connection, halt.id, self._account.label)
        return {row.symbol: row for row in rows}

    def _symbols_to_sell(self, halt: Halt) -> set[str]:
        """Markets with lots in the books, or with an order that may still bring some."""
        label = self._account.label
        with self._store.read() as connection:
            held = [position.symbol for position in positions.positions_of(connection, label)]
            sent = [intent.symbol for intent in intents.unfinished(connection, label) if _was_sent(intent)]
        return {symbol for symbol in (*held, *sent) if halt.scope is not HaltScope.SYMBOL or symbol == halt.target}

    def _begin(self, halt: Halt) -> FlattenResult:
        log.warning("%s: flatten #%d begins: %s", self._account.label, halt.id, halt.sentence)
        row = self._new_row(halt, ACCOUNT)
        self._save(row)
        return row

    def _new_row(self, halt: Halt, symbol: str, *, started_at: datetime | None = None) -> FlattenResult:
        now = self._clock.now()
        return FlattenResult(
            halt_id=halt.id,
            account_id=self._account.label,
            symbol=symbol,
            state=FlattenState.WORKING,
            cancelled_orders=0,
            sold_quantity=Decimal(0),
            left_quantity=None,
            why="",
            started_at=started_at or now,
            updated_at=now,
        )

    # -- one market -------------------------------------------------------------------------------------------------
    def _sell_off_guarded(self, halt: Halt, symbol: str) -> _Stand:
        """One market's trouble does not keep the others from being sold."""
        try:
            return self._sell_off(halt, symbol)
        except (Fenced, StoreUnavailable):
            raise
        except NijaError as error:
            return _Stand(FlattenState.WORKING, str(error))
        except Exception as error:
            log.exception("%s: %s could not be sold", self._account.label, symbol)
            return _Stand(FlattenState.WORKING, f"{type(error).__name__}: {error}")

    def _sell_off(self, halt: Halt, symbol: str) -> _Stand:
        """Settle and cancel what is open, then sell all lots; a sale that is under way is waited for, not doubled."""
        for intent in self._sent_orders(symbol):
            ended = self._end_order(intent)
            if not has_ended(ended) and ended.state is not IntentState.CREATED:
                return _Stand(FlattenState.WORKING, _why_waiting(ended))
        position = self._position(symbol)
        if position is None:
            return _DONE
        lots = lots_of(position, self._broker)
        if lots.free <= 0 < lots.existing:
            return _Stand(FlattenState.WORKING, f"{plain(lots.locked)} {symbol} are tied up in orders not of the bot")
        return self._sell(halt, position, lots)

    def _end_order(self, intent: OrderIntent) -> OrderIntent:
        """Entries and resting orders are cancelled; a sale at the market ends by itself."""
        rests = intent.kind is OrderKind.ENTRY or intent.order_type.rests
        if rests and intent.state in LIVE_STATES:
            return self._executor.cancel(intent)
        return self._executor.settle(intent)

    def _sell(self, halt: Halt, position: Position, lots: Lots) -> _Stand:
        instrument = self._broker.get_trading_pairs().get(position.symbol)
        if instrument is None:
            return _Stand(FlattenState.LEFT, f"the venue does not list {position.symbol} any more")
        price = self._price(position)
        size = self._sizer.size_exit(due=lots.free, held=lots.free, instrument=instrument, price=price)
        if isinstance(size, NoSize):
            too_small = instrument.below_minimum(instrument.floor_quantity(position.quantity), price)
            if too_small:
                self._end_as_dust(position, too_small)
            return _Stand(FlattenState.LEFT, f"{plain(position.quantity)} not sold: {size.detail}")
        self._broker.renew_trading_session()
        awaited = self._broker.awaits(position.symbol, Side.SELL)
        if awaited is not None:
            return _Stand(FlattenState.WORKING, f"{plain(position.quantity)} to be sold: it {awaited.sentence}")
        result = self._executor.place(self._intent(halt, position, size.quantity))
        failpoint("flatten_placed")
        if result.state is IntentState.CREATED:
            # The next try is an order of its own, of what is held by then.
            self._executor.abandon(result, f"not sent: {result.reason}"[:500])
        rest = self._position(position.symbol)
        if rest is None:
            return _DONE
        return _Stand(FlattenState.WORKING, f"{plain(rest.quantity)} still to be sold: {result.state} {result.reason}")

    def _price(self, position: Position) -> Decimal:
        """For the venue's minimum alone; a sale does not wait for a price."""
        try:
            return self._broker.get_best_bid_ask(position.symbol).bid
        except VenueError:
            return position.average_entry_price

    def _end_as_dust(self, position: Position, reason: str) -> None:
        def work(connection: Connection) -> None:
            self._executor.refuse_when_fenced(connection)
            end_as_dust(connection, position, now=self._clock.now(), reason=reason)

        self._store.write(work)

    def _intent(self, halt: Halt, position: Position, quantity: Decimal) -> OrderIntent:
        return OrderIntent(
            client_order_id=self._leg_id(halt, position.symbol, len(self._legs(halt, position.symbol))),
            account_id=self._account.label,
            signal_id=None,
            decision=f"flatten #{halt.id} by {halt.set_by}: {halt.reason}",
            symbol=position.symbol,
            side=Side.SELL,
            kind=OrderKind.EXIT,
            order_type=OrderType.MARKET,
            quantity=quantity,
            limit_price=None,
            balance_before=None,
            exit_plan=position.exit_plan,
            created_at=self._clock.now(),
        )

    def _leg_id(self, halt: Halt, symbol: str, number: int) -> str:
        return client_order_id(
            install_id=self._install_id,
            decision_id=f"halt-{halt.id}",
            account_id=self._account.label,
            leg=f"flatten-{symbol}-{number}",
            attempt=0,
        )

    def _legs(self, halt: Halt, symbol: str) -> Sequence[OrderIntent]:
        """Every order this campaign has made for the market: their ids follow from it, so none can be missed."""
        made: list[OrderIntent] = []
        with self._store.read() as connection:
            while (leg := intents.find_intent(connection, self._leg_id(halt, symbol, len(made)))) is not None:
                made.append(leg)
        return made

    def _sent_orders(self, symbol: str) -> Sequence[OrderIntent]:
        with self._store.read() as connection:
            unfinished = intents.unfinished(connection, self._account.label)
        return [intent for intent in unfinished if intent.symbol == symbol and _was_sent(intent)]

    def _position(self, symbol: str) -> Position | None:
        with self._store.read() as connection:
            return positions.find_position(connection, self._account.label, symbol)

    # -- the proof --------------------------------------------------------------------------------------------------
    def _prove(
        self, halt: Halt, account: FlattenResult, rows: dict[str, FlattenResult], stands: dict[str, _Stand]
    ) -> bool:
        """Write down how every market stands, by what the venue itself says it still has; unknown stays unknown."""
        rest = read_venue_rest(self._broker, self._store, halt)
        with self._store.read() as connection:
            cancelled = flatten_results.cancelled_since(connection, self._account.label, account.started_at)
        for symbol, stand in stands.items():
            rows[symbol] = self._result(halt, rows[symbol], stand, rest, cancelled.get(symbol, 0))
            self._save(rows[symbol])
        state = _together(row.state for row in rows.values()) if not rest.problem else FlattenState.WORKING
        total = sum(row.cancelled_orders for row in rows.values())
        self._save(replace(account, state=state, cancelled_orders=total, why=rest.problem or rest.not_ours))
        if state is not account.state:
            log.warning("%s: flatten #%d is %s %s", self._account.label, halt.id, state, rest.problem or rest.not_ours)
        return state is not FlattenState.WORKING

    def _result(self, halt: Halt, row: FlattenResult, stand: _Stand, rest: VenueRest, cancelled: int) -> FlattenResult:
        left = rest.of(row.symbol)
        return replace(
            row,
            # What was sold is known by its fills; that nothing is left, by the venue's own list alone.
            state=FlattenState.WORKING if left is None else stand.state,
            cancelled_orders=cancelled,
            sold_quantity=sum((leg.filled_quantity for leg in self._legs(halt, row.symbol)), Decimal(0)),
            left_quantity=left,
            why=stand.why or rest.problem or _why_left(row.symbol, left),
        )

    def _save(self, row: FlattenResult) -> None:
        self._store.write(partial(self._save_in, row=replace(row, updated_at=self._clock.now())))

    def _save_in(self, connection: Connection, *, row: FlattenResult) -> None:
        self._executor.refuse_when_fenced(connection)
        flatten_results.save_result(connection, row)


def _together(states: Iterable[FlattenState]) -> FlattenState:
    """An account is done when all of its markets are; it has none when it holds nothing."""
    found = set(states)
    return next((one for one in (FlattenState.WORKING, FlattenState.LEFT) if one in found), FlattenState.DONE)


def _was_sent(intent: OrderIntent) -> bool:
    return intent.state is not IntentState.CREATED


def _why_waiting(intent: OrderIntent) -> str:
    if intent.needs_person:
        return f"order {intent.client_order_id} waits for a person (python bot.py resolve): {intent.needs_person}"
    because = f": {intent.reason}" if intent.reason else ""
    return f"order {intent.client_order_id} to {intent.side} has no end yet ({intent.state}){because}"


def _why_left(symbol: str, left: Decimal | None) -> str:
    return f"{plain(left)} {base_of(symbol)} at the venue are not the bot's" if left else ""
