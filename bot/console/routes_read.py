"""What can be read. All of it needs the right to look; nothing of it changes anything."""

from collections.abc import Sequence

from bot.console import (
    api_accounts,
    api_copies,
    api_events,
    api_log,
    api_markets,
    api_money,
    api_orders,
    api_overview,
    api_positions,
)
from bot.console.answers import ConsoleRoute, Handler
from bot.console.roles import Role


def _read(path: str, handler: Handler) -> ConsoleRoute:
    return ConsoleRoute("GET", f"/api/v1/{path}", Role.VIEW, handler)


ROUTES: Sequence[ConsoleRoute] = (
    _read("overview", api_overview.overview),
    _read("accounts", api_accounts.accounts),
    _read("accounts/{label}", api_accounts.one_account),
    _read("decisions", api_accounts.decisions),
    _read("why", api_accounts.why),
    _read("scans", api_accounts.scans),
    _read("users", api_accounts.users),
    _read("positions", api_positions.positions),
    _read("debts", api_positions.debts),
    _read("dust", api_positions.too_small),
    _read("copies", api_copies.copies),
    _read("copies/{signal_id}", api_copies.one_signal),
    _read("orders", api_orders.orders),
    _read("orders/{client_order_id}", api_orders.order),
    _read("fills", api_orders.fills),
    _read("fills.csv", api_orders.fills_csv),
    _read("trips", api_orders.trips),
    _read("money", api_money.money),
    _read("pnl", api_money.pnl),
    _read("pnl.csv", api_money.pnl_csv),
    _read("markets", api_markets.markets),
    _read("markets/{symbol}", api_markets.one_market),
    _read("events", api_events.events),
    _read("log", api_log.log_lines),
    _read("settings", api_log.settings),
)
