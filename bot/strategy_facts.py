"""What a strategy is told of the account that would trade: the same facts whether it is asked to enter or to exit."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from bot.account_desk import AccountDesk
from bot.brokers.base import BaseBroker
from bot.domain.position import Position
from bot.risk.case import is_dust
from bot.risk.worth import worth_of
from bot.seams.clock import Clock
from bot.storage.store import Store
from bot.strategies.interface import AccountFacts


class FactsByMarket:
    """One account's facts at one moment, with the taker fee of the market that is asked about."""

    def __init__(self, facts: AccountFacts, broker: BaseBroker) -> None:
        self._facts = facts
        self._broker = broker
        # Hundreds of markets have a handful of fees.
        self._by_fee: dict[Decimal | None, AccountFacts] = {facts.taker_fee_percent: facts}

    def about(self, symbol: str) -> AccountFacts:
        """With the fee as the venue last told it; nobody is asked."""
        fee = self._broker.known_taker_fee_percent(symbol)
        known = self._by_fee.get(fee)
        if known is None:
            known = self._by_fee[fee] = replace(self._facts, taker_fee_percent=fee)
        return known


class StrategyFacts:
    """Of any account, in that account's thread. `max_positions` is the cap of a master."""

    def __init__(self, *, store: Store, clock: Clock, max_positions: int) -> None:
        self._store = store
        self._clock = clock
        self._max_positions = max_positions

    def now(self, desk: AccountDesk, held: Sequence[Position]) -> FactsByMarket | None:
        """None while no balance has ever been read. Raises what the store raises."""
        holdings = desk.broker.balance_book.reading().holdings
        if holdings is None:
            return None
        cash, label = holdings.of(desk.broker.quote_currency), desk.account.label
        with self._store.read() as connection:
            equity = worth_of(connection, label, cash=cash.total, now=self._clock.now())
        facts = AccountFacts(
            cash_quote=cash.available,
            open_positions=places_taken(desk, held),
            max_positions=self._max_positions,
            equity_quote=equity,
        )
        return FactsByMarket(facts, desk.broker)


def places_taken(desk: AccountDesk, held: Sequence[Position]) -> int:
    """Positions without dust, which nobody can sell and which must not keep the account from trading."""
    listed = desk.broker.known_trading_pairs()
    return sum(not is_dust(one.quantity, one.average_entry_price, listed.get(one.symbol)) for one in held)


def ask_common_fee(broker: BaseBroker, symbols: Sequence[str]) -> None:
    """Where all markets have one fee; about once a day. Where each has its own, those of hundreds are not asked for."""
    if symbols and not broker.fees_by_market:
        broker.taker_fee_percent(symbols[0])
