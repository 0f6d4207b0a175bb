"""Days with deposits, withdrawals, coins in kind, fees in coins, a kill and restarts: every page of the books agrees.

The small size is two days, two masters and a user each, with the kill on the second day. The month of docs/books.md:

    NIJA_MONTH=30x5x4 python -m pytest -n 0 -s tests/month
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.books.ledger import Books
from tests.month.month import CURRENCIES, Month, Size
from tests.month.truth import books_of_exchange

BROKERAGES = ("kraken", "binance", "coinbase", "okx", "alpaca")
CENT = Decimal("0.01")
HALF_A_CENT = CENT / 2
# The brokerage that charges regulatory fees on the day after.
TAKEN_LATER = "alpaca"
TERMS = ("realised", "unrealised_change", "fees", "net_deposits", "income", "other_holdings", "difference")


def size() -> Size:
    days, brokerages, users = map(int, os.environ.get("NIJA_MONTH", "2x2x1").split("x"))
    return Size(days=days, brokerages=BROKERAGES[:brokerages], users_each=users)


def by_account(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["account"]: one for one in said["accounts"]}


def currency_of(month: Month, account: str) -> str:
    return CURRENCIES.get(month.accounts[account][0], "USD")


def worth(month: Month, account: str, purse: Mapping[str, Any]) -> Decimal:
    """The exchange's own units at the prices that `money` shows."""
    prices = {one["asset"]: Decimal(one["price"]) for one in purse["positions"]} | {
        currency_of(month, account): Decimal(1)
    }
    return sum((units * prices[asset] for asset, units in month.balances(account).items()), Decimal(0))


@dataclass(frozen=True)
class Said:
    """What the commands say at the end, by account, and the books that the exchange's journal gives."""

    month: Month
    pnl: Mapping[str, Mapping[str, Any]]
    money: Mapping[str, Mapping[str, Any]]
    recounted: Mapping[str, Books]


def test_after_days_with_deposits_fees_in_coins_and_a_kill_every_page_agrees_with_the_exchange(tmp_path: Path) -> None:
    with Month(tmp_path / "lived", size()) as month:
        month.start()
        for day in range(month.size.days):
            month.live(day)
        month.rest()
        fills = month.exchange.journal(type="fill")
        said = Said(
            month=month,
            pnl=by_account(month.command("pnl", "--all")),
            money=by_account(month.command("money")),
            recounted={account: books_of_exchange(month, account, fills) for account in month.accounts},
        )
        for check in CHECKS:
            check(said)


def check_every_day_of_every_account_is_closed_and_proved_to_the_cent(said: Said) -> None:
    rows = said.month.rows("SELECT account_id, day, status, problem, difference FROM day_close")
    assert len(rows) == said.month.size.days * len(said.month.accounts)
    assert [row for row in rows if row["status"] != "ok"] == []
    assert all(abs(Decimal(row["difference"])) < HALF_A_CENT for row in rows)
    assert said.month.kills == 1


def check_money_shows_what_the_exchange_has(said: Said) -> None:
    assert set(said.money) == set(said.month.accounts)
    for account, purse in said.money.items():
        units = {one["asset"]: Decimal(one["units"]) for one in purse["positions"]}
        units[currency_of(said.month, account)] = Decimal(purse["cash_available"]) + Decimal(purse["cash_held"])
        assert units == said.month.balances(account), account
        assert abs(Decimal(purse["equity"]) - worth(said.month, account, purse)) < HALF_A_CENT


def check_pnl_ends_with_the_equity_that_money_shows(said: Said) -> None:
    for account, figures in said.pnl.items():
        assert abs(Decimal(figures["equity"]) - Decimal(said.money[account]["equity"])) < HALF_A_CENT, account


def check_the_terms_of_all_days_lead_from_the_first_equity_to_the_last(said: Said) -> None:
    for account, figures in said.pnl.items():
        terms = sum((Decimal(figures[name]) * (-1 if name == "fees" else 1) for name in TERMS), Decimal(0))
        change = Decimal(figures["equity"]) - Decimal(figures["opening_equity"])
        assert abs(change - terms) < HALF_A_CENT, account
        net = Decimal(figures["realised"]) + Decimal(figures["unrealised_change"]) - Decimal(figures["fees"])
        assert Decimal(figures["net"]) == net


def check_gains_fees_and_deposits_are_those_of_the_exchanges_own_journal(said: Said) -> None:
    for account, books in said.recounted.items():
        figures, flows = said.pnl[account], books.flows
        assert figures["trades"] == flows.trades > 0, account
        assert abs(Decimal(figures["realised"]) - flows.realised) < HALF_A_CENT, account
        there = said.month.balances(account)
        # What the exchange takes later and apart from any fill is in no line of its journal, but in its balances.
        later = books.cash - there[books.own_currency] if account.endswith(TAKEN_LATER) else Decimal(0)
        assert abs(Decimal(figures["fees"]) - flows.fees - later) < HALF_A_CENT, account
        if not flows.deposit_units:
            assert Decimal(figures["net_deposits"]) == flows.net_deposits, account
        for asset, units in books.units().items():
            less = later if asset == books.own_currency else Decimal(0)
            assert abs(units - less - there.get(asset, Decimal(0))) < HALF_A_CENT, (account, asset)


def check_what_is_not_realised_yet_is_what_the_journals_lots_are_worth_over_their_cost(said: Said) -> None:
    for account, books in said.recounted.items():
        if books.flows.carried:
            continue
        prices = {one["asset"]: Decimal(one["price"]) for one in said.money[account]["positions"]}
        gain = sum((known.units * prices[asset] - known.cost for asset, known in books.known().items()), Decimal(0))
        assert abs(Decimal(said.pnl[account]["unrealised_change"]) - gain) < HALF_A_CENT, account


def check_statements_of_the_months_add_up_to_pnl(said: Said) -> None:
    months = sorted({day["day"][:7] for figures in said.pnl.values() for day in figures["days"]})
    for user in {name for _, name in said.month.accounts.values() if name != "master"}:
        parts = [by_account(said.month.command("statement", user, "--month", one)) for one in months]
        for account in {label for part in parts for label in part}:
            for name in ("net", *TERMS):
                stated = sum((Decimal(part[account][name] or 0) for part in parts if account in part), Decimal(0))
                assert abs(stated - Decimal(said.pnl[account][name])) < HALF_A_CENT, (account, name)


def check_the_page_has_the_same_figures(said: Said) -> None:
    page = said.month.directory / "report.html"
    paged = by_account(said.month.command("report", "--html", str(page)))
    text = page.read_text(encoding="utf-8").replace(",", "").replace("\u202f", "").replace("\u00a0", "")
    for account, figures in said.pnl.items():
        assert {name: paged[account][name] for name in TERMS} == {name: figures[name] for name in TERMS}
        assert f"{Decimal(figures['equity']):.2f}" in text, account


CHECKS = (
    check_every_day_of_every_account_is_closed_and_proved_to_the_cent,
    check_money_shows_what_the_exchange_has,
    check_pnl_ends_with_the_equity_that_money_shows,
    check_the_terms_of_all_days_lead_from_the_first_equity_to_the_last,
    check_gains_fees_and_deposits_are_those_of_the_exchanges_own_journal,
    check_what_is_not_realised_yet_is_what_the_journals_lots_are_worth_over_their_cost,
    check_statements_of_the_months_add_up_to_pnl,
    check_the_page_has_the_same_figures,
)
