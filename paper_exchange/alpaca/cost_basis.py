"""What an account's shares have cost it: bought at the prices of its fills, sold at their average."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from paper_exchange.assets import STOCKS
from paper_exchange.catalogue import STOCK_QUOTE, Catalogue
from paper_exchange.engine import Engine
from paper_exchange.orders import ZERO, LedgerEntry, LedgerKind


@dataclass(slots=True)
class Holding:
    """Shares and what they have cost in all, in dollars."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    @property
    def average(self) -> Decimal:
        return self.cost / self.quantity if self.quantity else ZERO

    def split(self, quantity: Decimal) -> None:
        """More shares, or fewer, for the same cost."""
        self.quantity += quantity

    def change(self, quantity: Decimal, price: Decimal) -> None:
        self.cost += quantity * (price if quantity > 0 else self.average)
        self.quantity += quantity


@dataclass(slots=True)
class _Account:
    entries_read: int = 0
    holdings: dict[str, Holding] = field(default_factory=dict)


class CostBook:
    """Follows the engine's ledger, of which it reads each entry once."""

    def __init__(self, engine: Engine, listings: Catalogue) -> None:
        self._engine = engine
        self._listings = listings
        self._accounts: dict[str, _Account] = {}

    def holdings(self, account_id: str) -> dict[str, Holding]:
        """By stock, those of which there are any."""
        account = self._accounts.setdefault(account_id, _Account())
        for entry in self._engine.ledger_since(account_id, account.entries_read):
            account.entries_read += 1
            if entry.asset in STOCKS:
                holding = account.holdings.setdefault(entry.asset, Holding())
                if entry.kind is LedgerKind.ADJUSTMENT:
                    holding.split(entry.amount)
                else:
                    holding.change(entry.amount, self._price(entry))
        return {stock: holding for stock, holding in account.holdings.items() if holding.quantity}

    def _price(self, entry: LedgerEntry) -> Decimal:
        """That of the fill; shares that were deposited count at the price that the catalogue gives."""
        if entry.kind is LedgerKind.TRADE:
            return self._engine.trade(entry.reference_id).price
        return self._listings.listing(f"{entry.asset}/{STOCK_QUOTE}").reference_price
