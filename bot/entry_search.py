"""A master's search for entries: whether it may enter at all, what its strategy wants, and how many of that."""

import logging
from collections.abc import Callable, Mapping, Sequence

from bot.account_desk import AccountDesk
from bot.domain.account import BrokerType
from bot.domain.balance import BalanceReading, BalanceStatus
from bot.domain.order import OrderKind
from bot.domain.position import Position
from bot.domain.symbol import quote_of
from bot.market_view import view_of
from bot.master_entry import MasterEntry
from bot.master_rules import MasterRules
from bot.observability.last_said import LastSaid
from bot.own_orders import OwnOrders
from bot.risk.case import is_dust
from bot.storage import intents
from bot.storage.store import Store
from bot.strategies.asking import STRATEGY_FAILED, ask_entry
from bot.strategies.interface import EntryIntent, NoEntry, Strategy

log = logging.getLogger(__name__)


class EntrySearch:
    """`on_candidates` hears what a scan would enter; `why_stopped` and `stopped_symbols` tell what is halted."""

    def __init__(
        self,
        *,
        strategies: Mapping[BrokerType, Strategy],
        rules: MasterRules,
        store: Store,
        orders: OwnOrders,
        entry: MasterEntry,
        said: LastSaid,
        why_stopped: Callable[[str], str],
        stopped_symbols: Callable[[], frozenset[str]],
        on_candidates: Callable[[BrokerType, Sequence[str]], None],
    ) -> None:
        self._strategies = strategies
        self._rules = rules
        self._store = store
        self._orders = orders
        self._entry = entry
        self._said = said
        self._why_stopped = why_stopped
        self._stopped_symbols = stopped_symbols
        self._on_candidates = on_candidates

    def scan_and_enter(self, desk: AccountDesk, reading: BalanceReading, held: Sequence[Position]) -> None:
        if desk.reconciler.hydrated:
            desk.status.recovered()
        veto = self._entry_veto(desk, reading, held)
        desk.status.waiting(veto)
        is_news = self._said.is_news(desk.account.label, "", veto)
        if veto:
            log.log(logging.INFO if is_news else logging.DEBUG, "%s: no new entries: %s", desk.account.label, veto)
            return
        log.info("Scanning for new opportunities...")
        desk.status.step("scanning")
        entries = self._scan(desk, frozenset(position.symbol for position in held))
        room = self._rules.max_positions - self._places_taken(desk, held)
        for entry in entries[: min(room, self._rules.max_entries_per_cycle)]:
            self._entry.enter(desk, entry)

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
            decision = ask_entry(strategy, view_of(desk.candles, symbol))
            if isinstance(decision, EntryIntent) and not self._orders.busy(desk, symbol):
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
