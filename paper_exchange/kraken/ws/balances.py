"""The items of the ``balances`` channel: totals, holds included, and then one item for each ledger entry."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from paper_exchange.catalogue import Catalogue
from paper_exchange.clock import rfc3339
from paper_exchange.kraken.ledger_types import ledger_type
from paper_exchange.kraken.ws.numbers import number
from paper_exchange.orders import Balance, LedgerEntry

Item = dict[str, object]


def balance(asset: str, total: Decimal, catalogue: Catalogue) -> Item:
    """An asset as the snapshot shows it. What is not used for trading (earning, staking) does not exist here."""
    shown = number(total, catalogue.asset(asset).decimals)
    wallet = {"type": "spot", "id": "main", "balance": shown}
    return {"asset": asset, "asset_class": "currency", "balance": shown, "wallets": [wallet]}


def snapshot(balances: Mapping[str, Balance], catalogue: Catalogue) -> list[Item]:
    return [balance(asset, entry.total, catalogue) for asset, entry in balances.items()]


def change(entry: LedgerEntry, catalogue: Catalogue) -> Item:
    """A ledger entry; of a trade ``ref_id`` is its id, and its two entries come as two messages."""
    decimals = catalogue.asset(entry.asset).decimals
    return {
        "ledger_id": entry.ledger_id,
        "ref_id": entry.reference_id,
        "timestamp": rfc3339(entry.time_ns),
        "type": ledger_type(entry),
        "asset": entry.asset,
        "asset_class": "currency",
        "category": ledger_type(entry),
        "wallet_type": "spot",
        "wallet_id": "main",
        "amount": number(entry.amount, decimals),
        "fee": number(entry.fee, decimals),
        "balance": number(entry.balance_after, decimals),
    }
