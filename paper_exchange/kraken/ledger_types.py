"""Kraken's words for what an entry of its ledger is, over REST and over the socket."""

from __future__ import annotations

from paper_exchange.orders import LedgerEntry, LedgerKind

KINDS = frozenset(LedgerKind)
"""All kinds of entries exist at Kraken."""


def ledger_type(entry: LedgerEntry) -> str:
    """A conversion is two words, one for each leg; a fee by itself is what an open position costs (rollover)."""
    if entry.kind is LedgerKind.CONVERSION:
        return "spend" if entry.amount < 0 else "receive"
    return "rollover" if entry.kind is LedgerKind.FEE else entry.kind.value
