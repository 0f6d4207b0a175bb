"""Rows of halts: what is stopped now and what was, by whom and why. In force until lifted, whatever restarts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, insert, or_, select, update

from bot.domain.halt import Halt, HaltScope, HaltSource, HaltStrength
from bot.storage.schema import account, halt

_PLAIN_COLUMNS = [
    "id",
    "target",
    "reason",
    "set_by",
    "set_at",
    "lift_code",
    "lift_asked_by",
    "lift_asked_at",
    "lifted_by",
    "lift_reason",
    "lifted_at",
]


def _of(scope: HaltScope, target: Any = "") -> ColumnElement[bool]:
    return and_(halt.c.scope == str(scope), halt.c.target == target)


# Written once: one of these is read before every entry, twice.
_IN_FORCE = halt.c.lifted_at.is_(None)
_BROKER_OF = select(account.c.broker).where(account.c.account_id == bindparam("account_id")).scalar_subquery()
_BROKERS = select(account.c.account_id, account.c.broker)
_ON_ACCOUNT = or_(
    _of(HaltScope.ALL), _of(HaltScope.BROKER, _BROKER_OF), _of(HaltScope.ACCOUNT, bindparam("account_id"))
)
_ON_SYMBOL = _of(HaltScope.SYMBOL, bindparam("symbol"))
_ALL_IN_FORCE = select(halt).where(_IN_FORCE).order_by(halt.c.id)
_OF_ACCOUNT = select(halt).where(_IN_FORCE, _ON_ACCOUNT).order_by(halt.c.id).limit(1)
_OF_ENTRY = select(halt).where(_IN_FORCE, or_(_ON_ACCOUNT, _ON_SYMBOL)).order_by(halt.c.id).limit(1)
_FLATTENS = (
    select(halt)
    .where(
        _IN_FORCE,
        halt.c.strength == str(HaltStrength.FLATTEN),
        or_(_ON_ACCOUNT, halt.c.scope == str(HaltScope.SYMBOL)),
    )
    .order_by(halt.c.id)
)
_SYMBOLS = select(halt.c.target).where(_IN_FORCE, halt.c.scope == str(HaltScope.SYMBOL))
_SAME = select(halt).where(
    _IN_FORCE,
    halt.c.scope == bindparam("the_scope"),
    halt.c.target == bindparam("the_target"),
    halt.c.strength == bindparam("the_strength"),
)


def in_force(connection: Connection, account_id: str, symbol: str | None = None) -> Halt | None:
    """The oldest halt that stops an account's entries: all of them, or (with `symbol`) those of one market."""
    if symbol is None:
        row = connection.execute(_OF_ACCOUNT, {"account_id": account_id}).first()
    else:
        row = connection.execute(_OF_ENTRY, {"account_id": account_id, "symbol": symbol}).first()
    return None if row is None else _halt(row)


def in_force_among(connection: Connection, entries: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Halt]:
    """The same for many entries, (account, symbol), in two reads at most; those that nothing stops are not in it."""
    found = all_in_force(connection)
    if not found:
        return {}
    of_brokers = any(each.scope is HaltScope.BROKER for each in found)
    brokers = dict(connection.execute(_BROKERS).all()) if of_brokers else {}
    by_target = {(each.scope, each.target): each for each in reversed(found)}
    stopped = {}
    for account_id, symbol in entries:
        keys = (
            (HaltScope.ALL, ""),
            (HaltScope.BROKER, brokers.get(account_id)),
            (HaltScope.ACCOUNT, account_id),
            (HaltScope.SYMBOL, symbol),
        )
        one = min((by_target[key] for key in keys if key in by_target), key=lambda each: each.id, default=None)
        if one is not None:
            stopped[account_id, symbol] = one
    return stopped


def all_in_force(connection: Connection) -> Sequence[Halt]:
    """Every halt that is not lifted, oldest first."""
    return [_halt(row) for row in connection.execute(_ALL_IN_FORCE)]


def flattens_of(connection: Connection, account_id: str) -> Sequence[Halt]:
    """Halts in force that have this account sell, oldest first; those of a symbol cover every account."""
    return [_halt(row) for row in connection.execute(_FLATTENS, {"account_id": account_id})]


def halted_symbols(connection: Connection) -> frozenset[str]:
    """Markets that nobody enters."""
    return frozenset(connection.execute(_SYMBOLS).scalars())


def find_halt(connection: Connection, halt_id: int) -> Halt | None:
    row = connection.execute(select(halt).where(halt.c.id == halt_id)).first()
    return None if row is None else _halt(row)


def latest_halts(connection: Connection, *, limit: int) -> Sequence[Halt]:
    """Those in force and those lifted, newest first."""
    return [_halt(row) for row in connection.execute(select(halt).order_by(halt.c.id.desc()).limit(limit))]


def set_halt(
    connection: Connection,
    *,
    scope: HaltScope,
    target: str,
    strength: HaltStrength,
    reason: str,
    set_by: str,
    source: HaltSource,
    now: datetime,
) -> tuple[Halt, bool]:
    """Stop something. The same halt set again is the one that is in force already; then the second value is False."""
    names = {"the_scope": str(scope), "the_target": target, "the_strength": str(strength)}
    row = connection.execute(_SAME, names).first()
    if row is not None:
        return _halt(row), False
    made = add_halt(
        connection,
        scope=scope,
        target=target,
        strength=strength,
        reason=reason,
        set_by=set_by,
        source=source,
        now=now,
    )
    return made, True


def add_halt(
    connection: Connection,
    *,
    scope: HaltScope,
    target: str,
    strength: HaltStrength,
    reason: str,
    set_by: str,
    source: HaltSource,
    now: datetime,
) -> Halt:
    """The same beside one that is in force already, with a reason of its own."""
    added = connection.execute(
        insert(halt).values(
            scope=str(scope),
            target=target,
            strength=str(strength),
            reason=reason,
            set_by=set_by,
            source=str(source),
            set_at=now,
        )
    )
    key = added.inserted_primary_key
    made = None if key is None else find_halt(connection, key[0])
    assert made is not None, "it was added in this transaction"
    return made


def ask_to_lift(connection: Connection, ids: Iterable[int], *, code: str, by: str, now: datetime) -> None:
    """The first of two steps: these halts were shown to somebody, together with a code."""
    values = {"lift_code": code, "lift_asked_by": by, "lift_asked_at": now}
    connection.execute(update(halt).where(halt.c.id.in_(list(ids)), _IN_FORCE).values(values))


def lift(connection: Connection, ids: Iterable[int], *, by: str, reason: str, now: datetime) -> None:
    """The second step. Rows stay: who lifted it and why is as much worth knowing as who set it."""
    values = {"lifted_by": by, "lift_reason": reason, "lifted_at": now}
    connection.execute(update(halt).where(halt.c.id.in_(list(ids)), _IN_FORCE).values(values))


def _halt(row: Row[Any]) -> Halt:
    return Halt(
        scope=HaltScope(row.scope),
        strength=HaltStrength(row.strength),
        source=HaltSource(row.source),
        **{name: getattr(row, name) for name in _PLAIN_COLUMNS},
    )
