"""All endpoints, and what journal and faults call them."""

from __future__ import annotations

from paper_exchange.alpaca import (
    account,
    activities,
    bar_pages,
    instruments,
    market_data,
    order_entry,
    order_lookup,
    position_exits,
    positions,
    session_view,
)
from paper_exchange.alpaca.routes import Endpoint, Scope

LOOKUPS = frozenset(
    {
        "orders/list",
        "orders:by_client_order_id",
        "orders/{order_id}",
        "account/activities",
        "account/activities/{activity_type}",
    }
)
"""Those that a ``lookup_lag`` fault applies to."""


def endpoints() -> tuple[Endpoint, ...]:
    """One path can be several endpoints, by method, and then each has a name of its own."""
    return (
        Endpoint("GET", "clock", Scope.VIEW, session_view.clock),
        Endpoint("GET", "calendar", Scope.VIEW, session_view.calendar),
        Endpoint("GET", "assets", Scope.VIEW, instruments.list_assets),
        Endpoint("GET", "assets/{symbol_or_asset_id}", Scope.VIEW, instruments.one_asset),
        Endpoint("GET", "account", Scope.VIEW, account.show_account),
        Endpoint("GET", "account/configurations", Scope.VIEW, account.configurations),
        Endpoint("GET", "account/activities", Scope.VIEW, activities.list_activities),
        Endpoint("GET", "account/activities/{activity_type}", Scope.VIEW, activities.list_activities),
        Endpoint("GET", "positions", Scope.VIEW, positions.list_positions),
        Endpoint("GET", "positions/{symbol_or_asset_id}", Scope.VIEW, positions.one_position),
        Endpoint("DELETE", "positions", Scope.TRADE, position_exits.close_all, "positions/close_all"),
        Endpoint("DELETE", "positions/{symbol_or_asset_id}", Scope.TRADE, position_exits.close_one, "positions/close"),
        Endpoint("POST", "orders", Scope.TRADE, order_entry.submit),
        Endpoint("GET", "orders", Scope.VIEW, order_lookup.list_orders, "orders/list"),
        Endpoint("DELETE", "orders", Scope.TRADE, order_entry.cancel_all, "orders/cancel_all"),
        Endpoint("GET", "orders:by_client_order_id", Scope.VIEW, order_lookup.by_client_order_id),
        Endpoint("GET", "orders/{order_id}", Scope.VIEW, order_lookup.one_order),
        Endpoint("DELETE", "orders/{order_id}", Scope.TRADE, order_entry.cancel, "orders/cancel"),
        Endpoint("PATCH", "orders/{order_id}", Scope.TRADE, order_entry.change, "orders/replace"),
        *_data_endpoints(),
    )


def _data_endpoints() -> tuple[Endpoint, ...]:
    """Each for several stocks, by ``symbols``, and for one in the path."""
    return (
        Endpoint("GET", "stocks/quotes/latest", Scope.DATA, market_data.latest_quotes),
        Endpoint("GET", "stocks/trades/latest", Scope.DATA, market_data.latest_trades),
        Endpoint("GET", "stocks/bars/latest", Scope.DATA, market_data.latest_bars),
        Endpoint("GET", "stocks/snapshots", Scope.DATA, market_data.snapshots),
        Endpoint("GET", "stocks/bars", Scope.DATA, bar_pages.bars),
        Endpoint("GET", "stocks/{symbol}/quotes/latest", Scope.DATA, market_data.latest_quotes),
        Endpoint("GET", "stocks/{symbol}/trades/latest", Scope.DATA, market_data.latest_trades),
        Endpoint("GET", "stocks/{symbol}/bars/latest", Scope.DATA, market_data.latest_bars),
        Endpoint("GET", "stocks/{symbol}/snapshot", Scope.DATA, market_data.snapshot),
        Endpoint("GET", "stocks/{symbol}/bars", Scope.DATA, bar_pages.bars),
    )
