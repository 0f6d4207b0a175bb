"""One cycle of one account: settle, read, exit, and, for masters, scan and enter."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.brokers.base import BaseBroker, Urgency
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.errors import CredentialsRejected, Fenced, RetryLater, StoreUnavailable, UnreadableReply, VenueError
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.order import IntentState, OrderKind, OrderType, Side
from bot.domain.position import ExitPlan, Position
from bot.domain.quote import Quote
from bot.domain.symbol import quote_of
from bot.domain.veto import Veto, VetoRule
from bot.execution.lots import lots_of
from bot.market.candle_cache import CandleCache
from bot.position_sizer import NoSize, PositionSizer
from bot.risk.case import is_dust
from bot.seams.clock import Clock
from bot.seams.ids import IdSource, client_order_id
from bot.storage import intents, positions, vetoes
from bot.storage.dust import close_as_dust
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from bot.strategies.asking import STRATEGY_FAILED, StrategyFault, ask_entry, ask_exit
from bot.strategies.exits import decide_exit
from bot.strategies.interface import EntryIntent, ExitIntent, MarketView, NoEntry, Strategy

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MasterRules:
    """How a master trades; percents are of its available cash, distances of its entry price."""

    max_positions: int
    max_entries_per_cycle: int
    order_percent_of_cash: Decimal
    exit_plan: ExitPlan
    scan_symbols_limit: int
    max_price_age_seconds: float = 10.0


class MultiBrokerTrader(Protocol):
    """What the strategy's status and start methods need of the thread keeper."""

    broker_threads: dict[BrokerType, Any]

    def start_independent_trading(self) -> None: ...

    def stop_independent_trading(self, timeout_seconds: float) -> list[str]: ...


