"""What the endpoints of the Alpaca front share beside the exchange itself."""

from __future__ import annotations

from dataclasses import dataclass

from paper_exchange.alpaca.account_flags import AccountFlagBook
from paper_exchange.alpaca.client_orders import ClientOrders
from paper_exchange.alpaca.cost_basis import CostBook
from paper_exchange.alpaca.last_day import LastDayPrices
from paper_exchange.catalogue import Catalogue
from paper_exchange.exchange import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """``listings`` is what the front shows; the books remember what the engine doesn't."""

    exchange: Exchange
    listings: Catalogue
    flags: AccountFlagBook
    client_orders: ClientOrders
    costs: CostBook
    last_day: LastDayPrices
