"""Every route of the console, in one list: what can be asked, and which role it needs."""

from collections.abc import Sequence

from bot.console import routes_control, routes_health, routes_read
from bot.console.answers import ConsoleRoute


def all_routes() -> Sequence[ConsoleRoute]:
    """In the order in which they are matched."""
    return (*routes_health.ROUTES, *routes_read.ROUTES, *routes_control.ROUTES)
