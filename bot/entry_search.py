"""A master's search for entries: whether it may enter at all, what its strategy wants, and how many of that."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.decision import EntryOutcome
from bot.domain.order import OrderKind
from bot.domain.position import Position
from bot.market.funnel import Funnel, Stage, Word
from bot.market.scan_record import ScanRecord
from bot.market.universe import FEE, ScanRules, filtered_by_fee
from bot.market_look import Look, MarketLook
from bot.master_entry import MasterEntry
from bot.master_rules import MasterRules
from bot.observability.last_said import LastSaid, without_figures
from bot.own_orders import OwnOrders
from bot.seams.clock import Clock
from bot.storage import intents
from bot.storage.entry_decisions import EntryDecision
from bot.storage.scan_cycles import ScanCycle
from bot.storage.store import Store
from bot.strategies.interface import EntryIntent, Strategy
from bot.strategy_facts import StrategyFacts, places_taken

log = logging.getLogger(__name__)

# What holds a wish back here; what holds it back later has its own words.
BUSY, POSITION_CAP, CYCLE_CAP = "order_under_way", "max_positions", "max_entries_per_cycle"
# A wish that is vetoed does not use up the entries of a cycle, but no cycle tries for ever.
MOST_VETOED_TRIES = 5
# The sentence about a look is said again after so many looks that ended alike.
SAY_AGAIN_LOOKS = 10


class EntrySearch:
    """`on_candidates` hears what a scan would enter; `why_stopped` and `stopped_symbols` tell what is halted.

    `movers` are a venue's markets that have moved lately: their candles are read sooner.
    """

    def __init__(
        self,
        *,
        strategies: Mapping[BrokerType, Strategy],
        rules: MasterRules,
        store: Store,
        clock: Clock,
        orders: OwnOrders,
        entry: MasterEntry,
        said: LastSaid,
        why_stopped: Callable[[str], str],
        stopped_symbols: Callable[[], frozenset[str]],
        on_candidates: Callable[[BrokerType, Sequence[str]], None],
        scan: ScanRules | None = None,
        movers: Callable[[BrokerType], Collection[str]] = lambda _broker: (),
    ) -> None:
        self._strategies = strategies
        self._rules = rules
        self._store = store
        self._clock = clock
        self._orders = orders
        self._entry = entry
        self._said = said
        self._why_stopped = why_stopped
        self._on_candidates = on_candidates
        self._scan = replace(scan or ScanRules(), limit=rules.scan_symbols_limit)
        self._market_look = MarketLook(
            strategy_of=strategies.__getitem__, rules=self._scan, clock=clock, paused=stopped_symbols, movers=movers
        )
        self._facts = StrategyFacts(store=store, clock=clock, max_positions=rules.max_positions)
        self._record = ScanRecord(store, clock)
        self._looks_alike: dict[str, int] = {}

    def scan_and_enter(self, desk: AccountDesk, reading: BalanceReading, held: Sequence[Position]) -> None:
        if desk.reconciler.hydrated:
            desk.status.recovered()
        veto = self._entry_veto(desk, reading, held)
        desk.status.waiting(veto)
        is_news = self._said.is_news(desk.account.label, "", without_figures(veto))
        begins = self._said.is_news(desk.account.label, "scanning", "" if veto else "it is")
        if veto:
            log.log(logging.INFO if is_news else logging.DEBUG, "%s: no new entries: %s", desk.account.label, veto)
            self._record.waited(desk.account.label, veto, strategy=self._strategy_name(desk))
            return
        log.log(logging.INFO if begins else logging.DEBUG, "Scanning for new opportunities...")
        desk.status.step("scanning")
        started = self._clock.monotonic()
        look = self._look(desk, held)
        decisions = self._enter(desk, look, held)
        self._tell(desk, look.funnel, decisions, self._clock.monotonic() - started)
        self._note_prices(desk, look, held)

    # -- one look -----------------------------------------------------------------------------------------------------
    def _look(self, desk: AccountDesk, held: Sequence[Position]) -> Look:
        facts = self._facts.now(desk, held)
        look = self._market_look.look(desk, frozenset(position.symbol for position in held), facts)
        self._on_candidates(desk.account.broker, [entry.symbol for entry in look.wishes])
        tally = look.funnel.tally()
        ready = tally.asked + len(look.wishes)
        safe = self._entry.safe_mode_of(desk)
        safe.look_at_coverage(ready=ready, wanted=tally.of(Stage.MISSING) + ready)
        desk.status.waiting(safe.sentence)
        return look

    def _note_prices(self, desk: AccountDesk, look: Look, held: Sequence[Position]) -> None:
        """After the orders, which wait for nothing that is only shown."""
        if desk.scan_prices is None or desk.tickers is None:
            return
        known = {symbol: desk.tickers.of(symbol) for symbol in (*look.passed, *(one.symbol for one in held))}
        tickers = {symbol: ticker for symbol, ticker in known.items() if ticker is not None}
        desk.scan_prices.note(desk.broker.known_trading_pairs(), tickers)

    def _enter(self, desk: AccountDesk, look: Look, held: Sequence[Position]) -> list[EntryDecision]:
        """Try the wishes, the most confident first, and give each its word."""
        room = self._rules.max_positions - places_taken(desk, held)
        ordered = tries = 0
        decisions = []
        for wish in look.wishes:
            outcome = self._why_not_now(desk, wish, ordered=ordered, tries=tries, room=room)
            if outcome is None:
                outcome = self._entry.enter(desk, wish)
                ordered += outcome.ordered
                tries += not outcome.ordered
            stage = Stage.ORDERED if outcome.ordered else Stage.VETOED
            look.funnel.say(wish.symbol, Word(stage, str(outcome.rule) or outcome.word, outcome.detail or wish.reason))
            decisions.append(self._decision(desk, wish, outcome))
        look.funnel.end("the look was broken off")
        return decisions

    def _why_not_now(
        self, desk: AccountDesk, wish: EntryIntent, *, ordered: int, tries: int, room: int
    ) -> EntryOutcome | None:
        """What holds a wish back before its price is asked for."""
        rules = self._rules
        if self._orders.busy(desk, wish.symbol):
            return _veto(BUSY, "an order of this market is under way")
        if ordered >= room:
            return _veto(POSITION_CAP, f"the account has the {rules.max_positions} positions that it may have")
        if ordered >= rules.max_entries_per_cycle or tries >= MOST_VETOED_TRIES:
            return _veto(CYCLE_CAP, f"more confident wishes came first: {ordered} entered, {tries} vetoed")
        if self._scan.max_taker_fee_percent is None:
            return None
        word = filtered_by_fee(desk.broker.taker_fee_percent(wish.symbol), self._scan)
        return None if word is None else _veto(FEE, word.detail)

    def _decision(self, desk: AccountDesk, wish: EntryIntent, outcome: EntryOutcome) -> EntryDecision:
        return EntryDecision(
            account_id=desk.account.label,
            at=self._clock.now(),
            symbol=wish.symbol,
            strategy=self._strategy_name(desk),
            confidence=wish.confidence,
            reason=wish.reason,
            outcome=outcome,
        )

    def _tell(self, desk: AccountDesk, funnel: Funnel, decisions: Sequence[EntryDecision], seconds: float) -> None:
        tally, label = funnel.tally(), desk.account.label
        row = ScanCycle(
            account_id=label,
            at=self._clock.now(),
            strategy=self._strategy_name(desk),
            seconds=Decimal(f"{seconds:.3f}"),
            listed=tally.listed,
            passed=tally.passed,
            ready=tally.asked,
            signals=tally.signals,
            ordered=tally.ordered,
            counts={stage: rules for stage, rules in tally.counts.items() if stage != Stage.ORDERED},
        )
        self._record.looked(row, funnel.words, decisions)
        # Which of its rules the strategy says no by changes with every candle: that alone is not worth a line.
        alike = str({stage: rules for stage, rules in tally.counts.items() if stage != Stage.NO_ENTRY})
        looks = 0 if self._said.is_news(label, "scan", alike) else self._looks_alike.get(label, 0) + 1
        self._looks_alike[label] = looks
        log.log(logging.DEBUG if looks % SAY_AGAIN_LOOKS else logging.INFO, "%s: %s", label, tally)

    def _strategy_name(self, desk: AccountDesk) -> str:
        """Empty for a master without one, which enters nothing by itself."""
        strategy = self._strategies.get(desk.account.broker)
        return "" if strategy is None else strategy.name

    def note_unseen(self, desk: AccountDesk, problem: str) -> None:
        """A cycle that ends before its look has seen something too: entries wait for good looks afterwards."""
        safe = self._entry.safe_mode_of(desk)
        safe.look(problem)
        desk.status.waiting(safe.sentence)

    # -- whether to look at all ---------------------------------------------------------------------------------------
    def _entry_veto(self, desk: AccountDesk, reading: BalanceReading, held: Sequence[Position]) -> str:
        stopped = self._why_stopped(desk.account.label)
        if stopped:
            return stopped
        session = desk.broker.trading_session()
        if session.is_open is not True:
            return session.says
        if not desk.reconciler.hydrated:
            return f"not hydrated yet: {desk.reconciler.problem}"
        unseen = _balance_problem(reading)
        if unseen:
            self._entry.safe_mode_of(desk).look(unseen)
            return unseen
        unready = desk.status.may_enter()
        if unready:
            return unready
        with self._store.read() as connection:
            pending = [
                intent
                for intent in intents.unfinished(connection, desk.account.label)
                if intent.kind is OrderKind.ENTRY and intent.symbol not in {position.symbol for position in held}
            ]
        taken = places_taken(desk, held)
        if taken + len(pending) >= self._rules.max_positions:
            return f"{taken} positions and {len(pending)} open entries, the cap is {self._rules.max_positions}"
        return ""


def _balance_problem(reading: BalanceReading) -> str:
    if reading.status is not BalanceStatus.FRESH:
        return f"balance {reading.status}: {reading.reason}"
    return f"the last balance reading failed: {reading.reason}" if reading.reason else ""


def _veto(rule: str, detail: str) -> EntryOutcome:
    return EntryOutcome(ordered=False, rule=rule, detail=detail)
