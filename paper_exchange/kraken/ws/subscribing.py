"""subscribe and unsubscribe: which channels there are, who may have them, and one answer for each symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paper_exchange.api_keys import Account
from paper_exchange.kraken.envelope import PERMISSION_DENIED, KrakenError
from paper_exchange.kraken.ws.answers import Answer
from paper_exchange.kraken.ws.private_feed import BALANCES, EXECUTIONS, PrivateFeed
from paper_exchange.kraken.ws.requests import Request, check_names, flag, text
from paper_exchange.kraken.ws.session import Session, Subscription
from paper_exchange.rate_counters import TIERS

PRIVATE_NAMES = frozenset(
    {
        "channel", "token", "snapshot", "snap_orders", "snap_trades", "snapshot_trades", "order_status", "ratecounter",
        "users", "rebased",
    }
)  # fmt: skip
PERMISSIONS = {
    EXECUTIONS: frozenset({"query-open-trades", "query-closed-trades"}),
    BALANCES: frozenset({"query-funds"}),
}
NO_PRIVATE = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
NO_PUBLIC = "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com"
NOT_SUBSCRIBED = "Subscription Not Found"
Sent = list[Answer | bytes]
"""Answers, and messages that belong to the new subscriptions, which follow them."""


class PrivateSubscribing:
    """The channels of an account."""

    def __init__(self, feed: PrivateFeed) -> None:
        self._feed = feed

    def subscribe(self, session: Session, request: Request, account: Account) -> Sent:
        params = request.params
        check_names(params, PRIVATE_NAMES, request.method)
        channel = params["channel"]
        if account.permissions.isdisjoint(PERMISSIONS[channel]):
            raise KrakenError(PERMISSION_DENIED)
        if (channel, None) in session.subscriptions:
            raise KrakenError("Already subscribed")
        subscription = Subscription(
            session, channel, account=account, token=params["token"], options=_options(channel, params)
        )
        session.subscriptions[subscription.key] = subscription
        snapshot = self._feed.add(subscription)
        return [Answer(_shown(subscription)), *snapshot]

    def unsubscribe(self, session: Session, request: Request) -> Sent:
        check_names(request.params, PRIVATE_NAMES, request.method)
        subscription = session.subscriptions.pop((request.params["channel"], None), None)
        if subscription is None:
            raise KrakenError(NOT_SUBSCRIBED)
        self._feed.remove(subscription)
        return [Answer({"channel": subscription.channel})]


def _options(channel: str, params: Mapping[str, Any]) -> dict[str, Any]:
    if channel == BALANCES:
        return {"snapshot": flag(params, "snapshot", default=True)}
    if text(params, "users") not in (None, "all"):
        raise KrakenError("Unsupported value for the field: users")
    return {
        "snap_orders": flag(params, "snap_orders", default=flag(params, "snapshot", default=True)),
        "snap_trades": flag(params, "snap_trades", default=flag(params, "snapshot_trades")),
        "order_status": flag(params, "order_status", default=True),
        "ratecounter": flag(params, "ratecounter"),
    }


def _shown(subscription: Subscription) -> dict[str, object]:
    """What the answer says. Clients subscribe again with these very names, so all but two can be sent back."""
    if subscription.channel == BALANCES:
        return {"channel": BALANCES, **subscription.options}
    assert subscription.account is not None
    limit = TIERS[subscription.account.tier].orders
    options = subscription.options
    return {
        "channel": EXECUTIONS,
        "maxratecount": limit,
        "snap_orders": options["snap_orders"],
        "snap_trades": options["snap_trades"],
    }
