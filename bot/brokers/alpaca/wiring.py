"""The way of one account's calls, made of its context. Alpaca's library is imported here, and not before."""

from collections.abc import Callable

from bot.brokers.alpaca.calls import AlpacaCalls, Host
from bot.brokers.alpaca.context import AlpacaContext
from bot.brokers.alpaca.errors import REFUSED_KEY
from bot.brokers.alpaca.trade_updates import AlpacaSpeech
from bot.brokers.base import Urgency
from bot.brokers.http_session import VenueSession
from bot.brokers.rate_budget import RateBudget
from bot.brokers.refused_key import RefusedKey
from bot.brokers.trade_bell import TradeBell
from bot.brokers.venue_calls import VenueCalls
from bot.brokers.venue_gate import VenueGate
from bot.domain.account import AccountRef


def calls_of(
    context: AlpacaContext,
    *,
    label: str,
    session: VenueSession,
    gate: VenueGate,
    refused_key: RefusedKey,
    urgency: Callable[[], Urgency],
) -> AlpacaCalls:
    """Calls with this account's key, session and counters."""
    from bot.brokers.alpaca.client import AlpacaClient  # a bot without this brokerage does not pay for its library

    credentials = context.access.credentials
    client = AlpacaClient(
        base_url=context.access.base_url,
        data_url=context.market_data_url,
        api_key=credentials.api_key,
        api_secret=credentials.api_secret.get_secret_value(),
        session=session,
    )

    def host(gate: VenueGate, budget: RateBudget) -> Host:
        calls = VenueCalls(
            venue="alpaca",
            label=label,
            clock=context.clock,
            gate=gate,
            urgency=urgency,
            refused_key=refused_key,
            key_codes=(REFUSED_KEY,),
            on_private_call=context.on_private_call,
        )
        return Host(calls=calls, budget=budget)

    return AlpacaCalls(
        client,
        label=label,
        clock=context.clock,
        trading=host(gate, _budget(context, label)),
        # Trading goes on while market data cannot be had, and its trouble counts against nobody's orders.
        market_data=host(VenueGate(context.clock, "alpaca market data"), _data_budget(context, label)),
    )


def trade_bell(context: AlpacaContext, account: AccountRef) -> TradeBell | None:
    """A master's trades are heard of at once, whoever made them; a user's are those of orders that are followed."""
    url = context.access.ws_auth_url or context.access.ws_url
    if context.wire is None or url is None or not account.is_master:
        return None
    return TradeBell(
        wire=context.wire,
        url=url.rstrip("/"),
        label=account.label,
        is_master=account.is_master,
        speech=AlpacaSpeech(
            api_key=context.access.credentials.api_key,
            api_secret=context.access.credentials.api_secret.get_secret_value(),
        ),
    )


def _budget(context: AlpacaContext, label: str) -> RateBudget:
    if context.key_budgets is None:
        return RateBudget(context.clock, name=label, limit=None)
    return context.key_budgets.for_key(context.access.credentials.api_key, label=label)


def _data_budget(context: AlpacaContext, label: str) -> RateBudget:
    if context.data_budgets is not None:
        return context.data_budgets.for_key(context.access.credentials.api_key, label=label)
    return context.public_budget or RateBudget(context.clock, name=f"{label}: market data", limit=None)
