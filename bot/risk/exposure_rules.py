"""How much is held, counting what is open and this entry. Equal to a limit is within it."""

from decimal import Decimal

from bot.domain.veto import Veto, VetoRule
from bot.risk.books import places
from bot.risk.case import Case, shown

# The rough sum is good to far less than this part of itself.
ROUGHNESS = 1e-6


def max_positions(case: Case) -> Veto | None:
    """Markets held or being entered, this one included; a market that is in there already takes no further place."""
    cap = case.rules.max_positions
    if cap is None:
        return None
    if len(case.held) + len(case.entries) < cap and all(_is_amount(one.quantity) for one in case.held):
        # However little of it is dust, there is room: the usual case, and cheap to see.
        return None
    markets = places(case, case.held, case.entries)
    here = (case.intent.account_id, case.intent.symbol)
    if here in markets or len(markets) < cap:
        return None
    numbers = {"positions_and_open_entries": str(len(markets)), "max_positions": str(cap)}
    return Veto(
        VetoRule.MAX_POSITIONS,
        f"{case.intent.account_id} has {len(markets)} positions and open entries, the cap is {cap}",
        numbers,
    )


def max_positions_all(case: Case) -> Veto | None:
    """The same over all accounts: a market counts once for each account that is in it."""
    cap = case.rules.max_positions_all_accounts
    if cap is None:
        return None
    if case.rough_of_all.places < cap:
        return None
    markets = case.places_of_all()
    here = (case.intent.account_id, case.intent.symbol)
    if here in markets or len(markets) < cap:
        return None
    numbers = {"positions_and_open_entries": str(len(markets)), "max_positions_all_accounts": str(cap)}
    return Veto(
        VetoRule.MAX_POSITIONS_ALL,
        f"all accounts together have {len(markets)} positions and open entries, the cap is {cap}",
        numbers,
    )


def _is_amount(number: Decimal) -> bool:
    return number.is_finite() and number > 0


def order_notional(case: Case) -> Veto | None:
    """One order alone."""
    return _over(case, VetoRule.ORDER_NOTIONAL, Decimal(0), case.rules.max_order_notional_quote, "this order")


def symbol_notional(case: Case) -> Veto | None:
    """One market of one account."""
    limit = case.rules.max_symbol_notional_quote
    return None if limit is None else _over(case, VetoRule.SYMBOL_NOTIONAL, used_of_symbol(case), limit, "this market")


def used_of_symbol(case: Case) -> Decimal:
    symbol = case.intent.symbol
    return case.cost_of(one for one in case.held if one.symbol == symbol) + case.cost_of_open(
        one for one in case.entries if one.symbol == symbol
    )


def account_notional(case: Case) -> Veto | None:
    """All markets of one account."""
    limit = case.rules.max_account_notional_quote
    if limit is None:
        return None
    return _over(case, VetoRule.ACCOUNT_NOTIONAL, used_of_account(case), limit, "this account")


def used_of_account(case: Case) -> Decimal:
    return case.cost_of(case.held) + case.cost_of_open(case.entries)


def all_notional(case: Case) -> Veto | None:
    """All accounts together. Summed exactly only when a rough sum does not settle it."""
    limit = case.rules.max_total_notional_quote
    if limit is None:
        return None
    rough = case.rough_of_all.cost
    if rough is not None and (rough + float(case.notional)) * (1 + ROUGHNESS) < float(limit):
        return None
    return _over(case, VetoRule.ALL_NOTIONAL, case.cost_of_all(), limit, "all accounts together")


def _over(case: Case, rule: VetoRule, used: Decimal, limit: Decimal | None, whose: str) -> Veto | None:
    if limit is None or used + case.notional <= limit:
        return None
    currency = case.rules.quote_currency
    numbers = {
        "this_order_quote": shown(case.notional),
        "already_quote": shown(used),
        "together_quote": shown(used + case.notional),
        "limit_quote": shown(limit),
        "quote_currency": currency,
    }
    together = f"{shown(used + case.notional)} {currency} for {whose}"
    of_it = f" ({shown(used)} are held or open)" if used else ""
    return Veto(rule, f"{together} would be more than {shown(limit)}{of_it}", numbers)
