"""Whatever is entered, filled, refused, lost and sold in whatever order: no limit is exceeded, none trips early."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.errors import OrderRefused, OutcomeUnknown, RetryLater
from bot.risk.case import LimitRules
from bot.storage.store import Store
from tests.unit.risk.desk import ANN, KRAKEN, RiskDesk

ACCOUNTS = (KRAKEN, ANN)
SYMBOLS = ("A/USD", "B/USD", "C/USD", "D/USD")
RULES = LimitRules(
    max_positions=2,
    max_positions_all_accounts=3,
    max_order_notional_quote=Decimal(600),
    max_symbol_notional_quote=Decimal(700),
    max_account_notional_quote=Decimal(900),
    max_total_notional_quote=Decimal(1400),
)


@dataclass(frozen=True)
class Step:
    """One entry (or, with `sells`, the sale of all that is held) and how the venue takes it."""

    account: int
    symbol: str
    quantity: Decimal
    limited: bool
    venue: str
    sells: bool


STEPS = st.builds(
    Step,
    account=st.integers(0, 1),
    symbol=st.sampled_from(SYMBOLS),
    quantity=st.decimals(min_value="0.1", max_value="8", places=1),
    limited=st.booleans(),
    venue=st.sampled_from(["fills", "fills", "fills half", "stays open", "refuses", "is busy", "is lost"]),
    sells=st.sampled_from([False, False, False, True]),
)
SCRIPT = {"refuses": OrderRefused("no"), "is busy": RetryLater("busy"), "is lost": OutcomeUnknown("timed out")}


def take(desk: RiskDesk, step: Step) -> None:
    account = ACCOUNTS[step.account]
    broker = desk.brokers[account]
    broker.script = [SCRIPT[step.venue]] if step.venue in SCRIPT else []
    broker.stays_open = step.venue == "stays open"
    broker.fillable = {"fills half": step.quantity / 2, "stays open": Decimal(0)}.get(step.venue)
    if step.sells:
        broker.script, broker.fillable, broker.stays_open = [], None, False
        held = desk.held(account).get(step.symbol, Decimal(0))
        if held:
            desk.exit(step.symbol, str(held), account=account)
        return
    limit = {"limit_price": "101"} if step.limited else {}
    before, places, count = desk.exposure(), desk.places_taken(account), len(desk.vetoes())
    everywhere = sum(len(desk.places_taken(one)) for one in ACCOUNTS)
    desk.enter(step.symbol, str(step.quantity), account=account, **limit)
    vetoed = len(desk.vetoes()) > count
    cost = step.quantity * Decimal(101 if step.limited else 100)
    assert vetoed == too_much(before, places, everywhere, account.label, step.symbol, cost)


def too_much(
    spent: dict[tuple[str, str], Decimal], places: set[str], everywhere: int, label: str, symbol: str, cost: Decimal
) -> bool:
    """The limits once more, in the plainest words."""
    mine = sum((amount for (account, _), amount in spent.items() if account == label), Decimal(0))
    new_place = symbol not in places
    return (
        cost > 600
        or spent.get((label, symbol), Decimal(0)) + cost > 700
        or mine + cost > 900
        or sum(spent.values()) + cost > 1400
        or (new_place and len(places) >= 2)
        or (new_place and everywhere >= 3)
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=12))
def test_no_limit_is_ever_exceeded_and_none_vetoes_what_is_within_it(
    fresh_store: Callable[[], Store], steps: list[Step]
) -> None:
    store = fresh_store()
    desk = RiskDesk(store, RULES, accounts_=ACCOUNTS)
    for step in steps:
        take(desk, step)
        spent = desk.exposure()
        for account in ACCOUNTS:
            assert len(desk.places_taken(account)) <= 2
            assert sum((amount for (label, _), amount in spent.items() if label == account.label), Decimal(0)) <= 900
        assert sum(len(desk.places_taken(account)) for account in ACCOUNTS) <= 3
        assert all(amount <= 700 for amount in spent.values())
        assert sum(spent.values()) <= 1400
    store.close()
