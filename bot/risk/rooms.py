"""How much the limits on notional leave for one more entry of an account in a market."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from bot.risk import exposure_rules
from bot.risk.case import Case

_ZERO = Decimal(0)


def rooms(case: Case) -> Mapping[str, Decimal]:
    """The largest notional that each limit would let out, in the currency of the limits, by the setting's name.

    Limits that are off are not in it. `case` is that of any entry in the market, of whatever size. Sums are plain: two
    markets that always move together count as two. Raises `NotKnown`, and ValueError for a row that is no amount.
    """
    rules = case.rules
    used: Mapping[str, tuple[Decimal | None, Callable[[], Decimal]]] = {
        "max_order_notional_usd": (rules.max_order_notional_quote, lambda: _ZERO),
        "max_symbol_notional_usd": (rules.max_symbol_notional_quote, lambda: exposure_rules.used_of_symbol(case)),
        "max_account_notional_usd": (rules.max_account_notional_quote, lambda: exposure_rules.used_of_account(case)),
        "max_total_notional_usd": (rules.max_total_notional_quote, case.cost_of_all),
    }
    on = {name: limit - read() for name, (limit, read) in used.items() if limit is not None}
    if on:
        case.check_currency(case.intent.symbol)
    return {name: max(_ZERO, room) for name, room in on.items()}
