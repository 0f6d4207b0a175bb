"""Funding accounts: money that a brokerage keeps apart from what can be traded with, until its owner transfers it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

STATE_NAME = "funding"


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingDeposit:
    """Money that came from outside into a funding account."""

    deposit_id: str
    asset: str
    amount: Decimal
    time_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Money that went between funding and trading; ``amount`` is above zero for what can be traded with now.

    ``ledger_id`` is its entry in the trading account's ledger, which tells it from money that came from outside.
    """

    transfer_id: str
    asset: str
    amount: Decimal
    ledger_id: str
    time_ns: int


class FundingAccounts:
    """Balances, deposits and transfers of all funding accounts, by account id."""

    def __init__(self, saved: Mapping[str, Any] | None) -> None:
        self._balances: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
        self._deposits: defaultdict[str, list[FundingDeposit]] = defaultdict(list)
        self._transfers: defaultdict[str, list[Transfer]] = defaultdict(list)
        for account_id, row in (saved or {}).items():
            self._balances[account_id] = {asset: Decimal(amount) for asset, amount in row["balances"].items()}
            self._deposits[account_id] = [FundingDeposit(**_read(one)) for one in row["deposits"]]
            self._transfers[account_id] = [Transfer(**_read(one)) for one in row["transfers"]]

    def balances(self, account_id: str) -> dict[str, Decimal]:
        """Every asset that the funding account has held."""
        return dict(self._balances.get(account_id, {}))

    def deposits(self, account_id: str) -> list[FundingDeposit]:
        """Oldest first."""
        return list(self._deposits.get(account_id, ()))

    def transfers(self, account_id: str) -> list[Transfer]:
        """Oldest first."""
        return list(self._transfers.get(account_id, ()))

    def deposit(self, account_id: str, asset: str, amount: Decimal, *, deposit_id: str, now_ns: int) -> None:
        self._change(account_id, asset, amount)
        came = FundingDeposit(deposit_id=deposit_id, asset=asset, amount=amount, time_ns=now_ns)
        self._deposits[account_id].append(came)

    def note_transfer(self, account_id: str, transfer: Transfer) -> None:
        """Change the balance by a transfer whose other side is booked; the caller has seen that there is enough."""
        self._change(account_id, transfer.asset, -transfer.amount)
        self._transfers[account_id].append(transfer)

    def snapshot(self) -> dict[str, object]:
        return {
            account_id: {
                "balances": {asset: format(amount, "f") for asset, amount in balances.items()},
                "deposits": [_write(one) for one in self._deposits[account_id]],
                "transfers": [_write(one) for one in self._transfers[account_id]],
            }
            for account_id, balances in self._balances.items()
        }

    def _change(self, account_id: str, asset: str, amount: Decimal) -> None:
        balance = self._balances[account_id].get(asset, Decimal(0)) + amount
        assert balance >= 0, f"{account_id} would have {balance} {asset} in its funding account"
        self._balances[account_id][asset] = balance


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "amount": Decimal(row["amount"])}


def _write(record: FundingDeposit | Transfer) -> dict[str, object]:
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {**fields, "amount": format(record.amount, "f")}
