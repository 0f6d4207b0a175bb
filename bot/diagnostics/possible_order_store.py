"""What the sizing code asks of a running bot, answered from the rows that it has written last."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select

from bot.brokers.dearest_fees import dearest_taker_fee_percent
from bot.diagnostics.accounts import Account, Reader
from bot.domain.account import AccountRef, BrokerType
from bot.domain.balance import AssetBalance, BalanceReading, BalanceStatus, Holdings
from bot.domain.instrument import Instrument
from bot.followers import Follower
from bot.position_sizer import rules_of
from bot.settings import Settings
from bot.storage.accounts import states
from bot.storage.market_rows import listed_instruments
from bot.storage.schema import account, capacity_preview, exit_state, market_focus, market_scout

# A price older than this is shown with its age and sizes nothing.
PRICE_AGE = timedelta(minutes=10)


@dataclass(frozen=True)
class StoredPrice:
    """What one base unit costs, as somebody has written it last (quote per base)."""

    ask: Decimal
    at: datetime


def price_of(connection: Connection, broker: str, symbol: str) -> StoredPrice | None:
    """The newest of the market watch's prices, those at which exits were judged, and those of wishes to enter.

    None = nobody has written any down.
    """
    found = [*_prices_of_accounts(connection, broker, symbol)]
    for watched in (market_focus, market_scout):
        here = (watched.c.broker == broker, watched.c.symbol == symbol)
        row = connection.execute(select(watched.c.ask, watched.c.priced_at).where(*here)).first()
        if row is not None and row.ask is not None and row.priced_at is not None:
            found.append(StoredPrice(row.ask, row.priced_at))
    return max(found, key=lambda each: each.at, default=None)


def _prices_of_accounts(connection: Connection, broker: str, symbol: str) -> Iterator[StoredPrice]:
    accounts = select(account.c.account_id).where(account.c.broker == broker)
    for table, price in ((exit_state, exit_state.c.bid), (capacity_preview, capacity_preview.c.price)):
        query = select(price, table.c.at).where(
            table.c.account_id.in_(accounts), table.c.symbol == symbol, price.is_not(None)
        )
        row = connection.execute(query.order_by(table.c.at.desc()).limit(1)).first()
        if row is not None:
            yield StoredPrice(row[0], row[1])


def reading_of(row: Row[Any] | None, reader: Reader) -> BalanceReading:
    """A balance as it was written last. One that nobody has read for long is stale."""
    if row is None or row.cash_available is None or row.balance_taken_at is None:
        why = "no balance was read yet" if row is None else row.balance_reason or "no balance was read yet"
        return BalanceReading(BalanceStatus.UNKNOWN, None, None, 0, why)
    held = {
        asset: AssetBalance(Decimal(each["available"]), Decimal(each["held"]))
        for asset, each in json.loads(row.holdings_json).items()
    }
    age = (reader.seen_at - row.balance_taken_at).total_seconds()
    status = Account(row, 0, reader).balance_status
    return BalanceReading(status, Holdings(held, row.balance_taken_at), age, row.balance_errors, row.balance_reason)


class StoredFollowers:
    """The users as configured, with their balances and health as written last: what a plan of copies asks for."""

    def __init__(self, connection: Connection, settings: Settings, reader: Reader) -> None:
        self._connection = connection
        self._settings = settings
        self._reader = reader
        self._rows = {str(row.account_id): row for row in states(connection) if row.health is not None}

    def followers_of(self, broker: BrokerType) -> Sequence[Follower]:
        return [
            Follower(
                account=user.account,
                name=user.name,
                rules=rules_of(user.copy_rules),
                shadow=user.shadow,
                paper_balance=user.paper_balance,
                leaving=None if user.enabled else user.when_disabled,
            )
            for user in self._settings.users
            if user.account.broker is broker
        ]

    def balance_of(self, account: AccountRef) -> BalanceReading:
        return reading_of(self._rows.get(account.label), self._reader)

    def taker_fee_percent(self, account: AccountRef, symbol: str) -> Decimal:
        """What was told of one fee for all markets; where each has its own, the dearest is assumed."""
        row = self._rows.get(account.label)
        told = None if row is None else Account(row, 0, self._reader).taker_fee_percent
        return dearest_taker_fee_percent(account.broker) if told is None else told

    def not_ready_reason(self, account: AccountRef) -> str:
        row = self._rows.get(account.label)
        if row is None:
            return "the bot does not know this account yet"
        return Account(row, 0, self._reader).why_not_trading

    def instrument_of(self, broker: BrokerType, symbol: str) -> Instrument | None:
        return listed_instruments(self._connection, str(broker)).get(symbol)

    def copying_armed(self, broker: BrokerType) -> bool:
        return True
