"""Which answers to signals are still to be planned, and by whom: where many processes plan, each for its accounts.

A signal counts as planned (`signal.planned_at`) as soon as every member has a row, whoever has written it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, exists, or_, select, update

from bot.domain.account import BrokerType
from bot.domain.signal import TradeSignal
from bot.storage.memberships import covers
from bot.storage.schema import copy_result, lease, membership, signal, trading_process
from bot.storage.signals import signal_of

_HAS_ROW = and_(copy_result.c.signal_id == signal.c.signal_id, copy_result.c.account_id == membership.c.account_id)
_IS_NOBODYS = or_(
    lease.c.owner.is_(None),
    lease.c.owner.not_in(select(trading_process.c.process_id).where(trading_process.c.ended_at.is_(None))),
)
_HAS_NO_ROW = ~exists().where(_HAS_ROW).correlate(signal, membership)
_MISSING = (
    select(signal.c.signal_id, membership.c.account_id)
    .select_from(
        signal.join(membership, covers()).outerjoin(lease, lease.c.account_id == membership.c.account_id),
    )
    .where(
        signal.c.broker == bindparam("the_broker"),
        signal.c.planned_at.is_(None),
        or_(
            lease.c.owner == bindparam("owner"),
            and_(membership.c.account_id.in_(bindparam("strangers", expanding=True)), _IS_NOBODYS),
        ),
        _HAS_NO_ROW,
    )
    .order_by(signal.c.sequence, membership.c.account_id)
)
_COMPLETE = ~exists().where(covers(), _HAS_NO_ROW).correlate(signal)
_CLAIM = update(signal).where(signal.c.signal_id == bindparam("the_signal"), signal.c.planned_at.is_(None), _COMPLETE)
_DONE = select(signal).where(signal.c.broker == bindparam("the_broker"), signal.c.planned_at.is_(None), _COMPLETE)
_BY_IDS = (
    select(signal).where(signal.c.signal_id.in_(bindparam("signal_ids", expanding=True))).order_by(signal.c.sequence)
)


class Missing(NamedTuple):
    """A user who has no answer to a signal yet."""

    signal_id: str
    account_id: str


def missing(connection: Connection, broker: BrokerType, *, owner: str, strangers: Collection[str]) -> Sequence[Missing]:
    """What is to be planned by the process `owner`, in the order of the signals.

    `strangers` are accounts that its settings do not name; of those that nobody holds, it plans the answers as well.
    """
    values = {"the_broker": str(broker), "owner": owner, "strangers": sorted(strangers)}
    return [Missing(*row) for row in connection.execute(_MISSING, values)]


def signals_by_id(connection: Connection, signal_ids: Collection[str]) -> Sequence[TradeSignal]:
    """In the order of their making."""
    return [signal_of(row) for row in connection.execute(_BY_IDS, {"signal_ids": sorted(signal_ids)})]


def complete_and_open(connection: Connection, broker: BrokerType) -> Sequence[TradeSignal]:
    """Signals to which every member has an answer, and which nobody has marked as planned: those without members."""
    return [signal_of(row) for row in connection.execute(_DONE, {"the_broker": str(broker)})]


def claim_if_complete(connection: Connection, signal_id: str, *, at: datetime) -> bool:
    """Mark the signal planned if no member is left without an answer; the writing transaction lets nobody between."""
    return bool(connection.execute(_CLAIM, {"the_signal": signal_id, "planned_at": at}).rowcount)


def with_row(connection: Connection, pairs: Collection[Missing]) -> frozenset[Missing]:
    """Those of them that have a row by now."""
    if not pairs:
        return frozenset()
    query = select(copy_result.c.signal_id, copy_result.c.account_id).where(
        or_(*(and_(copy_result.c.signal_id == one, copy_result.c.account_id == account) for one, account in pairs))
    )
    return frozenset(Missing(*row) for row in connection.execute(query))
