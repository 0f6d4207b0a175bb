"""What the control API can move in an account without an order: rewards, conversions, fees, transfers, splits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from paper_exchange import control_body as read
from paper_exchange.brokerage import Brokerage
from paper_exchange.orders import ZERO, LedgerKind, Movement

ONE_WAY = {
    LedgerKind.DEPOSIT: 1,
    LedgerKind.WITHDRAWAL: -1,
    LedgerKind.CONVERSION: -1,
}
"""Kinds whose amount is given above zero, because it can go one way only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """One matter of one or two movements; without a ``reference`` they are given one."""

    kind: LedgerKind
    movements: tuple[Movement, ...]
    reference: str | None


def parse_moving(body: dict[str, Any], brokerage: Brokerage) -> Moving:
    """Read ``kind``, ``asset``, ``amount``, ``fee``, ``reference`` and, of a conversion, ``into``. Raises BadBody."""
    kind = _kind(read.text(body, "kind"), brokerage)
    first = _movement(body, kind, sign=ONE_WAY.get(kind))
    movements: tuple[Movement, ...] = (first,)
    if kind is LedgerKind.CONVERSION:
        into = body.pop("into", None)
        if not isinstance(into, dict):
            raise read.BadBody("into must be an object of asset and amount")
        movements = (first, _movement(into, kind, sign=1))
        read.nothing_left(into)
    reference = read.optional_text(body, "reference")
    read.nothing_left(body)
    return Moving(kind=kind, movements=movements, reference=reference)


def _kind(text: str, brokerage: Brokerage) -> LedgerKind:
    known = sorted(kind.value for kind in brokerage.movements)
    if text not in known:
        raise read.BadBody(f"kind must be one of {', '.join(known)} at {brokerage.name}")
    return LedgerKind(text)


def _movement(body: dict[str, Any], kind: LedgerKind, *, sign: int | None) -> Movement:
    asset, amount = read.text(body, "asset"), read.amount(body.pop("amount", None), "amount")
    fee = read.amount(body.pop("fee", 0), "fee")
    if fee < 0 or (kind is LedgerKind.FEE and fee):
        raise read.BadBody("fee must not be negative, and a fee has none")
    if amount == 0 or (amount < 0 and (sign is not None or kind is LedgerKind.FEE)):
        raise read.BadBody("amount must be above zero" if sign is not None else "amount must not be zero")
    if kind is LedgerKind.FEE:
        return Movement(asset=asset, kind=kind, amount=ZERO, fee=amount)
    return Movement(asset=asset, kind=kind, amount=amount * Decimal(sign or 1), fee=fee)