class TradingStrategy:
    """Runs cycles for any account; holds no state of an account besides the desks it was given."""

    def __init__(
        self,
        *,
        strategies: Mapping[BrokerType, Strategy],
        rules: MasterRules,
        sizer: PositionSizer,
        store: Store,
        clock: Clock,
        ids: IdSource,
        install_id: str,
        announce: Callable[[BrokerType], None],
        status_lines: Callable[[], Sequence[Mapping[str, Any]]],
        why_stopped: Callable[[str], str] = lambda _label: "",
        stopped_symbols: Callable[[], frozenset[str]] = frozenset,
        waited_for: Callable[[AccountRef], str] = lambda _account: "",
        on_candidates: Callable[[BrokerType, Sequence[str]], None] = lambda _broker, _symbols: None,
        price_age_seconds: Callable[[BrokerType, str], float | None] = lambda _broker, _symbol: None,
    ) -> None:
        """`on_candidates` hears what a scan would enter; `price_age_seconds` is that of a market's last known price."""
        self._strategies = strategies
        self._rules = rules
        self._sizer = sizer
        self._store = store
        self._clock = clock
        self._ids = ids
        self._install_id = install_id
        self._announce = announce
        self._status_lines = status_lines
        self._waited_for = waited_for
        self._on_candidates = on_candidates
        self._price_age_seconds = price_age_seconds
        self._why_stopped = why_stopped
        self._stopped_symbols = stopped_symbols
        self._desks: dict[AccountRef, AccountDesk] = {}
        # What was said last of an account's entries and of each of its exits that wait, by account and symbol.
        self._said: dict[tuple[str, str], str] = {}
        self.trader: MultiBrokerTrader | None = None

    def add_desk(self, desk: AccountDesk) -> None:
        """Give the strategy an account to run cycles for."""
        self._desks[desk.account] = desk

    def remove_desk(self, account: AccountRef) -> None:
        """Another process has the account."""
        self._desks.pop(account, None)

    def run_cycle(self, broker: BaseBroker | None = None, user_mode: bool = False) -> None:
        """One cycle for `broker`'s account, in the calling thread (default: the first master).

        Masters manage positions, then scan and enter while under the cap; users (`user_mode=True`) exit only.
        """
        desk = self._desk_of(broker)
        user_mode = user_mode or not desk.account.is_master
        if user_mode:
            log.info("Trading cycle mode: USER (position management only)")
        else:
            log.info("Trading cycle mode: MASTER (full strategy)")
        self._settle_orders(desk)
        desk.broker.renew_trading_session()
        reading = self._read_balance(desk)
        unread = None if user_mode or desk.reconciler.awaits_outcome() else self._read_fills(desk)
        if desk.reconciler.must_come_first():
            self._reconcile(desk)
        held = self._manage_positions(desk)
        # After the exits, which wait for nothing, and before the entries, which wait for it.
        self._reconcile(desk)
        if unread is not None:
            # Nothing new while the account's own trades are not known. What it holds was looked after all the same.
            raise unread
        if user_mode:
            log.info("USER MODE: Skipping market scan (signals come from copy trade engine)")
            if desk.reconciler.hydrated:
                desk.status.waiting(self._waited_for(desk.account) or desk.broker.trading_session().says)
        else:
            self._scan_and_enter(desk, reading, held)

    # -- status and threads -----------------------------------------------------------------------------------------
    def start_independent_multi_broker_trading(self) -> None:
        """Start every account's thread as it gets connected and funded."""
        self._trader().start_independent_trading()

    def stop_independent_trading(self, timeout_seconds: float = 8.0) -> list[str]:
        """Stop all threads; returns the names of those that did not end in time."""
        return self._trader().stop_independent_trading(timeout_seconds)

    def get_multi_broker_status(self) -> list[dict[str, Any]]:
        """One entry per account: label, health, reason, cycles, balance, positions."""
        return [dict(line) for line in self._status_lines()]

    def log_multi_broker_status(self) -> None:
        """Write the summary to the log, one line per account."""
        for line in self.get_multi_broker_status():
            log.info(
                "INDEPENDENT %s: %s%s, %d cycles, cash %s, %d positions",
                line["account"],
                line["health"],
                f" ({line['reason']})" if line["reason"] else "",
                line["cycles"],
                line["cash"],
                line["positions"],
            )

    def _trader(self) -> MultiBrokerTrader:
        if self.trader is None:
            raise RuntimeError("this strategy was made without a trader; the program's start wires one")
        return self.trader

    def _desk_of(self, broker: BaseBroker | None) -> AccountDesk:
        if broker is not None:
            return self._desks[broker.account]
        masters = [desk for account, desk in self._desks.items() if account.is_master]
        if not masters:
            raise LookupError("no master is connected yet")
        return masters[0]

    # -- the steps of a cycle -----------------------------------------------------------------------------------------
    def _settle_orders(self, desk: AccountDesk) -> None:
        """Ask about every order that has no end yet."""
        desk.status.step("settling orders")
        with self._store.read() as connection:
            open_intents = intents.unfinished(connection, desk.account.label)
        for intent in open_intents:
            if intent.state is IntentState.CREATED and intent.signal_id is None:
                # A decision of an earlier moment that was never accepted: this cycle decides anew.
                desk.executor.abandon(intent, "never sent")
            elif intent.state is not IntentState.CREATED:
                self._settle(desk, intent)
        self._announce_master(desk)

    def _settle(self, desk: AccountDesk, intent: OrderIntent) -> None:
        """One order whose report makes no sense must not cost the others of the account their turn, cycle by cycle."""
        try:
            desk.executor.settle(intent)
        except (Fenced, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("%s: order %s could not be settled", desk.account.label, intent.client_order_id)
            desk.reconciler.unreadable(intent, error)
        else:
            desk.reconciler.readable(intent)

    def _reconcile(self, desk: AccountDesk) -> None:
        if desk.executor.stopping:
            return  # the venue is not asked any more
        desk.status.step("comparing with the venue")
        desk.reconciler.run_if_due()
        self._announce_master(desk)

    def _read_balance(self, desk: AccountDesk) -> BalanceReading:
        desk.status.step("reading the balance")
        reading = desk.broker.refresh_balance()
        desk.status.balance(reading)
        return reading

    def _read_fills(self, desk: AccountDesk) -> VenueError | None:
        """Book what was traded on a master account, by us or by its owner: either is a trade to copy.

        Gives back why the venue could not be read, so that exits get their turn first.
        """
        desk.status.step("reading fills")
        try:
            desk.reconciler.read_history()
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            return error
        self._announce_master(desk)
        return None

    def _manage_positions(self, desk: AccountDesk) -> Sequence[Position]:
        """Exit what is due; returns the positions that were open when the step began."""
        desk.status.step("managing positions")
        held = self._positions(desk)
        if desk.executor.stopping:
            return held  # no exit could be sent: nobody needs to ask for prices
        if not held or desk.leaving is WhenDisabled.KEEP:
            self._mark(desk, self._prices_besides(desk))
            return held
        session = desk.broker.trading_session()
        if session.is_open is False:
            # Prices of a closed market are nobody's offer: nothing is decided by them, and nothing could be sold.
            if self._is_news(desk, "exits", session.says):
                log.info("%s: exits of %d positions wait: %s", desk.account.label, len(held), session.says)
            return held
        if desk.candles is not None:
            # Also while no entries are looked for: the strategy's wish to exit needs fresh candles.
            desk.candles.refresh([position.symbol for position in held])
        with desk.broker.urgent(Urgency.EXIT):  # an exit may hang on these, and a scan can wait
            quotes = desk.broker.get_best_bid_ask_batch([*(position.symbol for position in held), *_besides(desk)])
        for position in held:
            quote = quotes.get(position.symbol)
            if quote is None:
                log.warning("%s: no price for %s; its exits wait", desk.account.label, position.symbol)
            else:
                self._manage_position(desk, position, quote)
        self._mark(desk, quotes)
        return self._positions(desk)

    def _prices_besides(self, desk: AccountDesk) -> Mapping[str, Quote]:
        """What an account that holds nothing needs for its mark; without it the mark says what is missing."""
        wanted = _besides(desk)
        try:
            return desk.broker.get_best_bid_ask_batch(wanted) if wanted else {}
        except (UnreadableReply, RetryLater):
            return {}

    def _mark(self, desk: AccountDesk, quotes: Mapping[str, Quote]) -> None:
        """Where the account stands by these prices, for the limits on loss. What goes wrong here stops entries only."""
        if desk.marks is None or desk.leaving is not None:
            return
        try:
            desk.marks.mark(quotes, desk.broker.balance_book.reading())
        except (Fenced, StoreUnavailable):
            raise
        except Exception:
            log.exception("%s: what its trades have made could not be worked out", desk.account.label)

    def _manage_position(self, desk: AccountDesk, position: Position, quote: Quote) -> None:
        if quote.bid > position.highest_price:
            self._store.write(
                lambda connection: positions.raise_highest_price(
                    connection, position.account_id, position.symbol, quote.bid
                )
            )
        decision = decide_exit(position, quote, signal=self._strategys_wish(desk, position))
        for fault in decision.faults:
            log.error("%s: %s: %s", desk.account.label, position.symbol, fault)
        left = desk.leaving is WhenDisabled.CLOSE_NOW
        if (decision.sells or left) and not self._busy(desk, position.symbol):
            self._exit(desk, position, quote, "the user left" if left else decision.reason)

    def _strategys_wish(self, desk: AccountDesk, position: Position) -> ExitIntent | None:
        """What the master's strategy thinks of a holding, by the candles of its last scan. Users have no strategy."""
        if desk.candles is None:
            return None
        answer = ask_exit(self._strategies[desk.account.broker], self._view(desk.candles, position.symbol), position)
        if isinstance(answer, StrategyFault):
            log.error("%s: %s: %s", desk.account.label, position.symbol, answer.reason)
            return None
        return answer

    def _view(self, candles: CandleCache, symbol: str) -> MarketView:
        return MarketView(symbol, candles.closed(symbol), candles.interval_minutes)

    def _exit(self, desk: AccountDesk, position: Position, quote: Quote, reason: str) -> None:
        instrument = desk.broker.get_trading_pairs().get(position.symbol)
        if instrument is None:
            log.warning("%s: %s is not listed any more; it cannot be sold", desk.account.label, position.symbol)
            return
        awaited = desk.broker.awaits(position.symbol, Side.SELL)
        if self._is_news(desk, position.symbol, "" if awaited is None else awaited.sentence) and awaited is not None:
            log.info("%s: exit %s (%s) %s", desk.account.label, position.symbol, reason, awaited.sentence)
        if awaited is not None:
            return
        lots = lots_of(position, desk.broker)
        size = self._sizer.size_exit(due=lots.free, held=lots.free, instrument=instrument, price=quote.bid)
        if isinstance(size, NoSize):
            self._not_sold(desk, position, instrument, quote, size)
            return
        log.info("%s: exit %s: %s", desk.account.label, position.symbol, reason)
        self._place(
            desk,
            symbol=position.symbol,
            side=Side.SELL,
            kind=OrderKind.EXIT,
            quantity=size.quantity,
            decision=reason,
            exit_plan=position.exit_plan,
        )

    def _not_sold(
        self, desk: AccountDesk, position: Position, instrument: Instrument, quote: Quote, why: NoSize
    ) -> None:
        log.info("%s: %s not sold: %s", desk.account.label, position.symbol, why.detail)
        if instrument.below_minimum(instrument.floor_quantity(position.quantity), quote.bid):
            self._close_as_dust(desk, position)

    def _close_as_dust(self, desk: AccountDesk, position: Position) -> None:
        def work(connection: Connection) -> None:
            desk.executor.refuse_when_fenced(connection)
            close_as_dust(connection, position, now=self._clock.now())

        self._store.write(work)

    def _scan_and_enter(self, desk: AccountDesk, reading: BalanceReading, held: Sequence[Position]) -> None:
        if desk.reconciler.hydrated:
            desk.status.recovered()
        veto = self._entry_veto(desk, reading, held)
        desk.status.waiting(veto)
        is_news = self._is_news(desk, "", veto)
        if veto:
            log.log(logging.INFO if is_news else logging.DEBUG, "%s: no new entries: %s", desk.account.label, veto)
            return
        log.info("Scanning for new opportunities...")
        desk.status.step("scanning")
        entries = self._scan(desk, frozenset(position.symbol for position in held))
        room = self._rules.max_positions - self._places_taken(desk, held)
        for entry in entries[: min(room, self._rules.max_entries_per_cycle)]:
            self._enter(desk, entry)

    def _is_news(self, desk: AccountDesk, symbol: str, text: str) -> bool:
        """Whether this is another text than the last one about the same; empty = nothing is to be said of it."""
        key = (desk.account.label, symbol)
        is_news = self._said.get(key, "") != text
        self._said[key] = text
        return is_news

    def _entry_veto(self, desk: AccountDesk, reading: BalanceReading, held: Sequence[Position]) -> str:
        stopped = self._why_stopped(desk.account.label)
        if stopped:
            return stopped
        session = desk.broker.trading_session()
        if session.is_open is not True:
            return session.says
        if not desk.reconciler.hydrated:
            return f"not hydrated yet: {desk.reconciler.problem}"
        if reading.status is not BalanceStatus.FRESH:
            return f"balance {reading.status}: {reading.reason}"
        if reading.reason:
            return f"the last balance reading failed: {reading.reason}"
        unready = desk.status.may_enter()
        if unready:
            return unready
        with self._store.read() as connection:
            pending = [
                intent
                for intent in intents.unfinished(connection, desk.account.label)
                if intent.kind is OrderKind.ENTRY and intent.symbol not in {position.symbol for position in held}
            ]
        taken = self._places_taken(desk, held)
        if taken + len(pending) >= self._rules.max_positions:
            return f"{taken} positions and {len(pending)} open entries, the cap is {self._rules.max_positions}"
        return ""

    def _places_taken(self, desk: AccountDesk, held: Sequence[Position]) -> int:
        """Positions without dust, which nobody can sell and which must not keep the account from trading."""
        listed = desk.broker.known_trading_pairs()
        return sum(not is_dust(one.quantity, one.average_entry_price, listed.get(one.symbol)) for one in held)

    def _scan(self, desk: AccountDesk, held: frozenset[str]) -> list[EntryIntent]:
        """Entry candidates, most confident first."""
        assert desk.candles is not None, "a master's desk has candles"
        strategy = self._strategies[desk.account.broker]
        symbols = self._scan_symbols(desk, held | self._stopped_symbols())
        coverage = desk.candles.refresh([*sorted(held), *symbols])
        found = []
        for symbol in symbols:
            if symbol not in coverage.ready:
                continue
            decision = ask_entry(strategy, self._view(desk.candles, symbol))
            if isinstance(decision, EntryIntent) and not self._busy(desk, symbol):
                found.append(decision)
            elif isinstance(decision, NoEntry) and decision.rule == STRATEGY_FAILED:
                log.error("%s: %s: %s", desk.account.label, symbol, decision.reason)
        log.info("%s: scanned %s; %d candidates", desk.account.label, coverage, len(found))
        self._on_candidates(desk.account.broker, [entry.symbol for entry in found])
        return sorted(found, key=lambda entry: (-entry.confidence, entry.symbol))

    def _scan_symbols(self, desk: AccountDesk, besides: frozenset[str]) -> list[str]:
        pairs, currency = desk.broker.get_trading_pairs(), desk.broker.quote_currency
        symbols = [
            symbol
            for symbol, instrument in sorted(pairs.items())
            if instrument.tradable and quote_of(symbol) == currency and symbol not in besides
        ]
        return symbols[: self._rules.scan_symbols_limit]

    def _enter(self, desk: AccountDesk, entry: EntryIntent) -> None:
        try:
            quote = desk.broker.get_best_bid_ask(entry.symbol)
        except (UnreadableReply, RetryLater, CredentialsRejected) as error:
            age = self._price_age_seconds(desk.account.broker, entry.symbol)
            last = "none was ever read" if age is None else f"the last one is {age:.0f} s old"
            self._price_veto(desk, entry.symbol, age, f"its price is not known ({last}): {error}")
            return
        age = (self._clock.now() - quote.taken_at).total_seconds()
        if age > self._rules.max_price_age_seconds:
            self._price_veto(desk, entry.symbol, age, f"its price is {age:.0f} s old")
            return
        holdings = desk.broker.balance_book.reading().holdings
        assert holdings is not None, "entries are vetoed without a fresh balance"
        cash = holdings.of(desk.broker.quote_currency)
        size = self._sizer.size_master_entry(
            cash_quote=cash.available,
            percent_of_cash=self._rules.order_percent_of_cash,
            price=quote.ask,
            instrument=desk.broker.get_trading_pairs()[entry.symbol],
        )
        if isinstance(size, NoSize):
            log.info("%s: %s not entered: %s", desk.account.label, entry.symbol, size.detail)
            return
        self._place(
            desk,
            symbol=entry.symbol,
            side=Side.BUY,
            kind=OrderKind.ENTRY,
            quantity=size.quantity,
            decision=entry.reason,
            exit_plan=entry.exit_plan(self._rules.exit_plan),
            balance_before=cash.total,
            reference_price=quote.ask,
        )

    def _price_veto(self, desk: AccountDesk, symbol: str, age_seconds: float | None, why: str) -> None:
        log.warning("%s: %s not entered: %s", desk.account.label, symbol, why)
        numbers = {"max_age_seconds": f"{self._rules.max_price_age_seconds:g}"}
        if age_seconds is not None:
            numbers["age_seconds"] = f"{age_seconds:.1f}"
        veto, now = Veto(VetoRule.STALE_PRICE, why, numbers), self._clock.now()
        self._store.write(
            lambda connection: vetoes.add_early_veto(
                connection, account_id=desk.account.label, symbol=symbol, side=Side.BUY, why=veto, at=now
            )
        )

    def _place(
        self,
        desk: AccountDesk,
        *,
        symbol: str,
        side: Side,
        kind: OrderKind,
        quantity: Decimal,
        decision: str,
        exit_plan: ExitPlan,
        balance_before: Decimal | None = None,
        reference_price: Decimal | None = None,
    ) -> None:
        desk.status.step(f"placing {side} {symbol}")
        intent = OrderIntent(
            client_order_id=client_order_id(
                install_id=self._install_id,
                decision_id=self._ids.token(),
                account_id=desk.account.label,
                leg=str(kind),
                attempt=0,
            ),
            account_id=desk.account.label,
            signal_id=None,
            decision=decision,
            symbol=symbol,
            side=side,
            kind=kind,
            order_type=OrderType.MARKET,
            quantity=quantity,
            limit_price=None,
            balance_before=balance_before,
            reference_price=reference_price,
            exit_plan=exit_plan,
            created_at=self._clock.now(),
        )
        result = desk.executor.place(intent)
        self._announce_master(desk)
        if result.filled_quantity == 0:
            log.warning("%s: %s %s is %s: %s", desk.account.label, side, symbol, result.state, result.reason)

    def _busy(self, desk: AccountDesk, symbol: str) -> bool:
        """Whether an order of this symbol has no end yet: two could sell the same lots or buy twice."""
        with self._store.read() as connection:
            return any(
                intent.symbol == symbol and intent.state is not IntentState.CREATED
                for intent in intents.unfinished(connection, desk.account.label)
            )

    def _positions(self, desk: AccountDesk) -> Sequence[Position]:
        with self._store.read() as connection:
            return positions.positions_of(connection, desk.account.label)

    def _announce_master(self, desk: AccountDesk) -> None:
        if desk.account.is_master:
            self._announce(desk.account.broker)


def _besides(desk: AccountDesk) -> Sequence[str]:
    """Markets that are not held and whose price the account's mark lacks."""
    wanted = None if desk.marks is None else desk.marks.wanted
    return [wanted] if wanted is not None and wanted in desk.broker.known_trading_pairs() else []
