"""`bot.py statement` and the performance fee: a user's month, from the same rows as everything else."""

from decimal import Decimal
from pathlib import Path

import pytest

from bot import app
from bot.diagnostics.performance_fee import fee_months
from bot.domain.account import AccountRef, BrokerType
from bot.domain.cash_event import CashKind
from bot.storage.day_closes import closes_of
from tests.stored_bot import DAIVON, StoredBot
from tests.unit.diagnostics.conftest import Ask
from tests.unit.diagnostics.ledger import Ledger, at, runs_at

DAIVON_OKX = AccountRef.user(BrokerType.OKX, "daivon_frazier")


@pytest.fixture
def daivon(bot: StoredBot, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Loses 100 in September, deposits 5,000 and gains 40 in October, gains 160 until 10 November."""
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, at(10, "12:00"))))
    books = Ledger(bot, DAIVON, opened=at(30, "06:00", month=9), units={"USD": "1000"})
    books.buy(at(30, "10:00", month=9), "ETH/USD", "10", "100", fee="0")
    books.close(at(1, "00:00", month=10), {"ETH": "90"})
    books.cash(at(1, "12:00", month=10), CashKind.DEPOSIT, "USD", "5000")
    books.close(at(2, "00:00", month=10), {"ETH": "92"})
    for day in range(3, 32):
        books.close(at(day, "00:00", month=10), {"ETH": "92"})
    books.close(at(1, "00:00"), {"ETH": "94"})
    for day in range(2, 10):
        books.close(at(day, "00:00"), {"ETH": "100"})
    books.sell(at(9, "10:00"), "ETH/USD", "10", "110", fee="0")
    books.close(at(10, "00:00"), {})
    books.point(at(10, "11:59"), {})
    return books


def test_a_month_begins_where_the_one_before_ended_and_adds_up(ask: Ask, daivon: Ledger) -> None:
    (october,) = ask(app.main, "statement", "daivon_frazier", "--month", "2026-10", "--json").json["accounts"]
    (september,) = ask(app.main, "statement", "daivon_frazier", "--month", "2026-09", "--json").json["accounts"]
    assert (september["opening_equity"], september["equity"], september["net"]) == ("1000", "900", "-100")
    assert (october["opening_equity"], october["equity"]) == ("900", "5940")
    assert (october["net_deposits"], october["net"], october["month_is_over"]) == ("5000", "40", True)
    assert len(october["days"]) == 31


def test_the_statement_and_pnl_say_the_same(ask: Ask, daivon: Ledger) -> None:
    (month,) = ask(app.main, "statement", "daivon_frazier", "--month", "2026-10", "--json").json["accounts"]
    stretch = ["--from", "2026-10-01", "--to", "2026-10-31"]
    (same,) = ask(app.main, "pnl", *stretch, "--json").json["accounts"]
    assert {name: value for name, value in month.items() if name in same} == same


def test_a_fee_is_owed_on_what_is_above_the_mark_and_on_no_deposit(ask: Ask, daivon: Ledger) -> None:
    fees = {}
    for month in ("2026-09", "2026-10", "2026-11"):
        asked = ["statement", "daivon_frazier", "--month", month, "--fee-percent", "20"]
        (account,) = ask(app.main, *asked, "--json").json["accounts"]
        fees[month] = account["fee"]
    assert (fees["2026-09"]["profit_since_the_beginning"], fees["2026-09"]["fee"]) == ("-100", "0")
    # 40 were gained on top of a deposit of 5,000, and 60 of the loss are still to be made good.
    assert (fees["2026-10"]["profit_since_the_beginning"], fees["2026-10"]["fee"]) == ("-60", "0")
    assert (fees["2026-11"]["profit_since_the_beginning"], fees["2026-11"]["above"]) == ("100", "100")
    assert fees["2026-11"]["fee"] == "20"


def test_the_mark_is_the_highest_month_end_and_nothing_is_charged_twice(bot: StoredBot) -> None:
    books = Ledger(bot, DAIVON, opened=at(30, "06:00", month=9), units={"USD": "900", "ETH": "0"})
    books.buy(at(30, "10:00", month=9), "ETH/USD", "9", "100")
    books.close(at(1, "00:00", month=10), {"ETH": "110"})
    for day in range(2, 32):
        books.close(at(day, "00:00", month=10), {"ETH": "150"})
    books.close(at(1, "00:00"), {"ETH": "105"})
    books.close(at(2, "00:00"), {"ETH": "120"})
    with bot.store.read() as connection:
        days = closes_of(connection, DAIVON.label)
    september, october, november = fee_months(days, Decimal(10))
    assert (september.profit, september.mark, september.fee) == (Decimal(90), Decimal(0), Decimal("9.00"))
    # It was higher within the month; only its end counts.
    assert (october.profit, october.mark, october.fee) == (Decimal(45), Decimal(90), Decimal(0))
    assert (november.profit, november.mark, november.above, november.fee) == (
        Decimal(180),
        Decimal(90),
        Decimal(90),
        Decimal("9.00"),
    )


def test_a_month_that_ends_without_prices_has_no_fee_and_makes_no_mark(ask: Ask, bot: StoredBot) -> None:
    books = Ledger(bot, DAIVON, opened=at(29, "06:00", month=9), units={"USD": "2000", "BONK": "7"})
    books.buy(at(29, "10:00", month=9), "SOL/USD", "1", "100")
    books.sell(at(29, "11:00", month=9), "SOL/USD", "1", "400")
    books.buy(at(29, "12:00", month=9), "ETH/USD", "9", "100")
    books.close(at(30, "00:00", month=9), {"ETH": "50"})
    books.close(at(1, "00:00", month=10), {})
    for day in range(2, 32):
        books.close(at(day, "00:00", month=10), {"ETH": "50"})
    books.close(at(1, "00:00"), {"ETH": "120"})
    with bot.store.read() as connection:
        days = closes_of(connection, DAIVON.label)
    september, october = fee_months(days, Decimal(20))
    # 300 were gained by a sale and 450 were lost of what is held, whose price nobody knew at that moment.
    assert (september.profit, september.above, september.fee) == (None, None, None)
    # BONK never has a price, but no cost either: it is in no profit.
    assert (october.mark, october.profit, october.fee) == (Decimal(0), Decimal(480), Decimal(96))
    shown = ask(app.main, "statement", "daivon_frazier", "--month", "2026-09", "--fee-percent", "20")
    assert (shown.code, "unknown" in shown.text) == (1, True)


def test_the_running_month_says_that_it_is_not_over(ask: Ask, daivon: Ledger) -> None:
    asked = ["statement", "daivon_frazier", "--month", "2026-11", "--fee-percent", "20"]
    shown = ask(app.main, *asked)
    assert shown.code == 1
    assert "which is not over" in shown.text
    assert "performance fee so far, 20 % of it (computed, never moved)" in shown.text
    assert "+200.00" not in shown.text


def test_a_month_whose_last_day_is_not_closed_yet_is_not_final(
    ask: Ask, bot: StoredBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIJA_TEST_CLOCK_OFFSET_SECONDS", str(runs_at(bot, at(1, "00:10"))))
    books = Ledger(bot, DAIVON, opened=at(30, "06:00", month=10), units={"USD": "1000"})
    books.close(at(31, "00:00", month=10), {})
    books.buy(at(31, "10:00", month=10), "ETH/USD", "1", "100", fee="1")
    # Read after the end of the month, but not closed: its ledger could not be read, for example.
    books.point(at(1, "00:05"), {"ETH": "100"})
    asked = ["statement", "daivon_frazier", "--month", "2026-10", "--fee-percent", "20"]
    (account,) = ask(app.main, *asked, "--json").json["accounts"]
    assert ([day["day"] for day in account["days"]], account["month_is_over"]) == (["2026-10-30"], False)
    early = ask(app.main, *asked)
    assert (early.code, "October 2026, not all of which is closed" in early.text) == (1, True)
    assert "performance fee so far" in early.text
    books.close(at(1, "00:06"), {"ETH": "100"})
    (account,) = ask(app.main, *asked, "--json").json["accounts"]
    assert (len(account["days"]), account["month_is_over"], account["net"]) == (2, True, "-1")


def test_days_that_nothing_proves_are_said_beside_the_fee(ask: Ask, daivon: Ledger) -> None:
    daivon.units["USD"] += 9
    daivon.close(at(11, "00:00"), {})
    asked = ["statement", "daivon_frazier", "--month", "2026-11", "--fee-percent", "20"]
    (account,) = ask(app.main, *asked, "--json").json["accounts"]
    assert account["unproved_days"] == ["2026-11-10"]
    assert "1 day until then (2026-11-10) not proved by balances" in ask(app.main, *asked).text


def test_each_account_of_a_user_stands_for_itself(ask: Ask, daivon: Ledger) -> None:
    Ledger(daivon.bot, DAIVON_OKX, opened=at(9, "06:00"), units={"USDT": "50"}, currency="USDT")
    shown = ask(app.main, "statement", "daivon_frazier", "--month", "2026-11", "--json").json
    assert [one["account"] for one in shown["accounts"]] == ["daivon_frazier_kraken", "daivon_frazier_okx"]
    assert "totals" not in shown


def test_a_month_before_the_books_is_unknown_and_no_fee_is_said(ask: Ask, daivon: Ledger) -> None:
    shown = ask(app.main, "statement", "daivon_frazier", "--month", "2026-08", "--fee-percent", "20", "--json")
    (account,) = shown.json["accounts"]
    assert (shown.code, account["net"], account["equity"], account["fee"]) == (1, None, None, None)
    assert "its books began at 2026-09-30 06:00 UTC" in account["problem"]


def test_the_page_for_a_user_has_every_line_and_loads_nothing(ask: Ask, daivon: Ledger, home: Path) -> None:
    asked = ["statement", "daivon_frazier", "--month", "2026-10", "--fee-percent", "20"]
    shown = ask(app.main, *asked, "--html", str(home / "october.html"))
    assert shown.code == 0
    page = (home / "october.html").read_text(encoding="utf-8")
    for line in ("5,940.00", "+5,000.00", "+40.00", "high" if "high-water" in page else "its highest"):
        assert line in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("month", ["2026-13", "26-11", "november", "2026-1"])
def test_what_is_no_month_is_refused(ask: Ask, daivon: Ledger, month: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        app.main(["statement", "daivon_frazier", "--month", month])
    assert stopped.value.code == 2
    assert "write it as 2026-11" in capsys.readouterr().err


def test_an_unknown_user_is_refused(ask: Ask, daivon: Ledger) -> None:
    shown = ask(app.main, "statement", "daivon", "--month", "2026-10")
    assert shown.code == 2
    assert "There is no user 'daivon'" in shown.errors
