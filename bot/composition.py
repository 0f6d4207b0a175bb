"""The wiring: which object gets which. The only file besides the brokers' that names concrete classes."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection

from bot.account_desk import AccountDesk
from bot.account_share import AccountShare
from bot.account_worker import CycleTimes
from bot.books.days import DayBoundary
from bot.broker_manager import (
    BaseBroker,
    KrakenBroker,
    SharedParts,
    VenueAccess,
    build_broker,
    live_access,
    shared_parts,
)
from bot.brokers.credentials import Credentials, MissingCredentials, find_credentials
from bot.brokers.kraken.context import nonce_path
from bot.brokers.kraken.lock_load import LockLoad
from bot.brokers.kraken.private_call_lock import LockUse
from bot.brokers.market_sources import kraken_market
from bot.brokers.paper_venue import PaperVenue
from bot.brokers.venue_gate import VenueState
from bot.capacity import capacity_rules
from bot.copy_answers import CopyAnswer, CopyAnswers
from bot.copy_portion import CopyPortion
from bot.copy_trade_engine import CopyTradeEngine
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import BalanceReading
from bot.domain.errors import ConfigurationError, NotConfigured, RetryLater, StoreUnavailable
from bot.domain.fill import Fill
from bot.domain.health import AccountHealth, HealthState, Phase
from bot.domain.instrument import Instrument
from bot.domain.leaving import WhenDisabled
from bot.domain.order import Side
from bot.domain.quote import Quote
from bot.domain.signal import TradeSignal
from bot.entry_capacity import EntryCapacity
from bot.execution.account_status import AccountStatus
from bot.execution.book_keeper import BookKeeper, BookRules
from bot.execution.departures import Departures
from bot.execution.entry_needs import missing_for_entries
from bot.execution.fill_recorder import FillRecorder, describe
from bot.execution.instance_guard import InstanceGuard, NoOtherInstance
from bot.execution.order_chains import OrderChains
from bot.execution.order_executor import OrderExecutor
from bot.execution.order_lane import OrderLane, Seat
from bot.execution.reconciliation import Reconciler
from bot.execution.repositioner import OrderRules
from bot.flattening import Flattening
from bot.followers import copy_limits
from bot.independent_broker_trader import IndependentBrokerTrader, Supervision
from bot.key_checks import KeyChecks
from bot.kill_switch import KillSwitch
from bot.market.candle_cache import CandleCache
from bot.market.scan_prices import ScanPrices
from bot.market.ticker_board import TickerBoard
from bot.market.universe import scan_rules
from bot.market.watch import MarketWatch
from bot.master_rules import configured_exit_plan, master_rules
from bot.master_watch import MasterWatch
from bot.mirrored_exits import MirroredExits
from bot.multi_account_broker_manager import FailedConnection, MultiAccountBrokerManager, Pauses
from bot.observability.correlation import working_on
from bot.observability.cycle_lateness import CycleLateness
from bot.observability.metrics import Metrics
from bot.observability.redactor import Redactor
from bot.position_sizer import PositionSizer
from bot.protective_stops import ProtectiveStops
from bot.risk.gate import TradingGate
from bot.risk.limits import Limits, limit_rules
from bot.risk.marks import AccountMarks
from bot.risk.safe_mode import safe_mode_rules
from bot.roster import Roster
from bot.seams.clock import Clock
from bot.seams.ids import IdSource
from bot.settings import Settings
from bot.settings.loading import PROJECT_DIR
from bot.stop_levels import ProtectiveStopRules
from bot.storage import accounts, copies, leases, positions, process, venue_states
from bot.storage.intents import OrderIntent
from bot.storage.nonce_ceilings import NonceCeilings
from bot.storage.rotation import rotation_seed
from bot.storage.store import Store
from bot.strategies.of_masters import load_strategies
from bot.supervision.garbage import Garbage
from bot.supervision.key_locks import KeyInUse, KeyLocks
from bot.supervision.probes import logging_probes
from bot.supervision.watchdog import Ward, Watchdog, WatchdogTimes
from bot.trade_signal_emitter import TradeSignalEmitter
from bot.trading_strategy import TradingStrategy
from bot.user_copier import UserCopier
from bot.user_means import MARK_SECONDS

log = logging.getLogger(__name__)

# How long an account's thread follows an order it has just sent before it goes on and asks again each cycle.
CONFIRM_SECONDS = 10.0
# How long an account's thread waits for the store to write down how its venue stands.
VENUE_NOTE_SECONDS = 1.0
# How long the watchdog waits for the store to shut a hung thread out; then it asks again at its next look.
FENCE_SECONDS = 1.0
# A stablecoin's price older than this tells nothing.
PEG_SECONDS = 120.0
# A price older than this is not what a copy was planned at.
SEEN_SECONDS = 1.0


def _only_say(reason: str) -> None:
    log.critical("%s: the process should be started again", reason)


@dataclass(frozen=True)
class World:
    """What the process has before any account exists."""

    settings: Settings
    environ: Mapping[str, str]
    store: Store
    clock: Clock
    ids: IdSource
    install_id: str
    metrics: Metrics
    redactor: Redactor
    stop: threading.Event
    paper: PaperVenue | None
    on_fatal: Callable[[str], None] = _only_say
    instance: InstanceGuard = field(default_factory=NoOtherInstance)
    # Of one process of many, which holds some of the accounts; None = this one holds them all.
    process_id: str | None = None


@dataclass(frozen=True)
class Parts:
    """The running objects, in the order in which they are stopped."""

    trader: IndependentBrokerTrader
    engine: CopyTradeEngine
    manager: MultiAccountBrokerManager
    strategy: TradingStrategy
    emitter: TradeSignalEmitter
    shared: SharedParts
    kill_switch: KillSwitch
    watchdog: Watchdog
    statuses: Mapping[AccountRef, AccountStatus] = field(default_factory=dict)
    market_watch: MarketWatch | None = None
    garbage: Garbage = field(default_factory=Garbage)
    share: AccountShare | None = None


def compose(world: World) -> Parts:
    """Build everything; nothing is started and nothing is asked of a venue."""
    return _Composition(world).parts()


class _Composition:
    def __init__(self, world: World) -> None:
        self.world = world
        self.settings = world.settings
        self.garbage = Garbage()
        self.roster = Roster(world.store, self.settings.users)
        self.followers = self.roster.followers
        self.masters = [master.broker for master in self.settings.masters if master.enabled]
        self.sizer = PositionSizer()
        self.strategies = load_strategies(self.settings, self.masters, directory=PROJECT_DIR)
        pace = self.settings.pace
        self._lateness = CycleLateness(
            pace.cycle_seconds * (1 + pace.cycle_jitter_fraction),
            lambda account, late: world.metrics.cycle_lateness_seconds.labels(account).observe(late),
        )
        self.lock_load = LockLoad(world.clock, max_signal_age_seconds=self.settings.copying.max_signal_age_seconds)
        self.shared = shared_parts(
            self.settings,
            world.clock,
            on_private_call=self._on_private_call,
            on_lock_use=self._on_lock_use,
            on_venue_state=self._on_venue_state,
            sockets=world.metrics.sockets,
            ids=world.ids,
            nonce_ceilings=None
            if world.process_id is None
            else NonceCeilings(world.store, world.clock, process_id=world.process_id),
        )
        world.metrics.lock_round_seconds.set_function(self.lock_load.round_seconds)
        self.watchdog = self._watchdog()
        self.shared.kraken_feed.watched_by(self.watchdog)
        self.shared.stream_feed.watched_by(self.watchdog)
        self.key_locks = KeyLocks()
        self.keys_of: dict[AccountRef, str] = {}
        self.ticker_boards: dict[BrokerType, TickerBoard] = {}
        self.share = self._share()
        self.statuses = self._open_statuses()
        self.account_by_label = {ref.label: ref for ref in self.statuses}
        self.status_by_label = {ref.label: status for ref, status in self.statuses.items()}
        for broker in dict.fromkeys(ref.broker for ref in self.statuses):
            self._on_venue_state(self.shared.gates[broker].state())  # what an earlier process knew is over
        self.brokerages = {ref.label: ref.broker for ref in self.statuses}
        self.kill_switch = KillSwitch(
            store=world.store,
            clock=world.clock,
            state_dir=self.settings.state_dir,
            on_change=world.metrics.set_halts,
            wake=lambda: self.trader.wake_all(),
        )
        self.limits = Limits(
            rules=limit_rules(self.settings), clock=world.clock, listed=self._listed, peg_of=self._peg_of
        )
        self.entry_gate = TradingGate(
            halted=self.kill_switch,
            not_ready=self._why_not_ready,
            limits=self.limits,
            market_closed=self._why_market_closed,
        )
        self.market_watch = self._market_watch()
        if self.market_watch is not None:
            world.metrics.market.watch(self.market_watch.figures)
        if self.share is not None:
            world.metrics.watch_share(self.share.figures)
        self.departures = Departures(world.clock)
        self.lane = self._lane()
        self.engine: CopyTradeEngine
        self.trader: IndependentBrokerTrader

    def parts(self) -> Parts:
        world, settings = self.world, self.settings
        self.emitter = TradeSignalEmitter(
            store=world.store,
            clock=world.clock,
            ids=world.ids,
            default_exit_plan=configured_exit_plan(self.settings),
            announce=lambda broker: self.engine.notify(broker),
            plan_in=lambda connection, signal: self.engine.plan_in(connection, signal),
            instrument_of=lambda broker, symbol: self.manager.instrument_of(broker, symbol),
        )
        self.manager = MultiAccountBrokerManager(
            masters=self.masters,
            followers=self.followers,
            build=self._build_broker,
            pauses=Pauses(
                settings.pace.master_connection_delay_seconds,
                settings.pace.user_connection_delay_seconds,
                settings.pace.min_connection_delay_seconds,
                settings.pace.max_total_stagger_seconds,
            ),
            clock=world.clock,
            ids=world.ids,
            stop=world.stop,
            holds_positions=self.roster.has_duties,
            on_connected=self._on_connected,
            on_failed=self._on_failed,
            check_key=self._key_checks().check,
            holds=self._holds,
        )
        self.engine = CopyTradeEngine(
            store=world.store,
            clock=world.clock,
            install_id=world.install_id,
            sizer=self.sizer,
            followers=self.manager,
            limits=copy_limits(settings),
            wake_user=lambda account: self.trader.wake(account),
            on_planned=self._on_planned,
            lane=self.lane,
            watchdog=self.watchdog,
            portion=self._portion(),
            rotation_seed=world.store.write(lambda connection: rotation_seed(connection, fresh=world.ids.token())),
            quote_of=self._quote_of,
            mark_of=self._mark_of,
            brokers=self.settings.brokers(),
        )
        self.strategy = self._strategy()
        self.trader = self._trader()
        self.strategy.trader = self.trader
        self.watchdog.probe(*self.trader.probes(), *self.manager.probes(), *self.shared.probes())
        self.watchdog.probe(self.departures.probe())
        self.world.metrics.inbox_notes.set_function(lambda: float(self.trader.notes_waiting()))
        return Parts(
            self.trader,
            self.engine,
            self.manager,
            self.strategy,
            self.emitter,
            self.shared,
            self.kill_switch,
            self.watchdog,
            self.statuses,
            self.market_watch,
            self.garbage,
            self.share,
        )

    # -- which of the accounts ---------------------------------------------------------------------------------------
    def _account_names(self) -> dict[AccountRef, str]:
        refs = {AccountRef.master(broker): f"{broker} master" for broker in self.masters}
        return refs | {follower.account: follower.name for follower in self.followers}

    def _share(self) -> AccountShare | None:
        world = self.world
        if world.process_id is None:
            return None
        return AccountShare(
            store=world.store,
            clock=world.clock,
            process_id=world.process_id,
            accounts=list(self._account_names()),
            share=self.settings.scaling.share,
            on_taken=self._on_taken,
            watchdog=self.watchdog,
        )

    def _holds(self, account: AccountRef) -> bool:
        return self.share is None or self.share.holds(account)

    def _is_ours(self, account: AccountRef) -> bool:
        return self.share is None or self.share.has(account)

    def _portion(self) -> CopyPortion | None:
        """Where the users are shared among processes: those held here, and those whom no settings name any more."""
        if self.world.process_id is None:
            return None
        with self.world.store.read() as connection:
            strangers = {row.account_id for row in accounts.states(connection)} - self.account_by_label.keys()
        return CopyPortion(
            process_id=self.world.process_id,
            strangers=strangers,
            had_its_chance=lambda label: self._had_its_chance(label),
        )

    def _had_its_chance(self, label: str) -> bool:
        account = self.account_by_label.get(label)
        return account is not None and self._holds(account) and self.manager.had_its_chance(account)

    def _health_elsewhere(self, account: AccountRef) -> AccountHealth | None:
        """Of an account that another process holds; None for one of ours."""
        if self._is_ours(account):
            return None
        with self.world.store.read() as connection:
            return accounts.health_of(connection, account.label)

    def _on_taken(self, account: AccountRef) -> None:
        """It has come to this process: its connector finds it."""
        status = self.statuses[account]
        status.begin_anew()
        status.publish()

    def _on_handed_over(self, account: AccountRef) -> None:
        """Another process is about to have it; nothing here works with its key any more."""
        self.lane.leave_seat(account)
        self.strategy.remove_desk(account)
        if account.broker is BrokerType.KRAKEN:
            self.shared.kraken_keys.hand_over(nonce_path(self.settings.state_dir, account))
        key = self.keys_of.pop(account, None)
        if key is not None:
            self.key_locks.let_go(key)

    # -- accounts ---------------------------------------------------------------------------------------------------
    def _open_statuses(self) -> dict[AccountRef, AccountStatus]:
        refs = self._account_names()
        left = {follower.account for follower in self.followers if follower.leaving is not None}
        now = self.world.clock.now()
        for ref, name in refs.items():
            self.world.store.write(
                lambda connection, ref=ref, name=name: accounts.remember_account(  # type: ignore[misc]
                    connection, ref, name=name, enabled=ref not in left, now=now
                )
            )
        self.roster.enter()
        statuses = {ref: self._status(ref) for ref in refs}
        for status in statuses.values():
            status.publish()
        return statuses

    def _status(self, ref: AccountRef) -> AccountStatus:
        return AccountStatus(
            store=self.world.store,
            clock=self.world.clock,
            account=ref,
            mode=self.settings.trading_mode,
            quote_currency=self.settings.quote_currency_of(ref.broker),
            on_health=self._on_health,
            is_ours=self._is_ours,
        )

    def _key_checks(self) -> KeyChecks:
        return KeyChecks(
            store=self.world.store,
            clock=self.world.clock,
            allow_withdraw_keys=self.settings.allow_withdraw_keys,
            accounts=self.statuses,
            warn=lambda account, text: self.statuses[account].warn(text),
        )

    def _build_broker(self, account: AccountRef) -> BaseBroker:
        if any(each.shadow and each.account == account for each in self.followers):
            raise NotConfigured("a shadow user: it copies in thought, with no key and no connection")
        access = self._access(account)
        self.statuses[account].fact("configured", true=True, proof=f"its settings, and a {access.mode} key")
        for secret in access.credentials.secrets:
            self.world.redactor.add(secret)
        return build_broker(account, access, settings=self.settings, shared=self.shared)

    def _access(self, account: AccountRef) -> VenueAccess:
        paper = self.world.paper
        if paper is not None:
            return paper.access(self.settings.paper_front_of(account.broker), self._paper_credentials(paper, account))
        return live_access(account.broker, self.settings, self._live_credentials(account))

    def _paper_credentials(self, paper: PaperVenue, account: AccountRef) -> Credentials:
        try:
            tier = self.settings.kraken.tier if account.broker is BrokerType.KRAKEN else None
            currency = self.settings.quote_currency_of(account.broker)
            front = self.settings.paper_front_of(account.broker)
            balance = self._paper_balance(account)
            return paper.open_account(account, balance, currency=currency, tier=tier, front=front)
        except ConfigurationError as error:
            # While the bot runs, an exchange that is away may come back: the account waits for it.
            raise RetryLater(str(error)) from error

    def _live_credentials(self, account: AccountRef) -> Credentials:
        user_ids = {user.user_id for user in self.settings.users}
        found = find_credentials(account, user_ids, self.world.environ)
        if isinstance(found, MissingCredentials):
            if self.roster.has_duties(account):
                raise ConfigurationError(f"{account.label} has something to sell or to settle, and no key: {found}")
            raise NotConfigured(f"not configured: {found}")
        try:
            self.key_locks.hold(found.fingerprint)
        except (KeyInUse, OSError) as error:
            # The other process may end; until then this account is its own.
            raise RetryLater(f"{account.label} is not used from here: {error}") from error
        self.keys_of[account] = found.fingerprint
        return found

    def _paper_balance(self, account: AccountRef) -> Decimal:
        if account.user_id is None:
            return next(item.paper_balance for item in self.settings.masters if item.broker is account.broker)
        return next(
            user.paper_balance
            for user in self.settings.users
            if (user.user_id, user.broker) == (account.user_id, account.broker)
        )

    def _open_desk(self, broker: BaseBroker) -> AccountDesk:
        world, account = self.world, broker.account
        status = self.statuses[account]
        status.move_to(Phase.RECOVERING, "comparing the books with the venue")
        recorder = FillRecorder(
            store=world.store,
            clock=world.clock,
            account=account,
            default_exit_plan=configured_exit_plan(self.settings),
            emit=self.emitter.from_master_fills if account.is_master else None,
            on_booked=lambda fills: self._on_booked(broker, fills),
        )
        epoch = self._take_lease(account)
        executor = OrderExecutor(
            broker=broker,
            store=world.store,
            clock=world.clock,
            recorder=recorder,
            stop=world.stop,
            confirm_seconds=CONFIRM_SECONDS,
            gather_milliseconds=self.settings.copying.gather_partial_fills_milliseconds,
            on_order=self._on_order,
            epoch=epoch,
            restored_at=self._restored_at(),
            entry_gate=self.entry_gate,
            instance=world.instance,
            departures=self.departures,
        )
        reconciler = Reconciler(
            broker=broker,
            store=world.store,
            clock=world.clock,
            ids=world.ids,
            status=status,
            recorder=recorder,
            executor=executor,
            install_id=world.install_id,
            period_seconds=self.settings.pace.reconcile_seconds,
            on_drifts=partial(world.metrics.set_drifts, account.label),
        )
        stops = self._protective_stops(broker, executor)
        desk = AccountDesk(
            broker=broker,
            books=self._book_keeper(broker, executor, reconciler),
            status=status,
            recorder=recorder,
            executor=executor,
            reconciler=reconciler,
            copier=None if account.is_master else self._copier(broker, executor, reconciler, stops),
            candles=self._candles(broker) if account.is_master else None,
            tickers=self._tickers(broker) if account.is_master else None,
            scan_prices=self._scan_prices(account) if account.is_master else None,
            leaving=self.roster.leaving(account),
            flattening=self._flattening(broker, executor),
            marks=AccountMarks(
                account_id=account.label,
                store=world.store,
                clock=world.clock,
                currency=broker.quote_currency,
                fence=executor.refuse_when_fenced,
            ),
            chains=self._order_chains(broker, executor),
            stops=stops,
        )
        status.needs(partial(missing_for_entries, broker, reconciler))
        self.strategy.add_desk(desk)
        if desk.copier is not None:
            feed = None if account.broker is BrokerType.KRAKEN else self.shared.stream_feed
            self.lane.take_seat(Seat(account=account, epoch=epoch, broker=broker, fit=desk.copier.may_board, feed=feed))
        return desk

    def _protective_stops(self, broker: BaseBroker, executor: OrderExecutor) -> ProtectiveStops:
        account, risk, world = broker.account, self.settings.risk, self.world
        return ProtectiveStops(
            broker=broker,
            store=world.store,
            clock=world.clock,
            ids=world.ids,
            stop=world.stop,
            executor=executor,
            rules=ProtectiveStopRules(
                enabled=risk.protective_stops,
                distance_percent=risk.protective_stop_distance_percent,
                default_stop_percent=risk.stop_loss_percent,
            ),
            install_id=world.install_id,
            announce=(lambda: self.engine.notify(account.broker)) if account.is_master else lambda: None,
            leaving=self.roster.leaving(account),
        )

    def _order_chains(self, broker: BaseBroker, executor: OrderExecutor) -> OrderChains:
        account = broker.account
        return OrderChains(
            broker=broker,
            store=self.world.store,
            clock=self.world.clock,
            executor=executor,
            rules=OrderRules.of(self.settings.orders),
            install_id=self.world.install_id,
            announce=(lambda: self.engine.notify(account.broker)) if account.is_master else lambda: None,
            leaving=self.roster.leaving(account),
        )

    def _book_keeper(self, broker: BaseBroker, executor: OrderExecutor, reconciler: Reconciler) -> BookKeeper:
        label, metrics, books = broker.account.label, self.world.metrics, self.settings.books
        metrics.books_difference.labels(label).set(float("nan"))
        keeper = BookKeeper(
            broker=broker,
            store=self.world.store,
            clock=self.world.clock,
            ids=self.world.ids,
            reconciler=reconciler,
            fence=executor.refuse_when_fenced,
            rules=BookRules(
                boundary=DayBoundary.of(books.time_zone, books.day_starts_at),
                cash_events_seconds=self.settings.cash_events_seconds,
                equity_point_seconds=self.settings.equity_point_seconds,
                price_max_age_seconds=books.price_max_age_seconds,
                keep_equity_points_days=books.keep_equity_points_days,
            ),
            on_drifts=partial(metrics.set_drifts, label),
            on_equity=lambda worth: metrics.equity.labels(label, broker.quote_currency).set(float(worth)),
            on_difference=lambda worth: metrics.books_difference.labels(label).set(float(worth)),
        )
        metrics.cash_reading_age.labels(label).set_function(keeper.cash.age_seconds)
        return keeper

    def _lane(self) -> OrderLane:
        """Of all brokerages; Kraken's orders have a feed loop of their own."""
        return OrderLane(
            store=self.world.store,
            clock=self.world.clock,
            gate=self.entry_gate,
            instance=self.world.instance,
            departures=self.departures,
            hand_over=self.shared.kraken_feed.call,
            later=self.shared.kraken_feed.after,
            wake=lambda account: self.trader.wake(account),
            stop=self.world.stop,
            restored_at=self._restored_at(),
        )

    def _why_not_ready(self, account_id: str) -> str:
        """Why the account may enter nothing now. In the store's thread, which must not wait."""
        status = self.status_by_label.get(account_id)
        return "" if status is None else status.may_enter()

    def _why_market_closed(self, account_id: str, symbol: str) -> str:
        """Why nobody enters this market now, by the venue's last word on it."""
        broker = self.brokerages.get(account_id)
        if broker is BrokerType.KRAKEN and self.market_watch is not None and (why := self.market_watch.venue_closed()):
            return why
        account = self.account_by_label.get(account_id)
        connected = None if account is None else self.manager.broker_of(account)
        if connected is not None and (why := _why_no_session(connected, symbol)):
            return why
        listed = self._listed(account_id, symbol)
        return "" if listed is None or listed.tradable else f"{symbol} is {listed.status} at {broker}"

    def _market_watch(self) -> MarketWatch | None:
        """Of Kraken, the one brokerage whose markets are followed; none when nobody trades there."""
        world, settings = self.world, self.settings
        if BrokerType.KRAKEN not in self.brokerages.values() or not settings.market_watch.enabled:
            return None
        if world.paper is None:
            base_url, socket_url = settings.kraken.rest_url, settings.kraken.socket_urls()[0]
        else:
            base_url, socket_url = world.paper.rest_url(BrokerType.KRAKEN), world.paper.socket_url(BrokerType.KRAKEN)
        return MarketWatch(
            kraken_market(settings, self.shared, base_url=base_url, socket_url=socket_url),
            broker=str(BrokerType.KRAKEN),
            store=world.store,
            clock=world.clock,
            settings=settings.market_watch,
            is_ours=lambda: self.share is None or self.share.is_first,
            watchdog=self.watchdog,
        )

    def _on_candidates(self, broker: BrokerType, symbols: Sequence[str]) -> None:
        if broker is BrokerType.KRAKEN and self.market_watch is not None:
            self.market_watch.candidates(symbols)

    def _price_age(self, broker: BrokerType, symbol: str) -> float | None:
        return self.shared.kraken_values.age_seconds(symbol) if broker is BrokerType.KRAKEN else None

    def _peg_of(self, currency: str) -> Decimal | None:
        """By Kraken's feed, the one that is always there for all markets; None without it, or when it is old."""
        quote = self.shared.kraken_values.quote(f"{currency}/USD", max_age_seconds=PEG_SECONDS)
        return None if quote is None else quote.mid

    def _quote_of(self, broker: BrokerType, symbol: str) -> Quote | None:
        if broker is not BrokerType.KRAKEN:
            return None
        return self.shared.kraken_values.quote(symbol, max_age_seconds=SEEN_SECONDS)

    def _mark_of(self, broker: BrokerType, symbol: str) -> Decimal | None:
        """By Kraken's feed, else by what the master has read of the market for its scans."""
        if broker is BrokerType.KRAKEN:
            quote = self.shared.kraken_values.quote(symbol, max_age_seconds=MARK_SECONDS)
            if quote is not None:
                return quote.bid
        board = self.ticker_boards.get(broker)
        ticker, age = (None, None) if board is None else (board.of(symbol), board.age_seconds(symbol))
        return None if ticker is None or age is None or age > MARK_SECONDS else ticker.quote.bid

    def _listed(self, account_id: str, symbol: str) -> Instrument | None:
        """A market's rules as last read for the account's brokerage, if they ever were."""
        broker = self.brokerages.get(account_id)
        return None if broker is None else self.manager.instrument_of(broker, symbol)

    def _flattening(self, broker: BaseBroker, executor: OrderExecutor) -> Flattening:
        return Flattening(
            broker=broker,
            store=self.world.store,
            clock=self.world.clock,
            install_id=self.world.install_id,
            executor=executor,
            sizer=self.sizer,
            kept_by_owner=self.roster.leaving(broker.account) is WhenDisabled.KEEP,
        )

    def _take_lease(self, account: AccountRef) -> int:
        """Whoever had this account before, a thread of this process or an earlier process, sends nothing any more."""
        epoch = self.world.store.write(partial(self._raise_epoch, account, self.world.ids.token()))
        if epoch is None:
            raise StoreUnavailable(f"{account.label} is not this process's any more")
        return epoch

    def _raise_epoch(self, account: AccountRef, owner: str, connection: Connection) -> int | None:
        """None when another process has taken the account."""
        now, process_id = self.world.clock.now(), self.world.process_id
        if process_id is None:
            return leases.take_lease(connection, account.label, owner=owner, now=now)
        return leases.open_anew(connection, account.label, owner=process_id, now=now)

    def _restored_at(self) -> datetime | None:
        with self.world.store.read() as connection:
            return process.restored_at(connection)

    def _copier(
        self, broker: BaseBroker, executor: OrderExecutor, reconciler: Reconciler, stops: ProtectiveStops
    ) -> UserCopier:
        world, account = self.world, broker.account
        answers = CopyAnswers(
            account=account,
            store=world.store,
            clock=world.clock,
            fence=executor.refuse_when_fenced,
            on_answer=lambda signal, answer: self._on_answer(account, signal, answer),
        )
        exits = MirroredExits(
            account=account,
            store=world.store,
            clock=world.clock,
            install_id=world.install_id,
            broker=broker,
            executor=executor,
            sizer=self.sizer,
            answers=answers,
            instrument_of=lambda symbol: self.manager.instrument_of(account.broker, symbol),
            clear_stop=stops.clear,
        )
        return UserCopier(
            account=account,
            store=world.store,
            clock=world.clock,
            executor=executor,
            exits=exits,
            answers=answers,
            balance=broker.balance_book.reading,
            venue_now=broker.venue_now,
            hydrated=lambda: reconciler.hydrated,
            max_signal_age_seconds=self.settings.copying.max_signal_age_seconds,
            leaving=self.roster.leaving(account),
        )

    # -- masters ----------------------------------------------------------------------------------------------------
    def _strategy(self) -> TradingStrategy:
        world, settings = self.world, self.settings
        return TradingStrategy(
            strategies=self.strategies,
            rules=master_rules(settings),
            dust_retry_minutes=settings.risk.dust_retry_minutes,
            sizer=self.sizer,
            store=world.store,
            clock=world.clock,
            ids=world.ids,
            install_id=world.install_id,
            announce=lambda broker: self.engine.notify(broker),
            status_lines=self.status_lines,
            why_stopped=self.kill_switch.why_stopped,
            stopped_symbols=self.kill_switch.stopped_symbols,
            waited_for=MasterWatch(
                statuses=self.statuses,
                clock=world.clock,
                period_seconds=settings.pace.cycle_seconds,
                elsewhere=self._health_elsewhere,
            ).waited_for,
            on_candidates=self._on_candidates,
            price_age_seconds=self._price_age,
            rooms=self.limits.rooms,
            capacity=self._capacity(),
            safe_mode=safe_mode_rules(settings),
            scan=scan_rules(settings.scan, at_par=settings.currencies_at_par()),
            movers=self._movers,
        )

    def _movers(self, broker: BrokerType) -> Collection[str]:
        return self.market_watch.movers if broker is BrokerType.KRAKEN and self.market_watch is not None else ()

    def _tickers(self, broker: BaseBroker) -> TickerBoard:
        board = TickerBoard(broker, clock=self.world.clock, refresh_seconds=self.settings.scan.ticker_seconds)
        self.ticker_boards[broker.broker_type] = board
        return board

    def _scan_prices(self, account: AccountRef) -> ScanPrices | None:
        """None where the markets are watched: the watch writes them, and sooner."""
        if account.broker is BrokerType.KRAKEN and self.market_watch is not None:
            return None
        return ScanPrices(self.world.store, self.world.clock, broker=str(account.broker))

    def _capacity(self) -> EntryCapacity:
        copying = self.settings.copying
        return EntryCapacity(
            store=self.world.store,
            clock=self.world.clock,
            planner=self.engine.planner,
            followers=self.manager,
            gate=self.entry_gate,
            rules=capacity_rules(copying),
            within_percent=copying.max_copy_slippage_percent,
        )

    def _candles(self, broker: BaseBroker) -> CandleCache:
        return CandleCache(
            broker,
            clock=self.world.clock,
            interval_minutes=self.settings.strategy_of(broker.account.broker).candle_interval_minutes,
            candles_needed=self.strategies[broker.account.broker].candles_needed,
            round_seconds=self.settings.scan.candle_round_seconds,
            round_calls=self.settings.scan.candle_calls_per_cycle,
            should_stop=self.world.stop.is_set,
            name=broker.account.label,
        )

    def _trader(self) -> IndependentBrokerTrader:
        settings = self.settings
        return IndependentBrokerTrader(
            manager=self.manager,
            strategy=self.strategy,
            times=CycleTimes(
                period_seconds=settings.pace.cycle_seconds,
                jitter_fraction=settings.pace.cycle_jitter_fraction,
                balance_refresh_seconds=settings.balance.refresh_seconds,
            ),
            minimum_funded_usd=settings.minimum_funded_usd,
            at_par=settings.currencies_at_par(),
            multi_broker=settings.multi_broker_independent,
            clock=self.world.clock,
            ids=self.world.ids,
            stop=self.world.stop,
            open_desk=self._open_desk,
            has_duties=self.roster.has_duties,
            on_left=self._on_left,
            statuses=self.statuses,
            on_cycle=self._on_cycle,
            supervision=self._supervision(),
            share=self.share,
            on_handed_over=self._on_handed_over,
        )

    # -- threads ----------------------------------------------------------------------------------------------------
    def _watchdog(self) -> Watchdog:
        times, metrics = self.settings.supervision, self.world.metrics
        watchdog = Watchdog(
            clock=self.world.clock,
            times=WatchdogTimes(
                suspect_after_seconds=times.suspect_after_seconds,
                quarantine_after_seconds=times.quarantine_after_seconds,
                most_zombies=times.most_hung_threads,
            ),
            on_fatal=self.world.on_fatal,
            on_stall=lambda _seconds: metrics.watchdog_stalls.inc(),
            probes=logging_probes(),
        )
        metrics.zombies.set_function(lambda: float(len(watchdog.zombies())))
        store, reaper = self.world.store, self.shared.reaper
        store.heart.step_seconds = reaper.heart.step_seconds = times.step_seconds
        watchdog.watch(Ward(name="Store", thread=store.thread, heart=store.heart, vital=True))
        watchdog.watch(Ward(name="Reaper", thread=reaper.start(), heart=reaper.heart, vital=True))
        return watchdog

    def _supervision(self) -> Supervision:
        times, metrics = self.settings.supervision, self.world.metrics
        for account in self.statuses:
            metrics.heartbeat_age.labels(account.label).set_function(
                lambda account=account: self.trader.heartbeat_age(account)  # type: ignore[misc]
            )
        return Supervision(
            watchdog=self.watchdog,
            fence=self._shut_out,
            cut=self.shared.reaper.cut_calls_of,
            on_restart=lambda account, why: metrics.thread_restarts.labels(account.label, why).inc(),
            step_seconds=times.step_seconds,
            circuit_open_seconds=times.circuit_open_seconds,
        )

    def _shut_out(self, account: AccountRef) -> None:
        """Nobody has this account from here on. In the watchdog's thread, which has no time for a slow store."""
        self.world.store.write(partial(self._raise_epoch, account, "watchdog"), timeout_seconds=FENCE_SECONDS)

    # -- what is counted and shown ------------------------------------------------------------------------------------
    def status_lines(self) -> Sequence[Mapping[str, Any]]:
        """One mapping per account, masters first."""
        lines = []
        with self.world.store.read() as connection:
            for ref, status in self.statuses.items():
                if not self._is_ours(ref):
                    continue
                reading = self.manager.balance_of(ref)
                lines.append(
                    {
                        "account": ref.label,
                        "mode": self.settings.trading_mode,
                        "health": str(status.health.state),
                        "reason": status.health.reason,
                        "cycles": status.health.cycles,
                        "cash": self._cash_text(ref, reading),
                        "positions": len(positions.positions_of(connection, ref.label)),
                    }
                )
        return lines

    def _cash_text(self, account: AccountRef, reading: BalanceReading) -> str:
        currency = self.settings.quote_currency_of(account.broker)
        return "unknown" if reading.holdings is None else f"{reading.holdings.of(currency).total:.2f} {currency}"

    def _on_connected(self, broker: BaseBroker) -> None:
        status = self.statuses[broker.account]
        said = "" if broker.key_report is None else broker.key_report.said_by
        status.fact("authenticated", true=True, proof=f"{said.partition(' ')[0]} answered" if said else "")
        status.fact("permitted", true=True, proof=said)
        status.waiting("")
        self._show_figures_of(broker)
        status.move_to(Phase.STARTING, "connected, not trading yet")
        status.publish()

    def _show_figures_of(self, broker: BaseBroker) -> None:
        """Read whenever somebody scrapes: also while the account's first cycle is still under way."""
        metrics, label = self.world.metrics, broker.account.label
        metrics.balance_age.labels(label).set_function(partial(_balance_age, broker))
        if isinstance(broker, KrakenBroker):
            metrics.nonce.labels(label).set_function(partial(_last_nonce, broker))

    def _on_failed(self, failed: FailedConnection) -> None:
        status = self.statuses[failed.account]
        status.fact("authenticated", true=failed.key_answered)
        status.fact("permitted", true=False)
        status.waiting(failed.reason)
        status.move_to(failed.phase, failed.reason, error=failed.phase is not Phase.STOPPED)
        status.publish()

    def _on_left(self, account: AccountRef) -> None:
        why, status = self.roster.see_off(account), self.statuses[account]
        log.info("%s is not connected any more: %s", account.label, why)
        status.set_health(HealthState.STOPPED, why)
        status.publish()

    def _on_booked(self, broker: BaseBroker, fills: Sequence[Fill]) -> None:
        if broker.account.is_master:
            self.engine.notify(broker.broker_type)  # first of all: users wait for it
        self.garbage.worked()
        for fill in fills:
            broker.balance_book.apply_fill(fill)
        log.info("%s filled: %s", broker.account.label, describe(fills))
        status = self.statuses[broker.account]
        status.moment("last_fill", proof=describe(fills))
        # Whom nobody follows needs no row of its own for it.
        status.balance(broker.balance_book.reading(), with_the_row=not broker.account.is_master)

    def _on_order(self, intent: OrderIntent) -> None:
        self.garbage.worked()
        self.world.metrics.orders.labels(intent.account_id, str(intent.kind), str(intent.state)).inc()
        for ref, status in self.statuses.items():
            if ref.label == intent.account_id:
                status.moment("last_order", proof=f"{intent.side} {intent.symbol} is {intent.state}")

    def _on_planned(self, signal: TradeSignal) -> None:
        self.world.metrics.signals.labels(str(signal.broker), str(signal.kind)).inc()
        with self.world.store.read() as connection:
            answered = copies.answered_when_planned(connection, signal.signal_id)
        for row in (row for row in answered if self._answers_here(row.account_id)):
            self.world.metrics.copies.labels(row.account_id, row.status, row.reason).inc()
            with working_on(account=row.account_id, signal=signal.signal_id):
                log.info(
                    "%s: %s %s of %s: %s", row.account_id, row.status, signal.symbol, signal.signal_id[:8], row.detail
                )

    def _answers_here(self, label: str) -> bool:
        """Whether this process counts an answer that a plan has given; of many processes each counts its own."""
        account = self.account_by_label.get(label)
        return account is None or self._is_ours(account)

    def _on_answer(self, account: AccountRef, signal: TradeSignal, answer: CopyAnswer) -> None:
        metrics = self.world.metrics
        metrics.copies.labels(account.label, str(answer.status), str(answer.reason)).inc()
        seconds = (self.world.clock.now() - signal.executed_at).total_seconds()
        metrics.copy_seconds.labels(account.label).observe(max(0.0, seconds))
        because = f": {answer.detail}" if answer.detail else ""
        log.info(
            "%s: %s %s of %s %s%s",
            account.label,
            signal.side,
            signal.symbol,
            signal.signal_id[:8],
            answer.status,
            because,
        )

    def _on_cycle(self, account: AccountRef, result: str, seconds: float) -> None:
        self.world.metrics.cycles.labels(account.label, result).inc()
        self.world.metrics.cycle_seconds.labels(account.label).observe(seconds)
        self._lateness.began(account.label, self.world.clock.monotonic() - seconds)

    def _on_health(self, account: AccountRef, health: AccountHealth) -> None:
        self.world.metrics.set_phase(account.label, health.phase)

    def _on_private_call(self, account: str, endpoint: str, seconds: float, outcome: str) -> None:
        self.world.metrics.private_calls.labels(account, endpoint, outcome).inc()
        self.world.metrics.call_seconds.labels(account).observe(seconds)

    def _on_lock_use(self, use: LockUse) -> None:
        urgency = use.urgency.name.lower()
        self.world.metrics.lock_wait_seconds.labels(urgency).observe(use.wait_seconds)
        self.world.metrics.lock_hold_seconds.labels(urgency).observe(use.hold_seconds)
        self.lock_load.used(use)

    def _on_venue_state(self, state: VenueState) -> None:
        """In the thread of whichever account met the change, while it holds nothing that others wait for."""
        self.world.metrics.set_venue(state.venue, state.breaker, stopped=state.stopped_until is not None)
        self.world.store.write(
            lambda connection: venue_states.note_venue(
                connection,
                state.venue,
                breaker=state.breaker,
                reason=state.reason,
                since=state.since,
                stopped_until=state.stopped_until,
            ),
            timeout_seconds=VENUE_NOTE_SECONDS,
        )


def _why_no_session(broker: BaseBroker, symbol: str) -> str:
    """Why a buy would not be taken now, by what is known of the venue's hours and of the account; asks nobody."""
    session = broker.trading_session()
    if session.is_open is not True:
        return session.says
    awaited = broker.awaits(symbol, Side.BUY)
    return "" if awaited is None else f"an entry {awaited.sentence}"


def _balance_age(broker: BaseBroker) -> float:
    """Seconds, or NaN while no balance was read: Prometheus knows no other "unknown"."""
    age = broker.balance_book.reading().age_seconds
    return float("nan") if age is None else age


def _last_nonce(broker: KrakenBroker) -> float:
    """The last nonce that this process has given out, or NaN before the first."""
    return float(broker.nonces.last) or float("nan")
