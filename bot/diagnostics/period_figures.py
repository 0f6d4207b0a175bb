"""What an account made in a stretch of days: the sums of its day rows, which every command, page and statement takes.

Each figure has one owner: a day's is in its row, a stretch's is the sum of its days, and a total is the sum over
accounts of one currency. What one of its days does not know is not known of the stretch either; it is None, never 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bot.books.equity import Mark
from bot.books.exactly import add, subtract
from bot.diagnostics.listed_accounts import ListedAccount as ListedAccount
from bot.storage.day_closes import DayClose, DayStatus

# The parts of the identity, in the order in which they are shown: what each adds to equity (fees take away).
TERMS = ("realised", "unrealised_change", "fees", "net_deposits", "income", "other_holdings", "difference")


@dataclass(frozen=True)
class Beginning:
    """What the venue said there was when a stretch began, and the prices of that moment."""

    at: datetime
    units: Mapping[str, Decimal]
    marks: Mapping[str, Mark]


@dataclass(frozen=True, kw_only=True)
class AccountPeriod:
    """One account from one day to another. `days` are oldest first; the last is `running` if it has not ended yet.

    `opening` is None when it is not known; `missing` says in a sentence what should be there and is not.
    """

    account: ListedAccount
    days: Sequence[DayClose]
    opening: Beginning | None = None
    running: bool = False
    missing: str = ""

    @property
    def opening_equity(self) -> Decimal | None:
        return self.days[0].opening_equity if self.days else None

    @property
    def equity(self) -> Decimal | None:
        return self.days[-1].equity if self.days else None

    @property
    def until(self) -> datetime | None:
        """The moment the figures speak of: the end of the last day, or the last reading of the running one."""
        return self.days[-1].closes_at if self.days else None

    def term(self, name: str) -> Decimal | None:
        """The sum of one of `TERMS` or of `turnover` over the days."""
        return total(getattr(day, name) for day in self.days) if self.days else None

    @property
    def net(self) -> Decimal | None:
        """What trading made: realised + change of unrealised − fees. No deposit is in it."""
        return total(net_of(day) for day in self.days) if self.days else None

    @property
    def unknown_days(self) -> Sequence[DayClose]:
        return [day for day in self.days if net_of(day) is None or day.equity is None]

    @property
    def trades(self) -> int:
        """Fills."""
        return sum(day.trades for day in self.days)

    @property
    def wins(self) -> int:
        return sum(day.wins for day in self.days)

    @property
    def losses(self) -> int:
        return sum(day.losses for day in self.days)

    @property
    def looked_into(self) -> bool:
        """Whether somebody should look into it: a figure is not known or not proved, or venue and books differ."""
        return bool(self.missing or self.unknown_days or any(day.status is not DayStatus.OK for day in self.days))


@dataclass(frozen=True, kw_only=True)
class CurrencyTotal:
    """Several accounts together, in one currency or in several that count one to one by the settings."""

    currencies: Sequence[str]
    periods: Sequence[AccountPeriod]

    @property
    def currency(self) -> str:
        return " + ".join(self.currencies)

    def sum_of(self, figure: Callable[[AccountPeriod], Decimal | None]) -> Decimal | None:
        """None when one of the accounts does not know it."""
        return total(figure(period) for period in self.periods)


def net_of(day: DayClose) -> Decimal | None:
    """What trading made on one day; None when a part is not known."""
    if day.realised is None or day.unrealised_change is None or day.fees is None:
        return None
    return subtract(add(day.realised, day.unrealised_change), day.fees)


def total(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum; None when one of them is not known."""
    whole = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        whole = add(whole, amount)
    return whole


def totals_of(periods: Sequence[AccountPeriod], at_par: frozenset[str]) -> Sequence[CurrencyTotal]:
    """One total for each currency; those at par by the settings share one."""
    together: dict[str, list[AccountPeriod]] = {}
    for period in periods:
        currency = period.account.currency
        together.setdefault("at par" if currency in at_par else currency, []).append(period)
    return [
        CurrencyTotal(currencies=sorted({period.account.currency for period in group}), periods=group)
        for group in together.values()
    ]
