"""How an account's own orders go out in a backtest: by the section `orders` of the settings, judged as live.

At the market, or as a limit with a cap that is filled at once or not at all; what such an exit does not sell is asked
about again (`judge`) and ends at the market. Orders that rest are not modelled: candles do not tell who was before
them in the queue. Where the settings have them rest they go out as limits with a cap, which costs the spread that
resting would have saved.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from bot.backtest.venue import Venue
from bot.domain.fill import Fill
from bot.domain.order import OrderKind, OrderType, Side
from bot.domain.quote import Quote
from bot.execution.repositioner import (
    Chain,
    Escalate,
    OrderRules,
    Policy,
    Reprice,
    Standing,
    judge,
    opening,
    policy_of,
)

_ZERO = Decimal(0)


class Placing:
    """Trades at the price that the venue shows."""

    def __init__(self, venue: Venue, rules: OrderRules) -> None:
        self._venue = venue
        self._rules = replace(rules, entry=_at_once(rules.entry), exit=_at_once(rules.exit))

    def enter(self, account: str, symbol: str, quantity: Decimal, at: float) -> tuple[Sequence[Fill], str]:
        """The fills, and why there is no further one."""
        return self._place(account, symbol, OrderKind.ENTRY, quantity, at, policy_of(OrderKind.ENTRY, "", self._rules))

    def leave(self, account: str, symbol: str, quantity: Decimal, at: float, rule: str) -> Sequence[Fill]:
        """The fills of a sale by this rule of exits."""
        policy = policy_of(OrderKind.EXIT, rule, self._rules)
        return self._place(account, symbol, OrderKind.EXIT, quantity, at, policy)[0]

    def _place(
        self, account: str, symbol: str, kind: OrderKind, quantity: Decimal, at: float, policy: Policy
    ) -> tuple[list[Fill], str]:
        """One order after another, until the judge has no further one."""
        side = Side.BUY if kind is OrderKind.ENTRY else Side.SELL
        instrument = self._venue.instruments[symbol]
        quote = self._quote(symbol, at)
        order_type, price = opening(
            side=side, kind=kind, policy=policy, quote=quote, instrument=instrument, rules=self._rules
        )
        fills: list[Fill] = []
        left, step = quantity, 0
        while True:
            made, why = self._venue.place(account, symbol, side, left, at, limit_price=price)
            fills += made
            left = quantity - sum((fill.quantity for fill in fills), _ZERO)
            if order_type is OrderType.MARKET or left <= 0:
                return fills, why
            chain = Chain(
                side=side, kind=kind, ordered=quantity, filled=quantity - left, step=step, order_type=order_type,
                standing=Standing.ENDED, placed_at=quote.taken_at,
            )  # fmt: skip
            verdict = judge(chain, quote, instrument=instrument, rules=self._rules, now=quote.taken_at)
            if isinstance(verdict, Reprice):
                order_type, price, step = verdict.order_type, verdict.price, step + 1
            elif isinstance(verdict, Escalate):
                order_type, price = OrderType.MARKET, None
            else:
                return fills, why or "the cap was kept"

    def _quote(self, symbol: str, at: float) -> Quote:
        shown = self._venue.market.quote(symbol)
        return Quote(symbol, shown.bid, shown.ask, datetime.fromtimestamp(at, UTC))


def _at_once(policy: Policy) -> Policy:
    return Policy.MARKETABLE if policy is Policy.RESTING else policy
