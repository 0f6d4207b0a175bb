"""One cycle of one account: settle, read, exit, and, for masters, scan and enter."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from bot.account_desk import AccountDesk
from bot.brokers.base import BaseBroker
from bot.brokers.fee_book import EVERY_MARKET
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.errors import CredentialsRejected, Fenced, RetryLater, StoreUnavailable, UnreadableReply, VenueError
from bot.domain.order import IntentState
from bot.domain.position import Position
from bot.dust_keeping import DustKeeping
from bot.entry_search import EntrySearch
from bot.market.candle_cache import CandleCache
from bot.market.universe import ScanRules
from bot.master_entry import Capacity, MasterEntry, Rooms, no_rooms
from bot.master_rules import MasterRules
from bot.observability.last_said import LastSaid
from bot.own_orders import OwnOrders
from bot.position_keeping import PositionKeeping
from bot.position_sizer import PositionSizer
from bot.risk.safe_mode import NO_SAFE_MODE, SafeModeRules
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.storage import intents
from bot.storage.intents import OrderIntent
from bot.storage.store import Store
from bot.strategies.interface import Strategy
from bot.strategy_facts import ask_common_fee

log = logging.getLogger(__name__)

# What a cycle does, as the log says it.
MASTER_MODE, USER_MODE = "MASTER (full strategy)", "USER (position management only)"


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
        dust_retry_minutes: int = 60,
        rooms: Rooms = no_rooms,
        capacity: Capacity | None = None,
        safe_mode: SafeModeRules = NO_SAFE_MODE,
        scan: ScanRules | None = None,
        movers: Callable[[BrokerType], Collection[str]] = lambda _broker: (),
    ) -> None:
        """`on_candidates` hears what a scan would enter; `price_age_seconds` is that of a market's last known price.

        `movers` are a venue's markets that have moved lately.
        """
        self._store = store
        self._announce = announce
        self._status_lines = status_lines
        self._waited_for = waited_for
        self._said = said = LastSaid()
        self.orders = OwnOrders(store=store, clock=clock, ids=ids, install_id=install_id, announce=announce)
        self._positions = PositionKeeping(
            strategies=strategies,
            sizer=sizer,
            store=store,
            clock=clock,
            orders=self.orders,
            said=said,
            dust=DustKeeping(store=store, clock=clock, plan=rules.exit_plan, retry_minutes=dust_retry_minutes),
            default_stop_percent=rules.exit_plan.stop_loss_percent,
            max_positions=rules.max_positions,
        )
        entry = MasterEntry(
            rules=rules,
            store=store,
            clock=clock,
            orders=self.orders,
            price_age_seconds=price_age_seconds,
            rooms=rooms,
            capacity=capacity,
            safe_mode=safe_mode,
        )
        self._search = EntrySearch(
            strategies=strategies,
            rules=rules,
            store=store,
            clock=clock,
            orders=self.orders,
            entry=entry,
            said=said,
            why_stopped=why_stopped,
            stopped_symbols=stopped_symbols,
            on_candidates=on_candidates,
            scan=scan,
            movers=movers,
        )
        self._desks: dict[AccountRef, AccountDesk] = {}
        self.trader: MultiBrokerTrader | None = None

    def add_desk(self, desk: AccountDesk) -> None:
        """Give the strategy an account to run cycles for."""
        self._desks[desk.account] = desk

    def remove_desk(self, account: AccountRef) -> None:
        """Another process has the account."""
        self._desks.pop(account, None)

    def candle_caches(self) -> Mapping[BrokerType, CandleCache]:
        """Of each master; for any thread, for showing what its strategy sees."""
        return {account.broker: desk.candles for account, desk in list(self._desks.items()) if desk.candles is not None}

    def run_cycle(self, broker: BaseBroker | None = None, user_mode: bool = False) -> None:
        """One cycle for `broker`'s account, in the calling thread (default: the first master).

        Masters manage positions, then scan and enter while under the cap; users (`user_mode=True`) exit only.
        """
        desk = self._desk_of(broker)
        user_mode = user_mode or not desk.account.is_master
        self._say_once(desk, f"Trading cycle mode: {USER_MODE if user_mode else MASTER_MODE}")
        self._settle_orders(desk)
        desk.broker.renew_trading_session()
        reading = self._read_balance(desk)
        unread = None if user_mode or desk.reconciler.awaits_outcome() else self._read_fills(desk)
        if desk.reconciler.must_come_first():
            self._reconcile(desk)
        held = self._manage(desk)
        # After the exits, which wait for nothing, and before the entries, which wait for it.
        self._reconcile(desk)
        if unread is not None:
            # Nothing new while the account's own trades are not known. What it holds was looked after all the same.
            raise unread
        if user_mode:
            self._say_once(desk, "USER MODE: Skipping market scan (signals come from copy trade engine)")
            # Its copies keep back what they will cost. A master asks in its look at the markets.
            ask_common_fee(desk.broker, [*islice(desk.broker.known_trading_pairs(), 1)])
            if desk.reconciler.hydrated:
                desk.status.waiting(self._waited_for(desk.account) or desk.broker.trading_session().says)
        else:
            self._search.scan_and_enter(desk, reading, held)
        desk.status.taker_fee(desk.broker.known_taker_fee_percent(EVERY_MARKET))

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

    def _say_once(self, desk: AccountDesk, text: str) -> None:
        """What holds of every cycle of an account is said in its first one."""
        is_news = self._said.is_news(desk.account.label, text, text)
        log.log(logging.INFO if is_news else logging.DEBUG, text)

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
        if desk.chains is not None:
            desk.chains.look()
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

    def _manage(self, desk: AccountDesk) -> Sequence[Position]:
        """Raises why nothing that is held has a price: no look at the markets follows, so this is the look."""
        try:
            return self._positions.manage(desk)
        except (UnreadableReply, RetryLater) as error:
            if desk.account.is_master:
                self._search.note_unseen(desk, f"nothing that it holds has a price: {error}")
            raise

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

    def _announce_master(self, desk: AccountDesk) -> None:
        if desk.account.is_master:
            self._announce(desk.account.broker)
