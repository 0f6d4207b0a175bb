"""Days with deposits, withdrawals, coins in kind, fees in coins, a kill and restarts: every page of the books agrees.

The small size is three days of two brokerages. The month, as docs/performance.md has it:

    NIJA_MONTH=30x5x4 python -m pytest -n 0 -s tests/month
"""

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from bot.books.ledger import Books
from tests.month.month import CURRENCIES, Month, Size
from tests.month.truth import books_of_exchange

BROKERAGES = ("kraken", "binance", "coinbase", "okx", "alpaca")
CENT = Decimal("0.01")
HALF_A_CENT = CENT / 2
TERMS = ("realised", "unrealised_change", "fees", "net_deposits", "income", "other_holdings", "difference")


def size() -> Size:
    days, brokerages, users = map(int, os.environ.get("NIJA_MONTH", "3x2x2").split("x"))
    return Size(days=days, brokerages=BROKERAGES[:brokerages], users_each=users)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    """Lived through; the bot has ended, the exchange still answers, prices stand still."""
    with Month(tmp_path_factory.mktemp("month") / "lived", size()) as lived:
        lived.start()
        for day in range(lived.size.days):
            lived.live(day)
        lived.rest()
        yield lived


@pytest.fixture(scope="module")
def pnl(month: Month) -> dict[str, dict[str, Any]]:
    return by_account(month.command("pnl", "--all"))


@pytest.fixture(scope="module")
def money(month: Month) -> dict[str, dict[str, Any]]:
    return by_account(month.command("money"))


@pytest.fixture(scope="module")
def recounted(month: Month) -> dict[str, Books]:
    """The books of every account, from the exchange alone."""
    fills = month.exchange.journal(type="fill")
    return {account: books_of_exchange(month, account, fills) for account in month.accounts}


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


def test_every_day_of_every_account_is_closed_and_proved_to_the_cent(month: Month) -> None:
    rows = month.rows("SELECT account_id, day, status, problem, difference FROM day_close")
    assert len(rows) == month.size.days * len(month.accounts)
    assert [row for row in rows if row["status"] != "ok"] == []
    assert all(abs(Decimal(row["difference"])) < HALF_A_CENT for row in rows)
    assert month.kills == 1


def test_money_shows_what_the_exchange_has(month: Month, money: dict[str, dict[str, Any]]) -> None:
    assert set(money) == set(month.accounts)
    for account, purse in money.items():
        units = {one["asset"]: Decimal(one["units"]) for one in purse["positions"]}
        units[currency_of(month, account)] = Decimal(purse["cash_available"]) + Decimal(purse["cash_held"])
        assert units == month.balances(account), account
        assert abs(Decimal(purse["equity"]) - worth(month, account, purse)) < HALF_A_CENT


def test_pnl_ends_with_the_equity_that_money_shows(
    pnl: dict[str, dict[str, Any]], money: dict[str, dict[str, Any]]
) -> None:
    for account, figures in pnl.items():
        assert abs(Decimal(figures["equity"]) - Decimal(money[account]["equity"])) < HALF_A_CENT, account


def test_the_terms_of_all_days_lead_from_the_first_equity_to_the_last(pnl: dict[str, dict[str, Any]]) -> None:
    for account, figures in pnl.items():
        terms = sum((Decimal(figures[name]) * (-1 if name == "fees" else 1) for name in TERMS), Decimal(0))
        change = Decimal(figures["equity"]) - Decimal(figures["opening_equity"])
        assert abs(change - terms) < HALF_A_CENT, account
        net = Decimal(figures["realised"]) + Decimal(figures["unrealised_change"]) - Decimal(figures["fees"])
        assert Decimal(figures["net"]) == net


def test_gains_fees_and_deposits_are_those_of_the_exchanges_own_journal(
    month: Month, pnl: dict[str, dict[str, Any]], recounted: dict[str, Books]
) -> None:
    for account, books in recounted.items():
        figures, flows = pnl[account], books.flows
        assert figures["trades"] == flows.trades > 0, account
        assert abs(Decimal(figures["realised"]) - flows.realised) < HALF_A_CENT, account
        assert abs(Decimal(figures["fees"]) - flows.fees) < HALF_A_CENT, account
        if not flows.deposit_units:
            assert Decimal(figures["net_deposits"]) == flows.net_deposits, account
        for asset, units in books.units().items():
            assert abs(units - month.balances(account).get(asset, Decimal(0))) < HALF_A_CENT, (account, asset)


def test_what_is_not_realised_yet_is_what_the_journals_lots_are_worth_over_their_cost(
    pnl: dict[str, dict[str, Any]], money: dict[str, dict[str, Any]], recounted: dict[str, Books]
) -> None:
    for account, books in recounted.items():
        if books.flows.carried:
            continue
        prices = {one["asset"]: Decimal(one["price"]) for one in money[account]["positions"]}
        gain = sum((known.units * prices[asset] - known.cost for asset, known in books.known().items()), Decimal(0))
        assert abs(Decimal(pnl[account]["unrealised_change"]) - gain) < HALF_A_CENT, account


def test_statements_of_the_months_add_up_to_pnl(month: Month, pnl: dict[str, dict[str, Any]]) -> None:
    months = sorted({day["day"][:7] for figures in pnl.values() for day in figures["days"]})
    for user in {name for _, name in month.accounts.values() if name != "master"}:
        parts = [by_account(month.command("statement", user, "--month", one)) for one in months]
        for account in {label for part in parts for label in part}:
            for name in ("net", *TERMS):
                stated = sum((Decimal(part[account][name] or 0) for part in parts if account in part), Decimal(0))
                assert abs(stated - Decimal(pnl[account][name])) < HALF_A_CENT, (account, name)


def test_the_page_has_the_same_figures(month: Month, pnl: dict[str, dict[str, Any]]) -> None:
    page = month.directory / "report.html"
    said = by_account(month.command("report", "--html", str(page)))
    text = page.read_text(encoding="utf-8").replace(",", "").replace("\u202f", "").replace("\u00a0", "")
    for account, figures in pnl.items():
        assert {name: said[account][name] for name in TERMS} == {name: figures[name] for name in TERMS}
        assert f"{Decimal(figures['equity']):.2f}" in text, account
