"""What a brokerage says of an account when a command asks it, while no bot uses its key. Nothing is traded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection

from bot.broker_manager import BROKER_CLASSES
from bot.brokers.base import BaseBroker
from bot.diagnostics.listing import count
from bot.diagnostics.period_figures import ListedAccount
from bot.diagnostics.reconciled import History, VenueWord
from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashEvent
from bot.domain.errors import NijaError, RetryLater
from bot.execution.holdings_marks import marks_of_assets
from bot.storage.fills import last_executed_at
from bot.storage.opening_balances import find_opening

# Trades and events of so long before the last one that is booked are compared one by one.
OVERLAP = timedelta(days=7)


def ask_venue(connection: Connection, account: ListedAccount, moment: datetime) -> VenueWord:
    """Balances, open orders, and what is listed since shortly before the books end. Raises `NijaError`."""
    begin = _begin(connection, account.account_id, moment)
    with _connected(account) as broker:
        working = broker.get_open_orders()
        reading = broker.refresh_balance(max_age_seconds=0)
        if reading.holdings is None or reading.reason:
            raise RetryLater(f"its balances cannot be read: {reading.reason}")
        holdings = reading.holdings
        trades = broker.get_fills_since(begin)
        events, problem = _events(broker, begin)
        amounts = {asset: one.total for asset, one in holdings.assets.items()}
        marks = marks_of_assets(broker, amounts)
    return VenueWord(
        at=holdings.taken_at,
        units=amounts,
        marks=marks,
        unsettled=f"{count(len(working), 'order')} open at the brokerage" if working else "",
        history=History(since=begin, trades=trades, events=events, problem=problem),
    )


def _begin(connection: Connection, account_id: str, moment: datetime) -> datetime:
    """Not before the books began: what was there by then is in their opening balances."""
    opening, last = find_opening(connection, account_id), last_executed_at(connection, account_id)
    begin = (last or moment) - OVERLAP
    return begin if opening is None else max(begin, opening.at)


def _events(broker: BaseBroker, begin: datetime) -> tuple[Sequence[CashEvent] | None, str]:
    try:
        return broker.get_cash_events(begin), ""
    except NijaError as error:
        return None, f"its ledger could not be read, deposits may be missing: {error}"


@contextmanager
def _connected(account: ListedAccount) -> Iterator[BaseBroker]:
    """As a script has one: with the key of the environment, or at the paper exchange."""
    broker_type = BrokerType(account.broker)
    ref = AccountRef.master(broker_type) if account.user_id is None else AccountRef.user(broker_type, account.user_id)
    made = BROKER_CLASSES.get(broker_type)
    if made is None:
        raise RetryLater(f"{account.broker} cannot be asked by a command")
    broker = made(ref.account_type, ref.user_id)  # type: ignore[arg-type]
    try:
        if not broker.connect():
            raise RetryLater("it did not connect")
        yield broker
    finally:
        broker.close()
