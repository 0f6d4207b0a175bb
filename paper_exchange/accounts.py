"""Accounts and their ledger. Every unit comes from outside, another account, the clearing house, or goes there.

The clearing house is the counterparty of every fill: it lends the generated liquidity and keeps what rounding leaves.
So at any time, per asset: all accounts + clearing + fees = deposits - withdrawals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from paper_exchange.orders import (
    ZERO,
    Balance,
    LedgerEntry,
    LedgerKind,
    Movement,
    Order,
    Refusal,
    RefusalCode,
    Side,
    Trade,
)
from paper_exchange.venue_rules import VenueRules, rules_for

HOUR_NS = 3_600 * 1_000_000_000
VOLUME_WINDOW_NS = 30 * 24 * HOUR_NS


class IdFactory(Protocol):
    """Names for what the engine creates, in the brokerage's own format; they must never repeat."""

    def order_id(self, brokerage: str) -> str: ...
    def trade_id(self, brokerage: str) -> str: ...
    def ledger_id(self, brokerage: str) -> str: ...
    def amend_id(self, brokerage: str) -> str: ...


class UnknownAccount(KeyError):
    """No account has that id."""


@dataclass
class TradingAccount:
    """One account's balances and history. An asset once held stays listed, with 0."""

    account_id: str
    brokerage: str
    tier: str | None
    rules: VenueRules
    totals: dict[str, Decimal] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=dict)
    volumes: list[tuple[int, Decimal]] = field(default_factory=list)
    live: dict[str, Order] = field(default_factory=dict)
    closed: list[Order] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    _volume: Decimal | None = None  # the sum of `volumes`, once it was asked for

    def balance(self, asset: str) -> Balance:
        return Balance(self.totals.get(asset, ZERO), self.held.get(asset, ZERO))

    def hold(self, asset: str, change: Decimal) -> None:
        """Reserve more (or, negative, less) of an asset."""
        held = self.held.get(asset, ZERO) + change
        assert ZERO <= held <= self.totals.get(asset, ZERO), f"{self.account_id} would hold {held} {asset}"
        self.held[asset] = held

    def add_volume(self, usd: Decimal, now_ns: int) -> None:
        """Kept as a sum for each hour, so that thirty days are 720 figures however much is traded."""
        hour_ns = now_ns // HOUR_NS * HOUR_NS
        self._volume = None if self._volume is None else self._volume + usd
        if self.volumes and self.volumes[-1][0] == hour_ns:
            usd += self.volumes.pop()[1]
        self.volumes.append((hour_ns, usd))

    def volume_30_days(self, now_ns: int) -> Decimal:
        """USD traded in the last 30 days."""
        oldest = now_ns - VOLUME_WINDOW_NS
        while self.volumes and self.volumes[0][0] < oldest:
            self.volumes.pop(0)
            self._volume = None
        if self._volume is None:
            self._volume = sum((usd for _, usd in self.volumes), ZERO)
        return self._volume


class Accounts:
    def __init__(self, ids: IdFactory) -> None:
        self._ids = ids
        self.by_id: dict[str, TradingAccount] = {}
        self.clearing: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.fees: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.outside: defaultdict[str, Decimal] = defaultdict(Decimal)

    def __getitem__(self, account_id: str) -> TradingAccount:
        try:
            return self.by_id[account_id]
        except KeyError:
            raise UnknownAccount(account_id) from None

    def open(
        self, account_id: str, brokerage: str, tier: str | None, rules: VenueRules | None = None
    ) -> TradingAccount:
        if account_id in self.by_id:
            raise ValueError(f"the account {account_id} is open already")
        account = TradingAccount(account_id, brokerage, tier, rules or rules_for(brokerage, tier))
        self.by_id[account_id] = account
        return account

    def transfer(self, account_id: str, asset: str, amount: Decimal, now_ns: int) -> LedgerEntry:
        """A deposit, or with a negative amount a withdrawal, of what is available."""
        account = self[account_id]
        if account.balance(asset).available + amount < 0:
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {asset} is available")
        kind = LedgerKind.DEPOSIT if amount >= 0 else LedgerKind.WITHDRAWAL
        self.outside[asset] += amount
        return self._post(account, asset, kind, amount, ZERO, self._ids.ledger_id(account.brokerage), now_ns)

    def charge(self, account_id: str, asset: str, amount: Decimal, reference_id: str, now_ns: int) -> LedgerEntry:
        """A fee that comes by itself, out of what is available."""
        account = self[account_id]
        if account.balance(asset).available < amount:
            raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {asset} is available")
        self.fees[asset] += amount
        return self._post(account, asset, LedgerKind.FEE, ZERO, amount, reference_id, now_ns)

    def move(self, account_id: str, movements: Sequence[Movement], reference_id: str, now_ns: int) -> list[LedgerEntry]:
        """Book all of them, or none when one takes more than is available."""
        account = self[account_id]
        for one in movements:
            if account.balance(one.asset).available + one.amount - one.fee < 0:
                raise Refusal(RefusalCode.INSUFFICIENT_FUNDS, f"not enough {one.asset} is available")
        for one in movements:
            self.outside[one.asset] += one.amount
            self.fees[one.asset] += one.fee
        return [
            self._post(account, one.asset, one.kind, one.amount, one.fee, reference_id, now_ns) for one in movements
        ]

    def settle(self, trade: Trade, base: str, quote: str) -> None:
        """Book a fill: the fee comes on top of a buyer's cost, or off what is received, base or quote."""
        account = self[trade.account_id]
        sign = 1 if trade.side is Side.BUY else -1
        base_fee, quote_fee = (trade.fee, ZERO) if trade.fee_in_base else (ZERO, trade.fee)
        self._post(account, base, LedgerKind.TRADE, sign * trade.quantity, base_fee, trade.trade_id, trade.time_ns)
        self._post(account, quote, LedgerKind.TRADE, -sign * trade.cost, quote_fee, trade.trade_id, trade.time_ns)
        self.clearing[base] -= sign * trade.quantity
        self.clearing[quote] += sign * trade.cost
        self.fees[base if trade.fee_in_base else quote] += trade.fee
        account.trades.append(trade)

    def _post(
        self,
        account: TradingAccount,
        asset: str,
        kind: LedgerKind,
        amount: Decimal,
        fee: Decimal,
        reference_id: str,
        now_ns: int,
    ) -> LedgerEntry:
        total = account.totals.get(asset, ZERO) + amount - fee
        assert total >= account.held.get(asset, ZERO), f"{account.account_id} would have {total} {asset}"
        account.totals[asset] = total
        entry = LedgerEntry(
            ledger_id=self._ids.ledger_id(account.brokerage), account_id=account.account_id, asset=asset, kind=kind,
            amount=amount, fee=fee, balance_after=total, reference_id=reference_id, time_ns=now_ns,
        )  # fmt: skip
        account.entries.append(entry)
        return entry
